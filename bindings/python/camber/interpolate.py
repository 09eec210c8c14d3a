"""Interpolation with exact derivatives of all orders, under SciPy's names: linear and cubic splines on grids of one to three axes.

>>> import numpy as np, camber as cb
>>> x = np.linspace(0, 3, 4)
>>> f = cb.interpolate.CubicSpline(x, x**3)
>>> round(float(cb.grad(cb.grad(f))(1.5)), 6)
9.0
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _dtypes as dt
from ._dispatch import FUNCTIONS, any_traced, own
from ._errors import InvalidError
from ._indexing import getitem
from ._library import constants, lib
from ._tape import broadcast, joint, lift, nodes, reshape, tape_of, typed

__all__ = ["CubicSpline", "RegularGridInterpolator", "interp", "interpn", "map_coordinates"]

_METHODS = {"nearest": "NEAREST", "linear": "LINEAR", "slinear": "LINEAR", "cubic": "CUBIC"}
_ENDS = {"not-a-knot": "NOT_A_KNOT", "natural": "NATURAL", "clamped": "CLAMPED", "periodic": "PERIODIC"}
_OUTSIDE = {"clamp": "CLAMP", "extrapolate": "EXTRAPOLATE", "nan": "NAN", "error": "ERROR", "wrap": "WRAP"}


def _choice(table: dict[str, str], name: str, what: str) -> int:
    if name not in table:
        raise ValueError(f'{what} "{name}"; there are {", ".join(table)}')
    return constants["CAMBER_" + table[name]]


def _interp(x: Any, xp: Any, fp: Any, method: str, outside: str, bc_type: str) -> Any:
    (x, xp, fp), code = joint([x, xp, fp])
    if code not in dt.FLOATS:
        (x, xp, fp), code = joint([x, xp, fp], dt.F64)
    tape = tape_of((x, xp, fp))
    chosen = _choice(_METHODS, method, "method"), _choice(_ENDS, bc_type, "bc_type"), _choice(_OUTSIDE, outside, "outside")
    return typed(tape, lib.interp(tape.handle, x._node, xp._node, fp._node, *chosen))


def _interpn(xi: Any, values: Any, method: str, outside: str, bc_type: str, *points: Any) -> Any:
    all_, code = joint([xi, values, *points])
    if code not in dt.FLOATS:
        all_, code = joint([xi, values, *points], dt.F64)
    xi, values, *points = all_  # type: ignore[assignment]
    tape = tape_of(all_)
    chosen = _choice(_METHODS, method, "method"), _choice(_ENDS, bc_type, "bc_type"), _choice(_OUTSIDE, outside, "outside")
    return typed(tape, lib.interpn(tape.handle, xi._node, nodes(p._node for p in points), len(points), values._node, *chosen))


_interp_either, _interpn_either = own(_interp), own(_interpn)


def _ascending(*knots: Any) -> None:
    """Knots that are numbers already are looked at here: within a program they are inputs."""
    for axis, k in enumerate(knots):
        if any_traced([k]):
            continue
        bad = np.flatnonzero(~(np.diff(np.asarray(k, float)) > 0)) if np.ndim(k) == 1 else []
        if len(bad):
            raise InvalidError(f"interpolation: knot {bad[0] + 1} of axis {axis} is not above the one before")


def interp(x: Any, xp: Any, fp: Any, method: str = "linear", outside: str = "clamp", bc_type: str = "not-a-knot") -> Any:
    """Values fp [n, ...] at ascending knots xp [n], at x of any shape.

    `method`: "nearest", "linear", "cubic". `outside` the knots: "clamp", "extrapolate", "nan", "error", "wrap". `bc_type`, of cubic splines:
    "not-a-knot", "natural", "clamped", "periodic".
    """
    _ascending(xp)
    return _interp_either(x, xp, fp, str(method), str(outside), str(bc_type))


def interpn(points: Any, values: Any, xi: Any, method: str = "linear", outside: str = "error", bc_type: str = "not-a-knot") -> Any:
    """``scipy.interpolate.interpn``: values [n0, n1, ..., any] on the grid `points` (one array an axis), at xi [..., axes].

    Cubic splines (up to 3 axes) are the tensor product of splines with the ends `bc_type`.
    """
    _ascending(*points)
    if isinstance(xi, (tuple, list)) and any(np.ndim(v) > 0 for v in xi) and not isinstance(xi[0], (tuple, list)):
        xi = FUNCTIONS[np.stack](list(xi), axis=-1) if any(hasattr(v, "_tape") for v in xi) else np.stack(np.broadcast_arrays(*xi), axis=-1)
    return _interpn_either(xi, values, str(method), str(outside), str(bc_type), *points)


class CubicSpline:
    """``scipy.interpolate.CubicSpline`` of values y [n, ...] at ascending knots x; a call takes places of any shape.

    `extrapolate`: True continues the outermost pieces, False gives NaN, "periodic" repeats the knots (always so with periodic ends).
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: str = "not-a-knot", extrapolate: bool | str | None = None) -> None:
        _choice(_ENDS, bc_type, "bc_type")
        _ascending(x)
        if axis != 0:
            y = FUNCTIONS[np.moveaxis](y, axis, 0) if hasattr(y, "_tape") else np.moveaxis(np.asarray(y), axis, 0)
        if extrapolate is None:
            extrapolate = "periodic" if bc_type == "periodic" else True
        self.x, self.y, self.bc_type = x, y, bc_type
        self.outside = "wrap" if extrapolate == "periodic" else "extrapolate" if extrapolate else "nan"

    def __call__(self, x: Any, nu: int = 0) -> Any:
        if nu == 0:
            return interp(x, self.x, self.y, "cubic", self.outside, self.bc_type)
        return _derivative_either(x, self.x, self.y, int(nu), self.outside, self.bc_type)

    def derivative(self, nu: int = 1) -> Any:
        """The derivative of order nu, as a function."""
        return lambda x: self(x, nu)


