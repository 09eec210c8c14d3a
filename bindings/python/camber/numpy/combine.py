"""NumPy's functions that put arrays together or take them apart, and those that make new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtypes as dt
from .._dispatch import FUNCTIONS, any_traced, implements
from .._indexing import getitem
from .._library import lib
from .._tape import broadcast, cast, common_shape, constant, joint, lift, made, nodes, tape_of
from .._tape import reshape as _reshape
from .shapes import _axis, expand_dims, ravel, swapaxes


def _parts(arrays: Any, dtype: Any = None) -> list[Any]:
    if hasattr(arrays, "_tape"):
        arrays = [getitem(arrays, i) for i in range(arrays.shape[0])]
    arrays = list(arrays)
    if not arrays:
        raise ValueError("need at least one array to concatenate")
    return joint(arrays, None if dtype is None else dt.code_of(dtype))[0]


@implements(np.concatenate)
def concatenate(arrays: Any, axis: int | None = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """``np.concatenate``."""
    parts = _parts(arrays, dtype)
    if axis is None:
        parts, axis = [ravel(p) for p in parts], 0
    first = parts[0]
    if first.ndim == 0:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    at = _axis(axis, first.ndim)
    for i, part in enumerate(parts):
        if part.ndim != first.ndim or any(n != m for k, (n, m) in enumerate(zip(part.shape, first.shape)) if k != at):
            raise ValueError(f"concatenate: array {i} has shape {list(part.shape)}, array 0 {list(first.shape)}; all axes but {at} must agree")
    if len(parts) == 1:
        return first
    tape = tape_of(parts)
    shape = tuple(sum(p.shape[at] for p in parts) if k == at else n for k, n in enumerate(first.shape))
    return made(tape, lib.concat(tape.handle, nodes(p._node for p in parts), len(parts), at), shape, first._code)


concat = concatenate
FUNCTIONS[np.concat] = FUNCTIONS[np.concatenate]


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """``np.stack``."""
    parts = _parts(arrays, dtype)
    if any(p.shape != parts[0].shape for p in parts):
        raise ValueError(f"all input arrays must have the same shape, not {[list(p.shape) for p in parts]}")
    at = _axis(axis, parts[0].ndim + 1)
    tape = tape_of(parts)
    shape = parts[0].shape[:at] + (len(parts),) + parts[0].shape[at:]
    return made(tape, lib.stack(tape.handle, nodes(p._node for p in parts), len(parts), at), shape, parts[0]._code)


def _least(arrays: Any, rank: int) -> list[Any]:
    at_least = {1: np.atleast_1d, 2: np.atleast_2d, 3: np.atleast_3d}[rank]
    return [FUNCTIONS[at_least](p) for p in _parts(arrays)]


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """``np.vstack``."""
    return concatenate(_least(tup, 2), 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """``np.hstack``."""
    parts = _least(tup, 1)
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """``np.dstack``."""
    return concatenate(_least(tup, 3), 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """``np.column_stack``."""
    return concatenate([_reshape(p, (p.size, 1)) if p.ndim < 2 else p for p in _parts(tup)], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """``np.append``."""
    parts = joint([arr, values])[0]
    return concatenate([ravel(p) for p in parts] if axis is None else parts, 0 if axis is None else axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """``np.block``."""

    def depth(tree: Any) -> int:
        return 1 + depth(tree[0]) if isinstance(tree, list) else 0

    rank = depth(arrays)

    def build(tree: Any, axis: int) -> Any:
        if not isinstance(tree, list):
            x = lift(tree)
            return _reshape(x, (1,) * (rank - x.ndim) + x.shape) if x.ndim < rank else x
        return concatenate([build(part, axis + 1) for part in tree], axis)

    return build(arrays, -rank) if rank else lift(arrays)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """``np.array_split``."""
    at = _axis(axis, ary.ndim)
    pieces = np.array_split(np.arange(ary.shape[at]), indices_or_sections)
    cuts = [0, *np.cumsum([len(p) for p in pieces]).tolist()] if isinstance(indices_or_sections, (int, np.integer)) else None
    if cuts is None:
        cuts = [0, *[int(i) for i in indices_or_sections], ary.shape[at]]
    return [getitem(ary, (slice(None),) * at + (slice(a, b),)) for a, b in zip(cuts, cuts[1:])]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """``np.split``."""
    if isinstance(indices_or_sections, (int, np.integer)) and ary.shape[axis] % int(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.hsplit``."""
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.vsplit``."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.dsplit``."""
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """``np.unstack``."""
    at = _axis(axis, x.ndim)
    return tuple(getitem(x, (slice(None),) * at + (i,)) for i in range(x.shape[at]))


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """``np.meshgrid``."""
    values = [ravel(lift(x, tape_of(xi))) for x in xi]
    out = [_reshape(v, tuple(v.size if i == j else 1 for j in range(len(values)))) for i, v in enumerate(values)]
    if not sparse:
        shape = common_shape(out)
        out = [broadcast(v, shape) for v in out]
    return tuple(swapaxes(v, 0, 1) if indexing == "xy" and len(out) > 1 else v for v in out)


# ---- New arrays ------------------------------------------------------------------------------------------------------------


def array(object: Any, dtype: Any = None, **rest: Any) -> Any:
    """``np.array``, which may hold traced values (``np.array`` itself cannot)."""
    if not any_traced([object]):
        return np.array(object, dtype, **rest)
    x = lift(object)
    return x if dtype is None else cast(x, dt.code_of(dtype))


def asarray(a: Any, dtype: Any = None, **rest: Any) -> Any:
    """``np.asarray``, which may hold traced values."""
    return array(a, dtype, **rest) if any_traced([a]) else np.asarray(a, dtype, **rest)


def _like(value: float | None) -> Any:
    def call(a: Any, fill_value: Any = value, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
        code = a._code if dtype is None else dt.code_of(dtype)
        sizes = a.shape if shape is None else ((shape,) if isinstance(shape, int) else tuple(shape))
        tape = tape_of((a, fill_value))
        fill = cast(fill_value, code) if hasattr(fill_value, "_tape") else constant(tape, fill_value, code)
        return broadcast(fill, sizes)

    call.__doc__ = "An array of one value, of the shape and dtype of another."
    return call


def _named_like(value: float) -> Any:
    inner = _like(value)

    def call(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
        return inner(a, value, dtype, order, subok, shape)

    call.__doc__ = f"An array of {value}, of the shape and dtype of another."
    return call


zeros_like = implements(np.zeros_like)(_named_like(0))
ones_like = implements(np.ones_like)(_named_like(1))
empty_like = implements(np.empty_like)(_named_like(0))
full_like = implements(np.full_like)(_like(None))
expand = expand_dims
