"""The rest of NumPy: ranges, polynomials, choices, and functions over slices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, UFUNCS, implements
from .._tape import broadcast, cast, common_shape, constant, joint, lift, tape_of
from .._tape import reshape as _reshape
from .combine import concatenate, stack
from .order import _edges, _histogram
from .reductions import _float, axes_of
from .shapes import _axis, ravel

# ---- Ranges ----------------------------------------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0, *, device: Any = None
) -> Any:
    """``np.linspace`` between traced ends."""
    (start, stop), code = joint([start, stop])
    if code not in dt.FLOATS:
        start, stop, code = cast(start, dt.F64), cast(stop, dt.F64), dt.F64
    start, stop = FUNCTIONS[np.broadcast_arrays](start, stop)
    parts = num - 1 if endpoint else num
    step = ops.traced("sub", stop, start) / float(parts) if parts > 0 else ops.traced("mul", ops.traced("sub", stop, start), math.nan)
    at = np.arange(num, dtype=np.float64).reshape((num,) + (1,) * start.ndim)
    out = ops.traced("add", start, ops.traced("mul", constant(start._tape, at, code), step if parts > 0 else ops.traced("sub", stop, start)))
    if endpoint and num > 1:
        out = concatenate([out[:-1], _reshape(stop, (1, *stop.shape))])
    out = FUNCTIONS[np.moveaxis](out, 0, axis) if axis != 0 else out
    out = out if dtype is None else out.astype(dtype)
    return (out, step) if retstep else out


@implements(np.logspace)
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Any:
    """``np.logspace``."""
    out = ops.traced("pow", base, linspace(lift(start, tape_of((start, stop, base))), stop, num, endpoint, axis=axis))
    return out if dtype is None else out.astype(dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """``np.geomspace`` of ends with one sign."""
    (start, stop), _ = joint([start, stop])
    start, stop = _float(start), _float(stop)
    sign = ops.traced("sign", start)
    logs = linspace(ops.traced("log10", ops.traced("abs", start)), ops.traced("log10", ops.traced("abs", stop)), num, endpoint)
    out = ops.traced("mul", sign, ops.traced("pow", 10.0, logs))
    ends = [_reshape(broadcast(start, out.shape[1:]), (1, *out.shape[1:])), out[1:-1] if endpoint else out[1:]]
    if num > 0:
        out = concatenate([*ends, _reshape(broadcast(stop, out.shape[1:]), (1, *out.shape[1:]))] if endpoint and num > 1 else ends)
    out = FUNCTIONS[np.moveaxis](out, 0, axis) if axis != 0 else out
    return out if dtype is None else out.astype(dtype)


# ---- Reductions that leave NaNs out, and running products --------------------------------------------------------------------


@implements(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, **rest: Any) -> Any:
    """``np.nanvar``."""
    a = _float(a)
    return FUNCTIONS[np.var](a, axis, dtype, ddof, keepdims, where=_live(a, rest), correction=rest.get("correction"))


@implements(np.nanstd)
def nanstd(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, **rest: Any) -> Any:
    """``np.nanstd``."""
    return ops.traced("sqrt", nanvar(a, axis, dtype, ddof, keepdims, **rest))


def _live(a: Any, rest: dict[str, Any]) -> Any:
    live = ops.traced("logical_not", ops.traced("isnan", a))
    where = rest.get("where", True)
    return live if where is True or where is np._NoValue else ops.traced("logical_and", live, where)


def _nanarg(name: str, worst: float) -> Callable[..., Any]:
    def call(a: Any, axis: int | None = None, *, keepdims: Any = False) -> Any:
        if a._code in dt.FLOATS:
            a = ops.traced("select", ops.traced("isnan", a), worst, a)
        return FUNCTIONS[getattr(np, name)](a, axis=axis, keepdims=keepdims)

    call.__name__ = f"nan{name}"
    call.__doc__ = f"``np.nan{name}``; lines of NaN alone give 0 where NumPy raises."
    return call


nanargmax = implements(np.nanargmax)(_nanarg("argmax", -math.inf))
nanargmin = implements(np.nanargmin)(_nanarg("argmin", math.inf))


@implements(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """``np.nancumprod``."""
    a = ops.traced("select", ops.traced("isnan", a), 1.0, a) if a._code in dt.FLOATS else a
    return FUNCTIONS[np.cumprod](a, axis, dtype)


@implements(np.cumulative_prod)
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """``np.cumulative_prod``."""
    out = FUNCTIONS[np.cumprod](x, 0 if axis is None else axis, dtype)
    if not include_initial:
        return out
    (at,) = axes_of(out, 0 if axis is None else axis)
    start = FUNCTIONS[np.ones_like](out, shape=tuple(1 if i == at else n for i, n in enumerate(out.shape)))
    return concatenate([start, out], axis=at)


# ---- Choices and places ------------------------------------------------------------------------------------------------------


@implements(np.choose)
def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """``np.choose``; modes clip and wrap too. In mode raise an index outside is an error of the run."""
    values = joint([lift(c) for c in choices] if isinstance(choices, (list, tuple)) else [choices[i] for i in range(choices.shape[0])])[0]
    a = lift(a, values[0]._tape)
    if a._code == dt.BOOL:
        a = cast(a, dt.I64)
    n = len(values)
    if mode == "clip":
        a = ops.traced("clamp", a, 0, n - 1)
    elif mode == "wrap":
        a = UFUNCS[np.remainder](a, n)
    shape = common_shape([a, *values])
    table = stack([broadcast(v, shape) for v in values])
    return FUNCTIONS[np.take_along_axis](table, _reshape(broadcast(a, shape), (1, *shape)), 0)[0]


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """``np.piecewise``: every function sees all of x, the last condition that holds chooses."""
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    conditions = [c if hasattr(c, "_tape") else np.asarray(c, bool) for c in conditions]
    out = FUNCTIONS[np.zeros_like](x)
    if len(funclist) == len(conditions) + 1:
        last = funclist[-1]
        out = cast(broadcast(lift(last(x, *args, **kw) if callable(last) else last, x._tape), x.shape), x._code)
    elif len(funclist) != len(conditions):
        raise ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are expected")
    for condition, f in zip(conditions, funclist):
        out = ops.traced("select", condition, cast(lift(f(x, *args, **kw) if callable(f) else f, x._tape), x._code), out)
    return out


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """``np.extract`` with a constant condition."""
    return FUNCTIONS[np.take](ravel(lift(arr)), np.nonzero(np.ravel(np.asarray(condition)))[0])


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """``np.insert`` at constant places."""
    tape = tape_of((arr, values))
    arr, values = lift(arr, tape), lift(values, tape)
    arr = ravel(arr) if axis is None else arr
    at = _axis(0 if axis is None else axis, arr.ndim)
    n = arr.shape[at]
    # NumPy itself says where each comes to stand: old ones are 0 .. n - 1, new ones follow.
    one = isinstance(obj, (int, np.integer)) or (isinstance(obj, np.ndarray) and obj.ndim == 0)
    values = cast(values, arr._code)
    if one:
        if values.ndim == arr.ndim and axis is not None:
            values = FUNCTIONS[np.moveaxis](values, 0, at)
        values = _reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        count = values.shape[at]
    else:
        count = len(np.zeros(n + 1)[obj]) if isinstance(obj, slice) else int(np.asarray(obj).sum() if np.asarray(obj).dtype == bool else np.size(obj))
        values = _reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape) if values.ndim < arr.ndim else values
        if values.ndim == 1 and arr.ndim > 1:
            values = _reshape(values, tuple(values.shape[0] if i == at else 1 for i in range(arr.ndim)))
    values = broadcast(values, tuple(count if i == at else m for i, m in enumerate(arr.shape)))
    order = np.insert(np.arange(n), [obj] * count if one else obj, np.arange(n, n + count))
    return FUNCTIONS[np.take](concatenate([arr, values], axis=at), order, axis=at)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """``np.resize``: the elements again and again."""
    shape = (int(new_shape),) if isinstance(new_shape, (int, np.integer)) else tuple(int(n) for n in new_shape)
    count, a = math.prod(shape), ravel(lift(a))
    if a.size == 0:
        return FUNCTIONS[np.zeros_like](a, shape=shape)
    return _reshape(FUNCTIONS[np.take](a, np.arange(count) % a.size) if count != a.size else a, shape)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    """``np.ravel_multi_index`` of indices that lie inside (mode clip: are moved there)."""
    parts = list(multi_index) if isinstance(multi_index, (list, tuple)) else [multi_index[i] for i in range(multi_index.shape[0])]
    dims = (int(dims),) if isinstance(dims, (int, np.integer)) else tuple(int(n) for n in dims)
    total: Any = 0
    for place, n in reversed(list(zip(parts, dims))) if order == "F" else zip(parts, dims):
        place = cast(lift(place), dt.I64)
        place = ops.traced("clamp", place, 0, n - 1) if mode == "clip" else UFUNCS[np.remainder](place, n) if mode == "wrap" else place
        total = total * n + place
    return total


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """``np.unravel_index``."""
    shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    rest, out = cast(lift(indices), dt.I64), []
    for n in shape if order == "F" else reversed(shape):
        out.append(UFUNCS[np.remainder](rest, n))
        rest = UFUNCS[np.floor_divide](rest, n)
    return tuple(out if order == "F" else out[::-1])


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """``np.tril_indices_from``: constants."""
    return np.tril_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """``np.triu_indices_from``: constants."""
    return np.triu_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """``np.diag_indices_from``: constants."""
    if arr.ndim < 2 or len(set(arr.shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    return np.diag_indices(arr.shape[0], arr.ndim)


# ---- Functions over slices ------------------------------------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.apply_along_axis``: traced once for each line; cb.vmap once for all."""
    at = _axis(axis, arr.ndim)
    front = FUNCTIONS[np.moveaxis](arr, at, -1)
    lead = front.shape[:-1]
    flat = _reshape(front, (math.prod(lead), front.shape[-1]))
    out = stack([lift(func1d(flat[i], *args, **kwargs), flat._tape) for i in range(flat.shape[0])])
    out = _reshape(out, (*lead, *out.shape[1:]))
    extra = out.ndim - len(lead)
    order = list(range(at)) + list(range(len(lead), len(lead) + extra)) + list(range(at, len(lead)))
    return FUNCTIONS[np.transpose](out, order)


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """``np.apply_over_axes``."""
    for axis in np.atleast_1d(np.asarray(axes)).tolist():
        out = func(a, axis)
        a = out if out.ndim == a.ndim else FUNCTIONS[np.expand_dims](out, axis)
    return a


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """``np.array_equiv``, as a traced bool."""
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return FUNCTIONS[np.all](ops.traced("eq", a1, a2))


