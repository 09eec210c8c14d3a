"""NumPy's element-by-element functions: rows under NumPy's names, and the functions composed of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, UFUNCS, either, implements, own
from .._errors import DtypeError
from .._tape import cast, joint, lift

# ---- Rows ----------------------------------------------------------------------------------------------------------------

# NumPy's name where it is not the row's own.
RENAMED = {
    "negative": "neg", "absolute": "abs", "rint": "round", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "subtract": "sub", "multiply": "mul", "divide": "div",
    "arctan2": "atan2", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "fabs": "abs", "remainder": "mod",
}  # fmt: skip
_SAME = [name for name in ops.ROWS if isinstance(getattr(np, name, None), np.ufunc) and name not in ("pow", "round", "abs")]
ROW_NAMES: dict[str, str] = {name: name for name in _SAME} | RENAMED
_INTEGER_IDENTITY = ("floor", "ceil", "trunc")


def _by_row(name: str) -> Callable[..., Any]:
    row = ops.ROWS[ROW_NAMES[name]]

    def call(*args: Any) -> Any:
        return ops.traced(row.name, *args)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``np.{name}``: the row ``{row.name}``."
    return call


for _name in ROW_NAMES:
    globals()[_name] = implements(getattr(np, _name))(_by_row(_name))


def _rounding(name: str) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        return x if x._code in dt.INTEGERS or x._code == dt.BOOL else ops.traced(ROW_NAMES[name], x)

    call.__name__ = name
    call.__doc__ = f"``np.{name}``; integers stay as they are."
    return call


for _name in _INTEGER_IDENTITY:
    globals()[_name] = implements(getattr(np, _name))(_rounding(_name))

true_divide = globals()["divide"]
abs = globals()["absolute"]
acos, asin, atan, acosh, asinh, atanh, atan2 = (
    globals()[name] for name in ("arccos", "arcsin", "arctan", "arccosh", "arcsinh", "arctanh", "arctan2")
)
UFUNCS[np.fabs] = lambda x: ops.traced("abs", _floating(x))


def _floating(x: Any) -> Any:
    x = lift(x)
    return x if x._code in dt.FLOATS else cast(x, dt.F64)


# ---- Arithmetic ----------------------------------------------------------------------------------------------------------


@implements(np.positive)
def positive(x: Any) -> Any:
    """``np.positive``."""
    return x


@implements(np.power)
def power(x: Any, y: Any) -> Any:
    """``np.power``. Exponents 2, 1/2 and -1 are square, sqrt and reciprocal; integer bases want a constant exponent >= 0."""
    exponent = y.item() if isinstance(y, (np.generic, np.ndarray)) and y.ndim == 0 else y
    if type(exponent) in (bool, int, float):
        if not isinstance(y, (np.generic, np.ndarray)):
            code = joint([x, exponent])[1]
        else:
            code = joint([x, y])[1]
        if code in dt.INTEGERS or code == dt.BOOL:
            return _integer_power(x, int(exponent), code)
        x = cast(lift(x), code)
        if exponent in _SHORT:
            return _SHORT[exponent](x)
        return ops.traced("pow", x, float(exponent))
    if joint([x, y])[1] not in dt.FLOATS:
        raise DtypeError("power: an integer array to the power of an array of integers is not traced; use floats")
    return ops.traced("pow", x, y)


pow = power
_SHORT: dict[float, Callable[[Any], Any]] = {
    1.0: lambda x: x, 2.0: partial(ops.traced, "square"), 0.5: partial(ops.traced, "sqrt"), -1.0: partial(ops.traced, "reciprocal"),
}  # fmt: skip


def _integer_power(x: Any, exponent: int, code: int) -> Any:
    if exponent < 0:
        raise ValueError("Integers to negative integer powers are not allowed.")
    x = cast(x, dt.I64 if code == dt.BOOL else code)
    result = None
    while exponent:
        if exponent & 1:
            result = x if result is None else ops.traced("mul", result, x)
        exponent >>= 1
        if exponent:
            x = ops.traced("square", x)
    return result if result is not None else FUNCTIONS[np.ones_like](x)


@implements(np.float_power)
def float_power(x: Any, y: Any) -> Any:
    """``np.float_power``: in f64."""
    return ops.traced("pow", cast(lift(x), dt.F64), cast(lift(y), dt.F64))


floor_divide, remainder = globals()["floor_divide"], globals()["remainder"]
mod = remainder


@implements(np.divmod)
def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """``np.divmod``."""
    return floor_divide(x, y), remainder(x, y)


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """``np.modf``: fraction and whole part."""
    whole = ops.traced("trunc", x)
    return ops.traced("sub", x, whole), whole


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **_: Any) -> Any:
    """``np.clip``. At a bound the derivative is shared, outside it is zero."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if low is not None:
        a = ops.traced("maximum", a, low)
    return a if high is None else ops.traced("minimum", a, high)


@implements(np.copysign)
def copysign(x: Any, y: Any) -> Any:
    """``np.copysign``."""
    (x, y), code = joint([x, y])
    if code not in dt.FLOATS:
        x, y = cast(x, dt.F64), cast(y, dt.F64)
    return ops.traced("select", ops.traced("logical_xor", signbit(x), signbit(y)), ops.traced("neg", x), x)


@implements(np.signbit)
def signbit(x: Any) -> Any:
    """``np.signbit`` (a NaN counts as positive)."""
    x = _floating(x)
    below_zero = ops.traced("lt", ops.traced("reciprocal", x), 0.0)
    return ops.traced("logical_or", ops.traced("lt", x, 0.0), ops.traced("logical_and", ops.traced("eq", x, 0.0), below_zero))


