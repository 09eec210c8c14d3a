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
from ._dispatch import FUNCTIONS, own
from ._library import lib
from ._tape import cast, joint, lift, made, tape_of
from .numpy import reductions
from .ops import ROWS
from .ops import traced as _row


def _float(x: Any) -> Any:
    x = lift(x)
    return x if x._code in dt.FLOATS else cast(x, dt.F64)


def _by_row(name: str, row: str, text: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        if len(args) != ROWS[row].arity:
            raise TypeError(f"{name}: takes {ROWS[row].arity} operands, not {len(args)}")
        return _row(row, *args)

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
log_expit = _by_row("log_expit", "log_sigmoid", "log(expit(x)), accurate everywhere.")
logit = _by_row("logit", "logit", "log(p / (1 - p)).")
log1mexp = _by_row("log1mexp", "log1mexp", "log(1 - exp(x)), of x <= 0.")
erfcx = _by_row("erfcx", "erfcx", "exp(x**2) erfc(x).")
erfinv = _by_row("erfinv", "erfinv", "The x whose erf it is.")
erfcinv = _by_row("erfcinv", "erfcinv", "The x whose erfc it is.")
ndtr = _by_row("ndtr", "normal_cdf", "The normal distribution function.")
log_ndtr = _by_row("log_ndtr", "log_normal_cdf", "log(ndtr(x)), accurate in both tails.")
ndtri = _by_row("ndtri", "normal_quantile", "The x whose ndtr it is.")
gamma = _by_row("gamma", "gamma", "Gamma(x), with its sign left of 0.")
beta = _by_row("beta", "beta", "Gamma(a) Gamma(b) / Gamma(a + b).")
betaln = _by_row("betaln", "betaln", "log |beta(a, b)|; no digits are lost where a and b are far apart.")
gammainc = _by_row("gammainc", "gammainc", "The regularised lower incomplete gamma function of a, x; differentiable in x.")
gammaincc = _by_row("gammaincc", "gammaincc", "1 - gammainc(a, x), accurate in the tail.")
betainc = _by_row("betainc", "betainc", "The regularised incomplete beta function of a, b, x; differentiable in x.")
xlogy = _by_row("xlogy", "xlogy", "x log(y), and 0 where x is 0.")
xlog1py = _by_row("xlog1py", "xlog1py", "x log(1 + y), and 0 where x is 0.")
i0 = _by_row("i0", "i0", "The modified Bessel function of order 0.")
i1 = _by_row("i1", "i1", "The modified Bessel function of order 1.")
i0e = _by_row("i0e", "i0e", "exp(-|x|) i0(x).")
i1e = _by_row("i1e", "i1e", "exp(-|x|) i1(x).")
iv = _by_row("iv", "iv", "The modified Bessel function of whole order n <= 60; differentiable in x.")


@own
def exp10(x: Any) -> Any:
    """10**x."""
    return _row("pow", 10.0, _float(x))


@own
def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of digamma; n >= 0."""
    return _row("polygamma", n, _float(x))


@own
def zeta(x: Any, q: Any = 1.0) -> Any:
    """The Hurwitz zeta function, the sum of (q + k)**-x; Riemann's without q. Differentiable in q."""
    return _row("zeta", _float(x), _float(q))


@own
def gammasgn(x: Any) -> Any:
    """The sign of gamma(x); NaN at its poles left of 0."""
    x = _float(x)
    odd = _row("ne", _row("mod", _row("floor", x), 2.0), 0.0)
    one = FUNCTIONS[np.ones_like](x)
    size = _row("select", _row("logical_and", _row("lt", x, 0.0), odd), -one, one)
    pole = _row("logical_and", _row("lt", x, 0.0), _row("eq", x, _row("floor", x)))
    return _row("select", pole, math.nan, _row("select", _row("isnan", x), x, size))


@own
def rgamma(x: Any) -> Any:
    """1 / gamma(x), 0 at its poles."""
    x = _float(x)
    pole = _row("logical_and", _row("le", x, 0.0), _row("eq", x, _row("floor", x)))
    return _row("select", pole, 0.0, _row("reciprocal", _row("gamma", _row("select", pole, 1.0, x))))


@own
def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The spherical Bessel function of the first kind, of whole order n <= 60, or its derivative; differentiable in z."""
    n, z = _float(n), _float(z)
    if not derivative:
        return _row("spherical_jn", n, z)
    below, above = _row("spherical_jn", _row("abs", n - 1.0), z), _row("spherical_jn", n + 1.0, z)
    return (n * below - (n + 1.0) * above) / (2.0 * n + 1.0)


@own
def betaincc(a: Any, b: Any, x: Any) -> Any:
    """1 - betainc(a, b, x)."""
    return _row("betainc", b, a, 1.0 - _float(x))


@own
def chdtr(v: Any, x: Any) -> Any:
    """The chi-square distribution function with v degrees of freedom."""
    return _row("gammainc", 0.5 * _float(v), 0.5 * _float(x))


@own
def chdtrc(v: Any, x: Any) -> Any:
    """1 - chdtr(v, x)."""
    return _row("gammaincc", 0.5 * _float(v), 0.5 * _float(x))


@own
def gdtr(a: Any, b: Any, x: Any) -> Any:
    """The distribution function of the gamma distribution with rate a and shape b."""
    return _row("gammainc", b, _float(a) * _float(x))


@own
def gdtrc(a: Any, b: Any, x: Any) -> Any:
    """1 - gdtr(a, b, x)."""
    return _row("gammaincc", b, _float(a) * _float(x))


@own
def pdtr(k: Any, m: Any) -> Any:
    """The distribution function of Poisson's distribution with mean m."""
    return _row("gammaincc", _row("floor", _float(k)) + 1.0, m)


@own
def pdtrc(k: Any, m: Any) -> Any:
    """1 - pdtr(k, m)."""
    return _row("gammainc", _row("floor", _float(k)) + 1.0, m)


@own
def fdtr(dfn: Any, dfd: Any, x: Any) -> Any:
    """The distribution function of the F distribution."""
    dfn, dfd, x = _float(dfn), _float(dfd), _float(x)
    return _row("betainc", 0.5 * dfn, 0.5 * dfd, dfn * x / (dfd + dfn * x))


@own
def fdtrc(dfn: Any, dfd: Any, x: Any) -> Any:
    """1 - fdtr(dfn, dfd, x)."""
    dfn, dfd, x = _float(dfn), _float(dfd), _float(x)
    return _row("betainc", 0.5 * dfd, 0.5 * dfn, dfd / (dfd + dfn * x))


@own
def stdtr(df: Any, t: Any) -> Any:
    """Student's distribution function."""
    df, t = _float(df), _float(t)
    s = _row("square", t)
    tail = 0.5 * _row("betainc", 0.5 * df, 0.5, df / (df + s))
    return _row("select", _row("lt", t, 0.0), tail, 1.0 - tail)


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


# ---- Entropies ---------------------------------------------------------------------------------------------------------------


@own
def entr(x: Any) -> Any:
    """-x log(x); 0 at 0 and -inf below."""
    x = _float(x)
    return _row("select", _row("lt", x, 0.0), -math.inf, -_row("xlogy", x, x))


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
