"""Indexing with NumPy's rules: slices, integers, None, ellipsis, integer arrays and constant masks; and ``x.at``."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _dtypes as dt
from . import ops
from ._errors import ShapeError, TracedError
from ._library import lib
from ._tape import _holds_traced, broadcast, cast, common_shape, constant, i64s, joint, lift, made, reshape, tape_of


def getitem(x: Any, key: Any) -> Any:
    """``x[key]``."""
    items = _expand(x, key)
    if any(_is_array(item) for item in items):
        return _advanced(x, items)
    return _basic(x, items)


class _Extra:
    """A constant bool as an index: a new axis, kept or left empty, that takes part in the broadcast."""

    dtype = np.dtype(np.int64)
    shape = ()

    def __init__(self, keep: bool) -> None:
        self.index = np.zeros(int(keep), np.int64)


def _is_array(item: Any) -> bool:
    return not (item is None or isinstance(item, (slice, int, np.integer)))


class _Items(list[Any]):
    """A key's items. An ellipsis that stands for no axis still parts the integer arrays before place `gap` from those at and behind it."""

    gap = -1

    def together(self, places: list[int]) -> bool:
        """Whether the items at these places stand side by side: then their axes' place is the first one's, else the front (NumPy's rule)."""
        return places[-1] - places[0] + 1 == len(places) and not places[0] < self.gap <= places[-1]


def _expand(x: Any, key: Any) -> _Items:
    """The key as one item an axis (None aside): ellipsis and missing axes filled, masks turned into integers."""
    items: list[Any] = []
    masks: list[tuple[int, Any]] = []
    item: Any
    for item in key if isinstance(key, tuple) else (key,):
        if isinstance(item, (bool, np.bool_)):
            items.append(_Extra(bool(item)))
            continue
        if getattr(item, "_code", None) == dt.BOOL:
            raise TracedError(
                "a mask known only when the program runs cannot select elements: the result's shape would depend on it; "
                "use np.where(mask, x, other), or a NumPy mask that is a constant"
            )
        if isinstance(item, (list, np.ndarray, tuple)):
            item = lift(item) if not isinstance(item, np.ndarray) and _holds_traced(item) else np.asarray(item)
            if not hasattr(item, "_tape") and item.size == 0 and item.dtype == np.float64:
                item = item.astype(np.int64)
        if isinstance(item, np.ndarray) and item.dtype == np.bool_ and item.ndim == 0:
            items.append(_Extra(bool(item)))
        elif isinstance(item, np.ndarray) and item.dtype == np.bool_:
            masks.append((len(items), item))
            items.extend(np.nonzero(item))
        elif isinstance(item, (float, np.floating)) or (_is_array(item) and item is not Ellipsis and _kind(item) not in "iu"):
            raise IndexError("only integers, slices, None, ellipsis, integer arrays and constant masks index arrays")
        else:
            items.append(item)
    used = _axes_used(items)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for an array of {x.ndim} axes")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have one ellipsis")
    at = dots[0] if dots else len(items)
    for place, mask in masks:
        before = _axes_used(items[:place])
        _check_mask(x, mask, before + (x.ndim - used if place > at else 0))
    full = _Items(items[:at] + [slice(None)] * (x.ndim - used) + items[at + 1 :])
    if dots and used == x.ndim:
        full.gap = at
    return full


def _axes_used(items: list[Any]) -> int:
    return sum(1 for item in items if item is not None and item is not Ellipsis and not isinstance(item, _Extra))


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


def _advanced(x: Any, items: _Items) -> Any:
    """Slices first, then one gather; several integer arrays become one linear index."""
    basic: list[Any] = []
    arrays: list[tuple[int, Any]] = []  # (axis of what `basic` leaves, index)
    places: list[int] = []  # positions in `items`
    axis = kept = 0
    for position, item in enumerate(items):
        if item is None or isinstance(item, slice):
            basic.append(item)
            axis += item is not None
        elif isinstance(item, _Extra):
            basic.append(None)
            arrays.append((kept, item.index))
            places.append(position)
        else:
            basic.append(slice(None))
            arrays.append((kept, _checked(item, x.shape[axis], axis)))
            places.append(position)
            axis += 1
        kept += 1
    x = _basic(x, basic)
    together = items.together(places)
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


