"""scipy.special's functions, of traced values and of host arrays: exact derivatives where they are differentiable.

>>> import numpy as np, camber as cb, camber.special as csp
>>> cb.grad(csp.expit)(0.0)
np.float64(0.25)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtypes as dt
from ._dispatch import FUNCTIONS, UFUNCS, own
from ._library import lib
from ._tape import cast, joint, lift, made, tape_of
from .numpy import reductions
from .ops import traced as _row


def _float(x: Any) -> Any:
    x = lift(x)
    return x if x._code in dt.FLOATS else cast(x, dt.F64)


def _by_row(name: str, row: str, text: str) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        return _row(row, x)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = text
    return own(call)


expit = _by_row("expit", "sigmoid", "1 / (1 + exp(-x)).")
erf = _by_row("erf", "erf", "The error function.")
erfc = _by_row("erfc", "erfc", "1 - erf(x), accurate in the tail.")
gammaln = _by_row("gammaln", "lgamma", "log |Gamma(x)|.")
digamma = psi = _by_row("digamma", "digamma", "The derivative of gammaln.")
expm1 = _by_row("expm1", "expm1", "exp(x) - 1, accurate near 0.")
log1p = _by_row("log1p", "log1p", "log(1 + x), accurate near 0.")
exp2 = _by_row("exp2", "exp2", "2**x.")
cbrt = _by_row("cbrt", "cbrt", "The real cube root.")
softplus = _by_row("softplus", "softplus", "log(1 + exp(x)).")
gelu = _by_row("gelu", "gelu", "x Phi(x), Phi the normal distribution.")
silu = _by_row("silu", "silu", "x expit(x).")
relu = _by_row("relu", "relu", "max(x, 0).")


@own
def exp10(x: Any) -> Any:
    """10**x."""
    return _row("pow", 10.0, _float(x))


@own
def log_expit(x: Any) -> Any:
    """log(expit(x)), accurate everywhere."""
    return -_row("softplus", -_float(x))


@own
def logit(p: Any) -> Any:
    """log(p / (1 - p))."""
    p = _float(p)
    middle = _row("log1p", (p - 0.5) / 0.5) - _row("log1p", -(p - 0.5) / 0.5)
    inside = _row("logical_and", _row("ge", p, 0.3), _row("le", p, 0.65))
    return _row("select", inside, middle, _row("log", p / (1.0 - p)))


@own
def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of digamma; n >= 0."""
    return _row("polygamma", n, _float(x))


@own
def gamma(x: Any) -> Any:
    """Gamma(x) from its logarithm, with its sign: good to |log Gamma| ulp."""
    x = _float(x)
    odd = _row("ne", UFUNCS[np.remainder](_row("floor", x), 2.0), 0.0)
    size = _row("exp", _row("lgamma", x))
    return _row("select", _row("logical_and", _row("lt", x, 0.0), odd), -size, size)


@own
def beta(a: Any, b: Any) -> Any:
    """Gamma(a) Gamma(b) / Gamma(a + b), of positive numbers."""
    return _row("exp", betaln(a, b))


@own
def betaln(a: Any, b: Any) -> Any:
    """log |beta(a, b)|."""
    (a, b), _ = joint([_float(a), _float(b)])
    return _row("lgamma", a) + _row("lgamma", b) - _row("lgamma", a + b)


@own
def multigammaln(a: Any, d: int) -> Any:
    """log of the multivariate gamma function."""
    a = _float(a)
    total = d * (d - 1) * 0.25 * math.log(math.pi) + _row("lgamma", a)
    for j in range(1, d):
        total = total + _row("lgamma", a - 0.5 * j)
    return total


@own
def poch(z: Any, m: Any) -> Any:
    """Gamma(z + m) / Gamma(z), of positive numbers."""
    z, m = _float(z), _float(m)
    return _row("exp", _row("lgamma", z + m) - _row("lgamma", z))


@own
def binom(n: Any, k: Any) -> Any:
    """The binomial coefficient, of real n >= k >= 0."""
    n, k = _float(n), _float(k)
    return _row("exp", _row("lgamma", n + 1.0) - _row("lgamma", k + 1.0) - _row("lgamma", n - k + 1.0))


# ---- Normal distribution -----------------------------------------------------------------------------------------------------


@own
def ndtr(x: Any) -> Any:
    """The normal distribution function."""
    return 0.5 * _row("erfc", _float(x) * -math.sqrt(0.5))


