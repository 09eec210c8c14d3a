"""NumPy's polynomials, interpolation, convolution and statistics of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, implements
from .._indexing import getitem
from .._library import constants, lib
from .._tape import cast, joint, lift, made, tape_of, typed
from .linalg import matmul
from .shapes import _axis, _part, flip, ravel


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """``np.polyval`` by Horner's rule."""
    tape = tape_of((p, x))
    p, x = lift(p, tape), lift(x, tape)
    out = FUNCTIONS[np.zeros_like](x)
    for i in range(p.shape[0]):
        out = out * x + p[i]
    return out


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """``np.vander``."""
    count = x.shape[0] if N is None else N
    x = joint([x, np.int64(0)])[0][0]  # NumPy's own promotion: f32 becomes f64
    columns = [FUNCTIONS[np.ones_like](x)]
    for _ in range(count - 1):
        columns.append(columns[-1] * x)
    return FUNCTIONS[np.stack](columns if increasing else columns[::-1], axis=1)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """``np.interp``; the derivative at a knot is that of the piece on its right."""
    if period is not None:
        raise TypeError("interp: period= is not traced")
    (x, xp, fp), _ = joint([x, xp, fp], dt.F64)
    if xp.shape[0] == 1:
        return FUNCTIONS[np.broadcast_to](fp[0], x.shape)
    tape = tape_of((x, xp, fp))
    out = typed(tape, lib.interp(tape.handle, x._node, xp._node, fp._node, constants["CAMBER_LINEAR"], constants["CAMBER_NOT_A_KNOT"], constants["CAMBER_CLAMP"]))
    if left is not None:
        out = ops.traced("select", ops.traced("lt", x, xp[0]), left, out)
    return out if right is None else ops.traced("select", ops.traced("gt", x, xp[xp.shape[0] - 1]), right, out)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``np.convolve``."""
    (a, v), _ = joint([a, v])
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    n, m = a.shape[0], v.shape[0]
    padded = FUNCTIONS[np.pad](a, (m - 1, m - 1))
    windows = getitem(padded, np.arange(n + m - 1)[:, None] + np.arange(m))
    out = matmul(windows, flip(v))
    low = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    size = {"full": n + m - 1, "same": n, "valid": n - m + 1}[mode]
    return out[low : low + size]


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``np.correlate``."""
    (a, v), _ = joint([a, v])
    if a.shape[0] >= v.shape[0]:
        return convolve(a, flip(v), mode)
    return flip(convolve(v, flip(a), mode))


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """``np.trapezoid``."""
    y = lift(y)
    at, size = _axis(axis, y.ndim), y.shape[axis]
    pairs = _part(y, at, 1, size) + _part(y, at, 0, size - 1)
    if x is None:
        return FUNCTIONS[np.sum](pairs * (0.5 * dx), axis=at)
    x = lift(x)
    steps = FUNCTIONS[np.diff](x, axis=-1 if x.ndim == 1 else at)
    if x.ndim == 1:
        steps = steps.reshape(tuple(-1 if i == at else 1 for i in range(y.ndim)))
    return FUNCTIONS[np.sum](pairs * steps * 0.5, axis=at)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """``np.gradient`` with equal steps (constants)."""
    axes = range(f.ndim) if axis is None else [_axis(i, f.ndim) for i in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    steps = [1.0] * len(axes) if not varargs else [float(v) for v in (varargs * len(axes) if len(varargs) == 1 else varargs)]
    if edge_order != 1:
        raise TypeError("gradient: edge_order 2 is not traced")
    out = []
    for at, step in zip(axes, steps):
        n = f.shape[at]
        middle = (_part(f, at, 2, n) - _part(f, at, 0, n - 2)) / (2 * step)
        ends = [(_part(f, at, 1, 2) - _part(f, at, 0, 1)) / step, (_part(f, at, n - 1, n) - _part(f, at, n - 2, n - 1)) / step]
        out.append(FUNCTIONS[np.concatenate]([ends[0], middle, ends[1]], axis=at))
    return out[0] if len(out) == 1 else tuple(out)


@implements(np.cov)
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """``np.cov`` without weights; in f64, as NumPy."""
    x = FUNCTIONS[np.atleast_2d](cast(lift(m), dt.F64))
    x = x if rowvar or x.shape[0] == 1 else x.T
    if y is not None:
        other = FUNCTIONS[np.atleast_2d](lift(y))
        x = FUNCTIONS[np.concatenate]([x, other if rowvar or other.shape[0] == 1 else other.T])
    x = x - FUNCTIONS[np.mean](x, axis=1, keepdims=True)
    out = matmul(x, x.T) / float(x.shape[1] - (ddof if ddof is not None else (0 if bias else 1)))
    return FUNCTIONS[np.squeeze](out)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """``np.corrcoef``."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    d = ops.traced("sqrt", FUNCTIONS[np.diagonal](c))
    return c / d[:, None] / d[None, :]


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """``np.unwrap`` with the usual jump of half a period."""
    p = lift(p)
    at, size = _axis(axis, p.ndim), p.shape[axis]
    steps = FUNCTIONS[np.diff](p, axis=at)
    turns = ops.traced("round", steps / period)
    fixed = FUNCTIONS[np.cumsum](steps - turns * period, axis=at)
    return FUNCTIONS[np.concatenate]([_part(p, at, 0, 1), _part(p, at, 0, 1) + fixed], axis=at) if size else p
