"""Indexing with NumPy's rules: slices, integers, None, ellipsis, integer arrays and constant masks; and ``x.at``."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _dtypes as dt
from . import ops
from ._errors import TracedError
from ._library import lib
from ._tape import broadcast, cast, constant, i64s, joint, lift, made, reshape, tape_of


def getitem(x: Any, key: Any) -> Any:
    """``x[key]``."""
    items = _expand(x, key)
    if any(_is_array(item) for item in items):
        return _advanced(x, items)
    return _basic(x, items)


def _is_array(item: Any) -> bool:
    return not (item is None or isinstance(item, (slice, int, np.integer)))


def _expand(x: Any, key: Any) -> list[Any]:
    """The key as one item an axis (None aside): ellipsis and missing axes filled, masks turned into integers."""
    items: list[Any] = []
    item: Any
    for item in key if isinstance(key, tuple) else (key,):
        if isinstance(item, (bool, np.bool_)) or (getattr(item, "_code", None) == dt.BOOL):
            raise TracedError(
                "a mask known only when the program runs cannot select elements: the result's shape would depend on it; "
                "use np.where(mask, x, other), or a NumPy mask that is a constant"
            )
        if isinstance(item, (list, np.ndarray)) or (isinstance(item, tuple)):
            item = np.asarray(item) if not hasattr(item, "_tape") else item
            if item.size == 0 and item.dtype == np.float64:
                item = item.astype(np.int64)
        if isinstance(item, np.ndarray) and item.dtype == np.bool_:
            _check_mask(x, item, len([i for i in items if i is not None and i is not Ellipsis]))
            items.extend(np.nonzero(item))
        elif isinstance(item, (float, np.floating)) or (_is_array(item) and item is not Ellipsis and _kind(item) not in "iu"):
            raise IndexError("only integers, slices, None, ellipsis, integer arrays and constant masks index arrays")
        else:
            items.append(item)
    used = sum(1 for item in items if item is not None and item is not Ellipsis)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for an array of {x.ndim} axes")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have one ellipsis")
    at = dots[0] if dots else len(items)
    return items[:at] + [slice(None)] * (x.ndim - used) + items[at + 1 :]


def _kind(item: Any) -> str:
    return getattr(item, "dtype", np.dtype(object)).kind


def _check_mask(x: Any, mask: Any, axis: int) -> None:
    if mask.shape != x.shape[axis : axis + mask.ndim]:
        raise IndexError(f"a mask of shape {list(mask.shape)} does not fit the axes it indexes of {list(x.shape)}")


def _integer(item: Any, size: int, axis: int) -> int:
    index = int(item)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {size}")
    return index + size if index < 0 else index


def _basic(x: Any, items: list[Any]) -> Any:
    start: list[int] = []
    stop: list[int] = []
    step: list[int] = []
    shape: list[int] = []
    for item in items:
        axis = len(start)
        if item is None:
            shape.append(1)
            continue
        size = x.shape[axis]
        if isinstance(item, slice):
            a, b, c = item.indices(size)
            count = len(range(a, b, c))
            if count == 0:
                a, b, c = 0, 0, 1
            shape.append(count)
        else:
            a = _integer(item, size, axis)
            b, c = a + 1, 1
        start.append(a)
        stop.append(b)
        step.append(c)
    return reshape(sliced(x, start, stop, step), tuple(shape))


def sliced(x: Any, start: list[int], stop: list[int], step: list[int]) -> Any:
    """The core's slice: ends already clipped."""
    shape = tuple(len(range(a, b, c)) for a, b, c in zip(start, stop, step))
    if shape == x.shape and all(c == 1 for c in step):
        return x
    tape = tape_of((x,))
    node = lib.slice(tape.handle, x._node, i64s(tuple(start)), i64s(tuple(stop)), i64s(tuple(step)), x.ndim)
    return made(tape, node, shape, x._code)


def _advanced(x: Any, items: list[Any]) -> Any:
    """Slices first, then one gather; several integer arrays become one linear index."""
    basic: list[Any] = []
    arrays: list[tuple[int, Any]] = []  # (axis of what `basic` leaves, index)
    places: list[int] = []  # positions in `items`
    axis = kept = 0
    for position, item in enumerate(items):
        if item is None or isinstance(item, slice):
            basic.append(item)
            axis += item is not None
        else:
            basic.append(slice(None))
            arrays.append((kept, _checked(item, x.shape[axis], axis)))
            places.append(position)
            axis += 1
        kept += 1
    x = _basic(x, basic)
    together = places[-1] - places[0] + 1 == len(places)
    if len(arrays) == 1:
        return gather(x, arrays[0][1], arrays[0][0])
    axes = [place for place, _ in arrays]
    front = axes[0] if together else 0
    rest = [i for i in range(x.ndim) if i not in axes]
    order = tuple(rest[:front] + axes + rest[front:])
    from .numpy.shapes import transpose

    x = transpose(x, order)
    sizes = x.shape[front : front + len(axes)]
    x = reshape(x, x.shape[:front] + (int(np.prod(sizes)),) + x.shape[front + len(axes) :])
    return gather(x, _linear([index for _, index in arrays], sizes), front)