@own
def log_ndtr(x: Any) -> Any:
    """log(ndtr(x)); far out (x < -20) by its asymptotic series."""
    x = _float(x)
    far = _row("lt", x, -20.0)
    tail = _row("select", far, x, -20.0)
    s = _row("reciprocal", _row("square", tail))
    series = 1.0 + s * (-1.0 + s * (3.0 + s * (-15.0 + s * (105.0 + s * (-945.0 + s * (10395.0 - s * 135135.0))))))
    outer = -0.5 * _row("square", tail) - _row("log", -tail) - 0.5 * math.log(2 * math.pi) + _row("log", series)
    near = _row("select", far, -20.0, x)
    half = 0.5 * _row("erfc", _row("abs", near) * math.sqrt(0.5))
    inner = _row("select", _row("lt", near, 0.0), _row("log", half), _row("log1p", -half))
    return _row("select", far, outer, inner)


# ---- Entropies ---------------------------------------------------------------------------------------------------------------


def _times_log(x: Any, y: Any, log: str) -> Any:
    (x, y), code = joint([_float(x), _float(y)])
    (x, y), _ = joint([x, y], code)
    zero = _row("logical_and", _row("eq", x, 0.0), _row("logical_not", _row("isnan", y)))
    return _row("select", zero, 0.0, _row("mul", x, _row(log, _row("select", zero, 1.0, y))))


@own
def xlogy(x: Any, y: Any) -> Any:
    """x log(y), and 0 where x is 0."""
    return _times_log(x, y, "log")


@own
def xlog1py(x: Any, y: Any) -> Any:
    """x log(1 + y), and 0 where x is 0."""
    return _times_log(x, y, "log1p")


@own
def entr(x: Any) -> Any:
    """-x log(x); 0 at 0 and -inf below."""
    x = _float(x)
    return _row("select", _row("lt", x, 0.0), -math.inf, -_times_log(x, x, "log"))


@own
def rel_entr(x: Any, y: Any) -> Any:
    """x log(x / y); 0 where x is 0 and y >= 0, inf elsewhere outside x, y > 0."""
    (x, y), _ = joint([_float(x), _float(y)])
    good = _row("logical_and", _row("gt", x, 0.0), _row("gt", y, 0.0))
    zero = _row("logical_and", _row("eq", x, 0.0), _row("ge", y, 0.0))
    value = x * (_row("log", _row("select", good, x, 1.0)) - _row("log", _row("select", good, y, 1.0)))
    return _row("select", zero, 0.0, _row("select", good, value, math.inf))


@own
def kl_div(x: Any, y: Any) -> Any:
    """x log(x / y) - x + y."""
    (x, y), _ = joint([_float(x), _float(y)])
    finite = rel_entr(x, y)
    return _row("select", _row("isfinite", finite), finite - x + y, finite)


# ---- Sums --------------------------------------------------------------------------------------------------------------------


@own
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(sum(b exp(a))). With all -inf: -inf, gradient 0. `b` scales; negative sums give NaN, or a sign with `return_sign`."""
    a = _float(a)
    if b is None:
        out = reductions.reduce("logsumexp", a, axis, keepdims)
        return (out, FUNCTIONS[np.ones_like](out)) if return_sign else out
    (a, b), _ = joint([a, b])
    a, b = FUNCTIONS[np.broadcast_arrays](a, b)
    a = _row("select", _row("eq", b, 0.0), -math.inf, a)
    top = reductions.reduce("max", _row("stop_gradient", a), axis, True)
    top = _row("select", _row("isfinite", top), top, 0.0)
    total = FUNCTIONS[np.sum](b * _row("exp", a - top), axis=axis, keepdims=keepdims)
    shape = total.shape
    size = _row("log", _row("abs", total) if return_sign else total) + FUNCTIONS[np.reshape](top, shape)
    return (size, _row("sign", total)) if return_sign else size


def _along(name: str, x: Any, axis: Any) -> Any:
    x = _float(x)
    if x.ndim == 0:
        return _along_scalar(name, x)
    if axis is None or isinstance(axis, (tuple, list)):
        if axis is None:
            return FUNCTIONS[np.reshape](_along(name, FUNCTIONS[np.ravel](x), 0), x.shape)
        total = reductions.reduce("logsumexp", x, axis, True)
        return x - total if name == "log_softmax" else _row("exp", x - total)
    (at,) = reductions.axes_of(x, axis)
    tape = tape_of((x,))
    return made(tape, getattr(lib, name)(tape.handle, x._node, at), x.shape, x._code)


def _along_scalar(name: str, x: Any) -> Any:
    """softmax of one number."""
    return FUNCTIONS[np.reshape](_along(name, FUNCTIONS[np.reshape](x, (1,)), 0), ())


@own
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)) along axes; a row that is -inf throughout gives 0."""
    return _along("softmax", x, axis)