def scatter(kind: str, x: Any, index: Any, updates: Any, axis: int) -> Any:
    """x with updates put, added, multiplied... ("set", "add", "mul", "min", "max") at indices along `axis`."""
    tape = tape_of((x, index, updates))
    index = index if hasattr(index, "_tape") else constant(tape, index)
    return made(tape, getattr(lib, f"scatter_{kind}")(tape.handle, x._node, index._node, updates._node, axis), x.shape, x._code)


def scatter_add(x: Any, index: Any, updates: Any, axis: int) -> Any:
    """x with updates added at indices along `axis`."""
    return scatter("add", x, index, updates, axis)


class At:
    """``x.at``: changed copies of a traced value."""

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, key: Any) -> _Place:
        return _Place(self._x, key)


_ROWS = {"add": "add", "mul": "mul", "min": "minimum", "max": "maximum"}


class _Place:
    """``x.at[key]`` for NumPy's keys: slices, integers, None, ellipsis, integer arrays (constant or traced), constant masks; or one
    traced mask of the leading axes."""

    def __init__(self, x: Any, key: Any) -> None:
        self._x, self._key = x, key

    def get(self) -> Any:
        """``x[key]``."""
        return getitem(self._x, self._key)

    def set(self, value: Any) -> Any:
        """x with `value` there; where indices repeat, the last one stays."""
        return self._update("set", value)

    def add(self, value: Any) -> Any:
        """x with `value` added there; where indices repeat, all are added."""
        return self._update("add", value)

    def subtract(self, value: Any) -> Any:
        """x less `value` there."""
        return self._update("add", -value)

    def multiply(self, value: Any) -> Any:
        """x with these elements multiplied; where indices repeat, by all."""
        return self._update("mul", value)

    mul = multiply

    def divide(self, value: Any) -> Any:
        """x with these elements divided."""
        x = self._x
        ones = broadcast(constant(tape_of((x,)), 1, x._code), x.shape)
        return x / _Place(ones, self._key)._update("mul", value)

    def min(self, value: Any) -> Any:
        """x with the smaller of element and value there."""
        return self._update("min", value)

    def max(self, value: Any) -> Any:
        """x with the larger of element and value there."""
        return self._update("max", value)

    def apply(self, function: Any) -> Any:
        """x with function(x[key]) there."""
        return self.set(function(self.get()))

    # ---- Ways ---------------------------------------------------------------------------------------------------------

    def _update(self, kind: str, value: Any) -> Any:
        x = self._x
        if x._code == dt.BOOL and kind != "set":
            raise TracedError(f"x.at[...].{kind} of bool: use logical operators, or cast first")
        key = self._key
        if getattr(key, "_code", None) == dt.BOOL:
            return self._where(kind, key, value)
        items = _expand(x, key)
        if any(isinstance(item, _Extra) for item in items):
            raise TracedError("x.at[True] or [False]: use x itself")
        if any(_is_array(item) for item in items):
            return _update_advanced(kind, x, items, self._lifted(value))
        return _update_basic(kind, x, items, self._lifted(value))

    def _lifted(self, value: Any) -> Any:
        value = constant(tape_of((self._x,)), value) if isinstance(value, (bool, int, float)) else value
        return joint([value], self._x._code)[0][0]

    def _where(self, kind: str, mask: Any, value: Any) -> Any:
        """A mask that is known only when the program runs: every element is a candidate."""
        x, value = self._x, self._lifted(value)
        if mask.shape != x.shape[: mask.ndim]:
            raise IndexError(f"a mask of shape {list(mask.shape)} does not fit the axes it indexes of {list(x.shape)}")
        if value.ndim > x.ndim - mask.ndim:
            raise TracedError(
                "x.at[mask] with a mask known only when the program runs takes one value for all that it selects; "
                "for a value an element use np.where(mask, values, x)"
            )
        new = value if kind == "set" else ops.traced(_ROWS[kind], x, value)
        return ops.traced("select", reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim)), broadcast(new, x.shape), x)