# ---- Numbers -----------------------------------------------------------------------------------------------------------------


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """``np.angle`` of reals: 0, or pi below 0."""
    z = _float(z)
    out = ops.traced("select", UFUNCS[np.signbit](z), 180.0 if deg else math.pi, FUNCTIONS[np.zeros_like](z))
    return ops.traced("select", ops.traced("isnan", z), z, out)


@implements(np.imag)
def imag(val: Any) -> Any:
    """``np.imag``: zeros."""
    return FUNCTIONS[np.zeros_like](val)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """``np.real_if_close``: a itself."""
    return a


@implements(np.ldexp)
def ldexp(x: Any, exponent: Any) -> Any:
    """``np.ldexp``: x 2**n; no derivative in n."""
    (x,), _ = joint([_float(lift(x, tape_of((x, exponent))))])
    if not hasattr(exponent, "_tape"):
        return ops.traced("mul", x, constant(x._tape, np.exp2(np.asarray(exponent, np.float64)), x._code))
    return ops.traced("mul", x, ops.traced("stop_gradient", ops.traced("exp2", cast(exponent, x._code))))


def _shift(name: str, up: bool) -> Callable[..., Any]:
    def call(x: Any, n: Any) -> Any:
        if hasattr(n, "_tape"):
            raise TypeError(f"{name}: the count of bits is a constant; a traced one is not taken")
        powers = np.left_shift(np.int64(1), np.asarray(n, np.int64))
        x = lift(x)
        if x._code not in dt.INTEGERS:
            raise TypeError(f"{name}: takes integers, not {dt.NAMES[x._code]}")
        code = joint([x, n])[1]
        return cast(ops.traced("mul", x, powers) if up else UFUNCS[np.floor_divide](x, powers), code)

    call.__name__ = name
    call.__doc__ = f"``np.{name}`` by a constant."
    return call