@implements(np.heaviside)
def heaviside(x: Any, at_zero: Any) -> Any:
    """``np.heaviside``; derivative zero in x."""
    x = _floating(x)
    step = cast(ops.traced("ge", x, 0.0), x._code)
    step = ops.traced("select", ops.traced("isnan", x), x, step)
    return ops.traced("select", ops.traced("eq", x, 0.0), at_zero, step)


@implements(np.deg2rad)
def deg2rad(x: Any) -> Any:
    """``np.deg2rad``."""
    return ops.traced("mul", _floating(x), np.pi / 180)


@implements(np.rad2deg)
def rad2deg(x: Any) -> Any:
    """``np.rad2deg``."""
    return ops.traced("mul", _floating(x), 180 / np.pi)


radians, degrees = deg2rad, rad2deg
UFUNCS[np.radians], UFUNCS[np.degrees] = UFUNCS[np.deg2rad], UFUNCS[np.rad2deg]


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """``np.sinc``: sin(pi x) / (pi x), 1 at 0, with derivatives there too."""
    return ops.traced("sinc", x)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """``np.nan_to_num``."""
    if x._code not in dt.FLOATS:
        return x
    limit = float(np.finfo(x.dtype).max) if x._code != dt.BF16 else 3.3895313892515355e38
    high, low = (limit if posinf is None else posinf), (-limit if neginf is None else neginf)
    out = ops.traced("select", ops.traced("isnan", x), float(nan), x)
    out = ops.traced("select", ops.traced("eq", x, np.inf), float(high), out)
    return ops.traced("select", ops.traced("eq", x, -np.inf), float(low), out)


@implements(np.round)
def round(x: Any, decimals: int = 0) -> Any:
    """``np.round``: to even."""
    if x._code not in dt.FLOATS:
        return x
    scale = 10.0**decimals
    return ops.traced("round", x) if decimals == 0 else ops.traced("div", ops.traced("round", ops.traced("mul", x, scale)), scale)


around = round
FUNCTIONS[np.around] = FUNCTIONS[np.round]


@implements(np.fix)
def fix(x: Any) -> Any:
    """``np.fix``: towards zero."""
    return UFUNCS[np.trunc](x)


# ---- Tests and logic -----------------------------------------------------------------------------------------------------


@implements(np.isinf)
def isinf(x: Any) -> Any:
    """``np.isinf``."""
    return ops.traced("eq", ops.traced("abs", _floating(x)), np.inf)


@implements(np.isposinf)
def isposinf(x: Any) -> Any:
    """``np.isposinf``."""
    return ops.traced("eq", _floating(x), np.inf)


@implements(np.isneginf)
def isneginf(x: Any) -> Any:
    """``np.isneginf``."""
    return ops.traced("eq", _floating(x), -np.inf)


def _bitwise(name: str, row: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        _, code = joint(args)
        if code != dt.BOOL:
            raise DtypeError(f"{name}: traced for bool only, not {dt.NAMES[code]}")
        return ops.traced(row, *args)

    call.__name__ = name
    call.__doc__ = f"``np.{name}`` of bool."
    return call


bitwise_and = implements(np.bitwise_and)(_bitwise("bitwise_and", "logical_and"))
bitwise_or = implements(np.bitwise_or)(_bitwise("bitwise_or", "logical_or"))
bitwise_xor = implements(np.bitwise_xor)(_bitwise("bitwise_xor", "logical_xor"))
invert = bitwise_not = implements(np.invert)(_bitwise("invert", "logical_not"))


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """``np.isclose``."""
    (a, b), _ = joint([a, b])
    near = ops.traced("le", ops.traced("abs", a - b), atol + rtol * ops.traced("abs", b))
    near = ops.traced("logical_and", near, ops.traced("isfinite", b))
    near = ops.traced("logical_or", near, ops.traced("eq", a, b))
    if equal_nan:
        near = ops.traced("logical_or", near, ops.traced("logical_and", ops.traced("isnan", a), ops.traced("isnan", b)))
    return near


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """``np.where(condition, x, y)``; what is not chosen contributes no gradient, even where it is not finite."""
    if x is None or y is None:
        raise TypeError("where: with the condition alone the result's shape depends on it; give x and y")
    return ops.traced("select", condition, x, y)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """``np.select``: the first condition that holds chooses."""
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        out = ops.traced("select", condition, choice, out)
    return out


@implements(np.real)
def real(x: Any) -> Any:
    """``np.real``."""
    return x


@implements(np.conjugate)
def conj(x: Any) -> Any:
    """``np.conj``: x itself."""
    return x


conjugate = conj


@own
def relu(x: Any) -> Any:
    """max(x, 0); the derivative at 0 is 0."""
    return ops.traced("relu", x)


@implements(np.frexp, np.spacing, np.nextafter)
def _no(*_: Any) -> Any:
    """Not traced."""
    raise TypeError("np.frexp, np.spacing and np.nextafter look at bits; they cannot be traced")


for _function in (np.frexp, np.spacing, np.nextafter):
    UFUNCS[_function].refuses = True  # type: ignore[attr-defined]


ceil, floor, trunc, rint = (globals()[name] for name in ("ceil", "floor", "trunc", "rint"))
hypot = either(UFUNCS[np.hypot], np.hypot)
isnan, isfinite = globals()["isnan"], globals()["isfinite"]
__all__ = [name for name in list(globals()) if not name.startswith("_") and callable(globals()[name]) and hasattr(np, name)] + ["relu"]