def _fitted(value: Any, shape: tuple[int, ...]) -> Any:
    """The value in the shape of x[key]; NumPy drops leading axes of 1."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = reshape(value, value.shape[1:])
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"x.at[...]: a value of shape {list(value.shape)} for the {list(shape)} that the key selects")
    return broadcast(value, shape)


def _update_basic(kind: str, x: Any, items: list[Any], value: Any) -> Any:
    """Slices and integers: one block, or where steps leave elements out, places in the flat array. No element stands twice."""
    low: list[int] = []
    size: list[int] = []
    down: list[int] = []
    shape: list[int] = []
    dense = True
    for item in items:
        axis = len(low)
        if item is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if isinstance(item, slice):
            a, b, c = item.indices(n)
            count = len(range(a, b, c))
            shape.append(count)
            if c < 0:
                down.append(axis)
            dense = dense and (abs(c) == 1 or count < 2)
            low.append(0 if count == 0 else a if c > 0 else a + (count - 1) * c)
            size.append(count)
        else:
            low.append(_integer(item, n, axis))
            size.append(1)
    value = _fitted(value, tuple(shape))
    if 0 in size:
        return x
    if not dense:
        places = np.arange(x.size).reshape(x.shape)[tuple(items)].reshape(-1)
        out = scatter(kind, reshape(x, (x.size,)), places, reshape(value, (value.size,)), 0)
        return reshape(out, x.shape)
    value = reshape(value, tuple(size))
    if down:
        from .numpy.shapes import flip

        value = flip(value, tuple(axis for axis in down if size[axis] > 1)) if any(size[axis] > 1 for axis in down) else value
    if kind != "set":
        block = sliced(x, low, [a + n for a, n in zip(low, size)], [1] * x.ndim)
        value = ops.traced(_ROWS[kind], block, value)
    if tuple(size) == x.shape:
        return value
    tape = tape_of((x, value))
    start = constant(tape, np.asarray(low, np.int64))
    return made(tape, lib.dynamic_update(tape.handle, x._node, value._node, start._node), x.shape, x._code)


def _update_advanced(kind: str, x: Any, items: _Items, value: Any) -> Any:
    """Integer arrays: the axes that they index become one, along which the updates are scattered."""
    axes_items = [item for item in items if item is not None]
    if any(isinstance(item, slice) and item.indices(n) != (0, n, 1) for item, n in zip(axes_items, x.shape)):
        # A block first, changed, then put back.
        cut = [item if isinstance(item, slice) else slice(None) for item in axes_items]
        rest = _Items(slice(None) if isinstance(item, slice) else item for item in items)
        rest.gap = items.gap
        block = _basic(x, cut)
        return _update_basic("set", x, cut, _update_advanced(kind, block, rest, value))
    places = [i for i, item in enumerate(items) if _is_array(item) or isinstance(item, (int, np.integer))]
    axes = [i for i, item in enumerate(axes_items) if not isinstance(item, slice)]
    indices = [_checked(axes_items[i], x.shape[i], i) for i in axes]
    shape = common_shape(indices) if any(hasattr(i, "_tape") for i in indices) else np.broadcast_shapes(*[i.shape for i in indices])
    together = items.together(places)
    front = places[0] if together else 0
    left = [1 if item is None else None for item in items if item is None or isinstance(item, slice)]
    kept = [i for i in range(x.ndim) if i not in axes]
    sizes = iter(x.shape[i] for i in kept)
    outer = tuple(1 if n == 1 else next(sizes) for n in left)
    value = _fitted(value, outer[:front] + tuple(shape) + outer[front:])
    lead = sum(1 for n in left[:front] if n is None)
    rest = tuple(x.shape[i] for i in kept)
    value = reshape(value, rest[:lead] + tuple(shape) + rest[lead:])
    order = tuple(kept[:lead] + axes + kept[lead:])
    from .numpy.shapes import transpose

    turned = transpose(x, order)
    counts = tuple(x.shape[i] for i in axes)
    flat = reshape(turned, rest[:lead] + (int(np.prod(counts, dtype=np.int64)),) + rest[lead:])
    index = indices[0] if len(indices) == 1 else _linear(indices, counts)
    out = reshape(scatter(kind, flat, index, value, lead), turned.shape)
    return transpose(out, tuple(int(i) for i in np.argsort(order)))