def _derivative(x: Any, xp: Any, fp: Any, nu: int, outside: str, bc_type: str) -> Any:
    """Elementwise: each place's own derivative, by forward mode along ones."""
    from .transforms import jvp

    x = lift(x)

    def order(k: int, at: Any) -> Any:
        if k == 0:
            return _interp(at, xp, fp, "cubic", outside, bc_type)
        return jvp(lambda v: order(k - 1, v), (at,), (FUNCTIONS[np.ones_like](at),))[1]

    return order(nu, x)


_derivative_either = own(_derivative)


class RegularGridInterpolator:
    """``scipy.interpolate.RegularGridInterpolator`` with the methods "linear", "nearest" and "cubic" (up to 3 axes).

    `bounds_error` and `fill_value` as there: an error outside, else NaN, else (``fill_value=None``) the outermost pieces continued.
    """

    def __init__(self, points: Any, values: Any, method: str = "linear", bounds_error: bool = True, fill_value: float | None = np.nan) -> None:
        _choice(_METHODS, method, "method")
        if not bounds_error and fill_value is not None and not np.isnan(fill_value):
            raise ValueError("RegularGridInterpolator: fill_value is NaN or None (extrapolate); use np.where for other values")
        self.points, self.values, self.method = tuple(points), values, method
        self.outside = "error" if bounds_error else "extrapolate" if fill_value is None else "nan"

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        return interpn(self.points, self.values, xi, method or self.method, self.outside)


def map_coordinates(input: Any, coordinates: Any, order: int = 1, mode: str = "constant", cval: float = 0.0) -> Any:
    """``scipy.ndimage.map_coordinates`` of order 0 or 1: input at coordinates [axes, ...] counted in elements.

    `mode`: "constant" (cval outside), "nearest", "wrap", "mirror", "reflect".
    """
    if order not in (0, 1):
        raise ValueError(f"map_coordinates: order {order}; 0 and 1 are taken, cubic splines are interpn's")
    if mode not in ("constant", "nearest", "wrap", "mirror", "reflect"):
        raise ValueError(f'map_coordinates: mode "{mode}"; there are constant, nearest, wrap, mirror, reflect')
    return _map_either(input, coordinates, int(order), str(mode), cval)


def _map(input: Any, coordinates: Any, order: int, mode: str, cval: Any) -> Any:
    (x, at), code = joint([input, coordinates])
    if code not in dt.FLOATS:
        (x, at), code = joint([input, coordinates], dt.F64)
    axes = x.ndim
    if at.ndim < 1 or at.shape[0] != axes:
        raise ValueError(f"map_coordinates: coordinates of shape {list(at.shape)} for {axes} axes")
    where, floor, clip = FUNCTIONS[np.where], np.floor, FUNCTIONS[np.clip]
    flat, corners = reshape(x, (x.size,)), [(None, None, None)]
    for a in range(axes):
        c, n = getitem(at, a), x.shape[a]
        if order == 0:
            choices = [(floor(c + 0.5), None)]
        else:
            low = floor(c)
            choices = [(low, 1 - (c - low)), (low + 1, c - low)]
        found = []
        for i, w in choices:
            inside = None
            if mode == "constant":
                inside = (i >= 0) & (i <= n - 1)
            elif mode == "wrap":
                i = i - n * floor(i / n)
            elif mode == "mirror" and n > 1:
                i = (n - 1) - abs(i - 2 * (n - 1) * floor(i / (2 * (n - 1))) - (n - 1))
            elif mode == "reflect":
                i = i - 2 * n * floor(i / (2 * n))
                i = where(i >= n, 2 * n - 1 - i, i)
            found.append((clip(i, 0, n - 1).astype(np.int64), w, inside))
        corners = [(j if i is None else i * n + j, v if w is None else w if v is None else w * v, m if k is None else k if m is None else k & m)
                   for i, w, k in corners for j, v, m in found]  # fmt: skip
    out = None
    for index, weight, inside in corners:
        value = FUNCTIONS[np.take](flat, index)
        if inside is not None:
            value = where(inside, value, cval)
        value = value if weight is None else value * weight
        out = value if out is None else out + value
    return out


_map_either = own(_map)