@own
def log_softmax(x: Any, axis: Any = None) -> Any:
    """log(softmax(x))."""
    return _along("log_softmax", x, axis)


# ---- Others ------------------------------------------------------------------------------------------------------------------


@own
def boxcox(x: Any, lmbda: Any) -> Any:
    """(x**lmbda - 1) / lmbda, log(x) at lmbda 0."""
    (x, k), _ = joint([_float(x), _float(lmbda)])
    small = _row("lt", _row("abs", k), 1e-19)
    safe = _row("select", small, 1.0, k)
    return _row("select", small, _row("log", x), _row("expm1", safe * _row("log", x)) / safe)


@own
def boxcox1p(x: Any, lmbda: Any) -> Any:
    """((1 + x)**lmbda - 1) / lmbda."""
    (x, k), _ = joint([_float(x), _float(lmbda)])
    small = _row("lt", _row("abs", k), 1e-19)
    safe = _row("select", small, 1.0, k)
    return _row("select", small, _row("log1p", x), _row("expm1", safe * _row("log1p", x)) / safe)


@own
def inv_boxcox(y: Any, lmbda: Any) -> Any:
    """The x that boxcox takes to y."""
    (y, k), _ = joint([_float(y), _float(lmbda)])
    small = _row("eq", k, 0.0)
    safe = _row("select", small, 1.0, k)
    return _row("select", small, _row("exp", y), _row("exp", _row("log1p", safe * y) / safe))


@own
def huber(delta: Any, r: Any) -> Any:
    """r**2 / 2 inside delta, linear outside."""
    (delta, r), _ = joint([_float(delta), _float(r)])
    size = _row("abs", r)
    out = _row("select", _row("le", size, delta), 0.5 * _row("square", r), delta * (size - 0.5 * delta))
    return _row("select", _row("lt", delta, 0.0), math.inf, out)


@own
def pseudo_huber(delta: Any, r: Any) -> Any:
    """delta**2 (sqrt(1 + (r / delta)**2) - 1)."""
    (delta, r), _ = joint([_float(delta), _float(r)])
    s = _row("square", r / delta)
    return _row("square", delta) * s / (1.0 + _row("sqrt", 1.0 + s))


@own
def exprel(x: Any) -> Any:
    """(exp(x) - 1) / x, 1 at 0, with derivatives there."""
    x = _float(x)
    small = _row("lt", _row("abs", x), 1e-3)
    safe = _row("select", small, 1.0, x)
    series = 1.0 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720)))))
    return _row("select", small, series, _row("expm1", safe) / safe)


@own
def cosm1(x: Any) -> Any:
    """cos(x) - 1, accurate near 0."""
    return -2.0 * _row("square", _row("sin", 0.5 * _float(x)))


def _degrees(name: str, row: str) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        return _row(row, _float(x) * (math.pi / 180))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{row} of an angle in degrees."
    return own(call)


sindg, cosdg, tandg = _degrees("sindg", "sin"), _degrees("cosdg", "cos"), _degrees("tandg", "tan")


@own
def radian(d: Any, m: Any, s: Any) -> Any:
    """Degrees, minutes and seconds in radians."""
    return (_float(d) + _float(m) / 60.0 + _float(s) / 3600.0) * (math.pi / 180)


@own
def one_hot(indices: Any, depth: int, dtype: Any = "f64") -> Any:
    """1 where the index equals the place along a new last axis of length `depth`, else 0."""
    code = dt.code_of(dtype)
    indices = lift(indices)
    tape = tape_of((indices,))
    return made(tape, lib.one_hot(tape.handle, indices._node, depth, code), (*indices.shape, depth), code)


_PUBLIC = [name for name, value in globals().items() if callable(value) and getattr(value, "__module__", "") == __name__]
__all__ = [name for name in _PUBLIC if not name.startswith("_")]