left_shift = implements(np.left_shift)(_shift("left_shift", True))
right_shift = implements(np.right_shift)(_shift("right_shift", False))


# ---- Polynomials, highest power first ------------------------------------------------------------------------------------------


def _sum(op: str) -> Callable[[Any, Any], Any]:
    def call(a1: Any, a2: Any) -> Any:
        (a, b), code = joint([a1, a2])
        a, b = FUNCTIONS[np.atleast_1d](a), FUNCTIONS[np.atleast_1d](b)
        n = max(a.shape[0], b.shape[0])
        a, b = (FUNCTIONS[np.pad](v, (n - v.shape[0], 0)) if v.shape[0] < n else v for v in (a, b))
        return ops.traced(op, a, b)

    call.__doc__ = f"``np.poly{op}``."
    return call


polyadd = implements(np.polyadd)(_sum("add"))
polysub = implements(np.polysub)(_sum("sub"))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """``np.polymul``; leading zeros stay (their number would depend on the values)."""
    (a, b), _ = joint([a1, a2])
    return FUNCTIONS[np.convolve](FUNCTIONS[np.atleast_1d](a), FUNCTIONS[np.atleast_1d](b))


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """``np.polyder``."""
    for _ in range(m):
        n = p.shape[0] - 1
        p = ops.traced("mul", p[:-1], np.arange(n, 0, -1)) if n > 0 else p[:0]
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """``np.polyint``."""
    p = _float(lift(p))
    constants = [0.0] * m if k is None else list(np.broadcast_to(np.asarray(k, np.float64), (m,)))
    for c in constants:
        n = p.shape[0]
        grown = ops.traced("div", p, np.arange(n, 0, -1).astype(np.float64) if p._code == dt.F64 else constant(p._tape, np.arange(n, 0, -1), p._code))
        p = concatenate([grown, _reshape(constant(p._tape, float(c), p._code), (1,))])
    return p


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """``np.poly`` of real zeros (a vector)."""
    zeros = _float(lift(seq_of_zeros))
    if zeros.ndim != 1:
        raise TypeError("poly: the zeros are a vector; eigenvalues of a matrix are not taken")
    out = _reshape(constant(zeros._tape, 1, zeros._code), (1,))
    for i in range(zeros.shape[0]):
        shifted = concatenate([out * 1.0, _reshape(constant(zeros._tape, 0, zeros._code), (1,))])
        out = shifted - concatenate([_reshape(constant(zeros._tape, 0, zeros._code), (1,)), out * zeros[i]])
    return out


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """``np.polyfit`` by an orthogonalised Vandermonde matrix, of full rank; coefficients alone."""
    if full or cov:
        raise TypeError("polyfit: full= and cov= are not traced")
    (x, y), code = joint([x, y])
    x, y = _float(x), _float(y)
    left = FUNCTIONS[np.vander](x, int(deg) + 1)
    right = y
    if w is not None:
        w = _float(lift(w))
        left, right = left * w[:, None], right * (w[:, None] if right.ndim > 1 else w)
    scale = FUNCTIONS[np.linalg.norm](left, axis=0)
    left = left / scale
    # Gram-Schmidt, each column twice: left = Q R with few columns.
    matmul = UFUNCS[np.matmul]
    columns: list[Any] = []
    rows: list[list[Any]] = []
    for j in range(left.shape[1]):
        v, against = left[:, j], [0.0] * left.shape[1]
        for _ in range(2):
            for i, u in enumerate(columns):
                part = matmul(u, v)
                v, against[i] = v - u * part, part + against[i]
        against[j] = FUNCTIONS[np.linalg.norm](v)
        columns.append(v / against[j])
        rows.append(against)
    q = stack(columns)
    r = stack([stack([lift(e, q._tape) if hasattr(e, "_tape") else constant(q._tape, e, q._code) for e in row]) for row in rows]).T
    out = FUNCTIONS[np.linalg.solve](r, matmul(q, right))
    return (out.T / scale).T


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, tuple[Any, ...]]:  # noqa: A002
    """``np.histogramdd`` with edges that do not depend on the sample."""
    parts = list(sample) if isinstance(sample, (list, tuple)) else [sample[:, i] for i in np.arange(sample.shape[1]).tolist()]
    each = list(bins) if isinstance(bins, (list, tuple)) else [bins] * len(parts)
    edges = [_edges(b, None if range is None else range[i], "histogramdd") for i, b in enumerate(each)]
    counts, edges = _histogram([lift(p) for p in parts], edges, density, weights)
    return cast(counts, dt.F64), tuple(edges)


if "row_stack" in np.__dict__:
    FUNCTIONS[np.__dict__["row_stack"]] = FUNCTIONS[np.vstack]
