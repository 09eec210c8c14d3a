"""NumPy's functions that move elements: shapes, axes, flips, rolls, pads and picks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, implements
from .._errors import ShapeError
from .._indexing import gather, getitem, sliced
from .._library import lib
from .._tape import broadcast, cast, common_shape, constant, i64s, lift, made, tape_of
from .._tape import reshape as _reshape

normalize = np.lib.array_utils.normalize_axis_index


def _axis(axis: Any, ndim: int) -> int:
    return int(normalize(int(axis), ndim))


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: bool | None = None) -> Any:
    """``np.reshape``; one entry may be -1. Order 'F' through transposes."""
    sizes = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    unknown = [i for i, n in enumerate(sizes) if n < 0]
    known = math.prod(n for n in sizes if n >= 0)
    if len(unknown) > 1:
        raise ValueError("can only specify one unknown dimension")
    if unknown:
        if known == 0 or a.size % known:
            raise ValueError(f"cannot reshape array of size {a.size} into shape {sizes}")
        sizes = tuple(a.size // known if n < 0 else n for n in sizes)
    if math.prod(sizes) != a.size:
        raise ValueError(f"cannot reshape array of size {a.size} into shape {sizes}")
    if order == "F":
        return transpose(_reshape(transpose(a), sizes[::-1]))
    return _reshape(a, sizes)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """``np.ravel``."""
    return reshape(a, (-1,) if a.size else (0,), order)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """``np.transpose``."""
    order = tuple(range(a.ndim))[::-1] if axes is None else tuple(_axis(i, a.ndim) for i in axes)
    if sorted(order) != list(range(a.ndim)):
        raise ValueError("axes don't match array")
    if order == tuple(range(a.ndim)):
        return a
    tape = tape_of((a,))
    return made(tape, lib.transpose(tape.handle, a._node, i64s(order), a.ndim), tuple(a.shape[i] for i in order), a._code)


permute_dims = transpose
FUNCTIONS[np.permute_dims] = transpose


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """``np.swapaxes``."""
    order = list(range(a.ndim))
    i, j = _axis(axis1, a.ndim), _axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """``np.moveaxis``."""
    sources = [_axis(i, a.ndim) for i in (source if isinstance(source, (tuple, list)) else (source,))]
    targets = [_axis(i, a.ndim) for i in (destination if isinstance(destination, (tuple, list)) else (destination,))]
    order = [i for i in range(a.ndim) if i not in sources]
    for target, place in sorted(zip(targets, sources)):
        order.insert(target, place)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """``np.rollaxis``."""
    axis = _axis(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start) if axis != start else a


@implements(np.matrix_transpose)
def matrix_transpose(x: Any) -> Any:
    """``np.matrix_transpose``."""
    return swapaxes(x, -1, -2)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """``np.expand_dims``."""
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    rank = a.ndim + len(given)
    places = sorted(_axis(i, rank) for i in given)
    sizes = list(a.shape)
    for place in places:
        sizes.insert(place, 1)
    return _reshape(a, tuple(sizes))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """``np.squeeze``."""
    if axis is None:
        gone = [i for i, n in enumerate(a.shape) if n == 1]
    else:
        gone = [_axis(i, a.ndim) for i in (axis if isinstance(axis, (tuple, list)) else (axis,))]
        if any(a.shape[i] != 1 for i in gone):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return _reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in gone))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """``np.broadcast_to``."""
    shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)
    array = lift(array)
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"broadcast: shape {list(array.shape)} does not stretch to {list(shape)}")
    return broadcast(array, shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """``np.broadcast_arrays``."""
    tape = tape_of(args)
    values = [lift(a, tape) for a in args]
    shape = common_shape(values)
    return tuple(broadcast(v, shape) for v in values)


@implements(np.atleast_1d)
def atleast_1d(*args: Any) -> Any:
    """``np.atleast_1d``."""
    out = tuple(_reshape(lift(a), a.shape or (1,)) if hasattr(a, "_tape") else np.atleast_1d(a) for a in args)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_2d)
def atleast_2d(*args: Any) -> Any:
    """``np.atleast_2d``."""
    out = tuple(_reshape(a, (1,) * (2 - a.ndim) + a.shape) if hasattr(a, "_tape") else np.atleast_2d(a) for a in args)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_3d)
def atleast_3d(*args: Any) -> Any:
    """``np.atleast_3d``."""
    out = []
    for a in args:
        if not hasattr(a, "_tape"):
            out.append(np.atleast_3d(a))
        else:
            shape = {0: (1, 1, 1), 1: (1, *a.shape, 1), 2: (*a.shape, 1)}.get(a.ndim, a.shape)
            out.append(_reshape(a, shape))
    return out[0] if len(out) == 1 else tuple(out)


# ---- Order of the elements -------------------------------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """``np.flip``."""
    axes = range(m.ndim) if axis is None else [_axis(i, m.ndim) for i in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    return getitem(m, tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim)))


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """``np.fliplr``."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """``np.flipud``."""
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """``np.rot90``."""
    i, j = (_axis(a, m.ndim) for a in axes)
    k %= 4
    if k == 0:
        return m
    if k == 2:
        return flip(m, (i, j))
    return flip(swapaxes(m, i, j), i) if k == 1 else swapaxes(flip(m, i), i, j)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """``np.roll``."""
    if axis is None:
        return _reshape(roll(ravel(a), shift, 0), a.shape)
    pairs = np.broadcast(shift, axis)
    for steps, along in pairs:
        at = _axis(along, a.ndim)
        size = a.shape[at]
        if size and int(steps) % size:
            a = made(a._tape, lib.roll(a._tape.handle, a._node, int(steps) % size, at), a.shape, a._code)
    return a


def _part(a: Any, axis: int, low: int, high: int, step: int = 1) -> Any:
    start, stop, steps = [0] * a.ndim, list(a.shape), [1] * a.ndim
    start[axis], stop[axis], steps[axis] = low, high, step
    return sliced(a, start, stop, steps)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """``np.repeat``; the counts are constants."""
    a = ravel(a) if axis is None else a
    at = _axis(0 if axis is None else axis, a.ndim)
    return gather(a, np.repeat(np.arange(a.shape[at]), repeats), at)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """``np.tile``."""
    counts = (int(reps),) if isinstance(reps, (int, np.integer)) else tuple(int(r) for r in reps)
    rank = max(A.ndim, len(counts))
    shape, counts = (1,) * (rank - A.ndim) + A.shape, (1,) * (rank - len(counts)) + counts
    a = _reshape(A, tuple(n for size in shape for n in (1, size)))
    a = broadcast(a, tuple(n for count, size in zip(counts, shape) for n in (count, size)))
    return _reshape(a, tuple(count * size for count, size in zip(counts, shape)))


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, **_: Any) -> Any:
    """``np.pad`` in the modes constant, edge, reflect, symmetric and wrap."""
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - array.ndim, (0, 0))) for i in range(array.ndim)]
        pad_width = [(w, w) if isinstance(w, int) else w for w in pad_width]
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (array.ndim, 2)).tolist()
    if mode != "constant":
        for axis, width in enumerate(widths):
            places = np.pad(np.arange(array.shape[axis]), width, mode=mode)  # type: ignore[call-overload]
            array = gather(array, places, axis) if any(width) else array
        return array
    low, high = [w[0] for w in widths], [w[1] for w in widths]
    out = zero_pad(array, low, high, [0] * array.ndim)
    fill = np.broadcast_to(np.asarray(constant_values), (array.ndim, 2)) if array.ndim else np.zeros((0, 2))
    if not fill.any():
        return out
    edge = np.zeros(array.shape, dt.NUMPY[array._code] if array._code != dt.BF16 else np.float32)
    edge = np.pad(edge, widths, constant_values=fill)
    inside = np.pad(np.ones(array.shape, np.bool_), widths)
    return ops.traced("select", inside, out, constant(out._tape, edge, array._code))


def zero_pad(a: Any, low: list[int], high: list[int], interior: list[int]) -> Any:
    """The core's pad: zeros around and between."""
    shape = tuple(n + b + e + (n - 1) * g if n else b + e for n, b, e, g in zip(a.shape, low, high, interior))
    if shape == a.shape:
        return a
    tape = tape_of((a,))
    return made(tape, lib.pad(tape.handle, a._node, i64s(tuple(low)), i64s(tuple(high)), i64s(tuple(interior)), a.ndim), shape, a._code)