def _checked(item: Any, size: int, axis: int) -> Any:
    if hasattr(item, "_tape"):
        return item
    index = np.asarray(item, np.int64)
    bad = index[(index < -size) | (index >= size)]
    if bad.size:
        raise IndexError(f"index {int(bad.flat[0])} is out of bounds for axis {axis} with size {size}")
    return np.where(index < 0, index + size, index)


def _linear(indices: list[Any], sizes: tuple[int, ...]) -> Any:
    strides = [int(np.prod(sizes[i + 1 :], dtype=np.int64)) for i in range(len(sizes))]
    if not any(hasattr(index, "_tape") for index in indices):
        return sum(index * stride for index, stride in zip(np.broadcast_arrays(*indices), strides))
    total: Any = 0
    fits: Any = True
    for index, size, stride in zip(indices, sizes, strides):
        index = cast(lift(index), dt.I64)
        fits = (index >= -size) & (index < size) & fits
        total = total + ops.traced("select", index < 0, index + size, index) * stride
    return ops.traced("select", fits, total, int(np.prod(sizes)))  # one outside stays outside: the run says so


def gather(x: Any, index: Any, axis: int) -> Any:
    """x's slices along `axis` at integer indices, whose shape takes the axis' place."""
    tape = tape_of((x, index))
    index = index if hasattr(index, "_tape") else constant(tape, index)
    shape = x.shape[:axis] + index.shape + x.shape[axis + 1 :]
    return made(tape, lib.gather(tape.handle, x._node, index._node, axis), shape, x._code)


def scatter_add(x: Any, index: Any, updates: Any, axis: int) -> Any:
    """x with updates added at indices along `axis`."""
    tape = tape_of((x, index, updates))
    index = index if hasattr(index, "_tape") else constant(tape, index)
    return made(tape, lib.scatter_add(tape.handle, x._node, index._node, updates._node, axis), x.shape, x._code)


class At:
    """``x.at``: changed copies of a traced value."""

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, key: Any) -> _Place:
        return _Place(self._x, key)


class _Place:
    """``x.at[key]``; the key is made of constants, or is one traced integer or integer array along the first axis."""

    def __init__(self, x: Any, key: Any) -> None:
        self._x, self._key = x, key
        parts = key if isinstance(key, tuple) else (key,)
        self._traced = any(hasattr(part, "_tape") for part in parts)
        if self._traced and (len(parts) != 1 or parts[0]._code not in dt.INTEGERS):
            raise TracedError("x.at[...] takes constants, or one traced integer (array) along the first axis")

    def get(self) -> Any:
        """``x[key]``."""
        return getitem(self._x, self._key)

    def set(self, value: Any) -> Any:
        """x with `value` there; where indices repeat, the last one stays."""
        x = self._x
        if self._traced:
            depth = x.shape[0]
            if self._key.ndim:
                raise TracedError("x.at[indices].set wants constants or one traced integer; .add takes traced indices")
            mask = ops.traced("eq", np.arange(depth), ops.traced("select", self._key < 0, self._key + depth, self._key))
            return ops.traced("select", reshape(mask, (depth,) + (1,) * (x.ndim - 1)), cast(lift(value), x._code), x)
        places = self._places()
        flat, last = np.unique(places.reshape(-1)[::-1], return_index=True)
        chosen = places.size - 1 - last
        value = reshape(self._value(value, places.shape), (places.size,))
        value = gather(value, chosen, 0) if not np.array_equal(chosen, np.arange(places.size)) else value
        tape = tape_of((x, value))
        zeros = broadcast(constant(tape, 0, x._code), (x.size,))
        spread = scatter_add(zeros, flat, value, 0) if x._code != dt.BOOL else None
        if spread is None:
            return self._set_bool(flat, value)
        mask = np.zeros(x.size, np.bool_)
        mask[flat] = True
        return reshape(ops.traced("select", mask, spread, reshape(x, (x.size,))), x.shape)

    def _set_bool(self, flat: Any, value: Any) -> Any:
        x = cast(self._x, dt.I32)
        return cast(reshape(x, (x.size,)).at[flat].set(cast(value, dt.I32)), dt.BOOL).reshape(x.shape)

    def add(self, value: Any) -> Any:
        """x with `value` added there; where indices repeat, all are added."""
        x = self._x
        if self._traced:
            index = self._key
            return scatter_add(x, index, self._value(value, index.shape + x.shape[1:]), 0)
        places = self._places()
        flat = reshape(x, (x.size,))
        value = reshape(self._value(value, places.shape), (places.size,))
        return reshape(scatter_add(flat, places.reshape(-1), value, 0), x.shape)

    def multiply(self, value: Any) -> Any:
        """x with these elements multiplied (indices without repeats)."""
        return self.set(self.get() * value)

    def min(self, value: Any) -> Any:
        """x with the smaller of element and value there."""
        return self.set(np.minimum(self.get(), value))

    def max(self, value: Any) -> Any:
        """x with the larger of element and value there."""
        return self.set(np.maximum(self.get(), value))

    def _places(self) -> Any:
        return np.arange(self._x.size).reshape(self._x.shape)[self._key]

    def _value(self, value: Any, shape: tuple[int, ...]) -> Any:
        (value,), _ = joint([value if not isinstance(value, (bool, int, float)) else constant(self._x._tape, value)], self._x._code)
        return broadcast(value, shape)