# ---- Picks -----------------------------------------------------------------------------------------------------------------


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """``np.take``; modes 'wrap' and 'clip' too."""
    a = lift(a)
    a = ravel(a) if axis is None else a
    at = _axis(0 if axis is None else axis, a.ndim)
    size = a.shape[at]
    if mode == "clip":
        indices = FUNCTIONS[np.clip](indices, 0, size - 1) if hasattr(indices, "_tape") else np.clip(indices, 0, size - 1)
    elif mode == "wrap":
        indices = np.remainder(indices, size)
    key: Any = indices if hasattr(indices, "_tape") else np.asarray(indices)
    return getitem(a, (slice(None),) * at + (key,))


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """``np.take_along_axis``."""
    arr = lift(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
        indices = indices.reshape(-1)
    at = _axis(axis, arr.ndim)
    key = []
    for i in range(arr.ndim):
        shape = tuple(arr.shape[i] if i == j else 1 for j in range(arr.ndim))
        key.append(indices if i == at else np.arange(arr.shape[i]).reshape(shape))
    return getitem(arr, tuple(key))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """``np.compress`` with a constant condition."""
    return take(a, np.nonzero(np.asarray(condition))[0], axis)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """``np.delete`` with constant places."""
    arr = ravel(arr) if axis is None else arr
    axis = _axis(0 if axis is None else axis, arr.ndim)
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """``np.diagonal``."""
    a = moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = a.shape[-2:]
    i = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return getitem(a, (Ellipsis, i - min(offset, 0), i + max(offset, 0)))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """``np.diag``."""
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    size = v.shape[0] + abs(k)
    i = np.arange(v.shape[0])
    flat = (i - min(k, 0)) * size + i + max(k, 0)
    if v.shape[0] == 0:
        return FUNCTIONS[np.zeros_like](v, shape=(size, size))
    # one element every size + 1 places: a pad with interior zeros
    return _reshape(zero_pad(v, [int(flat[0])], [size * size - 1 - int(flat[-1])], [size]), (size, size))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """``np.diagflat``."""
    return diag(ravel(lift(v)), k)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """``np.trace``."""
    return FUNCTIONS[np.sum](diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def _triangle(m: Any, mask: Any) -> Any:
    return ops.traced("select", mask, m, constant(tape_of((m,)), 0, m._code))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """``np.tril``."""
    return _triangle(m, np.tri(m.shape[-2], m.shape[-1], k, np.bool_))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """``np.triu``."""
    return _triangle(m, ~np.tri(m.shape[-2], m.shape[-1], k - 1, np.bool_))


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Any:
    """``np.diff``."""
    at = _axis(axis, a.ndim)
    parts = [_edge(p, a, at) for p in (prepend,) if p is not np._NoValue] + [a] + [_edge(p, a, at) for p in (append,) if p is not np._NoValue]
    a = FUNCTIONS[np.concatenate](parts, axis=at) if len(parts) > 1 else a
    for _ in range(n):
        size = a.shape[at]
        row = "ne" if a._code == dt.BOOL else "sub"
        a = ops.traced(row, _part(a, at, min(1, size), size), _part(a, at, 0, max(size - 1, 0)))
    return a


def _edge(part: Any, a: Any, axis: int) -> Any:
    part = lift(part)
    return broadcast(part, tuple(1 if i == axis else n for i, n in enumerate(a.shape))) if part.ndim == 0 else part


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """``np.ediff1d``."""
    parts = [p for p in (to_begin, diff(ravel(ary)), to_end) if p is not None]
    return FUNCTIONS[np.concatenate]([cast(ravel(lift(p)), ary._code) for p in parts])


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """``np.shape``."""
    return a.shape  # type: ignore[no-any-return]


@implements(np.ndim)
def ndim(a: Any) -> int:
    """``np.ndim``."""
    return a.ndim  # type: ignore[no-any-return]


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """``np.size``."""
    return a.size if axis is None else math.prod(a.shape[i] for i in (axis if isinstance(axis, tuple) else (axis,)))


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """``np.astype``."""
    return cast(x, dt.code_of(dtype))


implements(np.iscomplexobj)(lambda x: False)
implements(np.isrealobj)(lambda x: True)
implements(np.iscomplex)(lambda x: FUNCTIONS[np.zeros_like](x, dtype=bool))
implements(np.isreal)(lambda x: FUNCTIONS[np.ones_like](x, dtype=bool))
implements(np.copy)(lambda a, order="K", subok=False: a)
