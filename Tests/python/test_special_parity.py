"""camber.special is scipy.special: values against SciPy, on host arrays and traced, and derivatives by differences."""

import numpy as np
import pytest
import scipy.special as sp

import camber as cb
import camber.special as csp

rng = np.random.default_rng(3)
X = rng.standard_normal((3, 4)) * 2
P = rng.uniform(0.05, 5, (3, 4))
Q = rng.uniform(0.05, 5, (3, 4))
U = rng.uniform(0.01, 0.99, (3, 4))

CASES = {
    "expit": (X,), "log_expit": (X * 10,), "logit": (U,), "erf": (X,), "erfc": (X,), "gammaln": (P,), "digamma": (P,), "psi": (X,), "gamma": (X,), "beta": (P, Q), "betaln": (P, Q),
    "expm1": (X,), "log1p": (P,), "exp2": (X,), "exp10": (X,), "cbrt": (X,), "ndtr": (X,), "log_ndtr": (X * 15,), "xlogy": (np.where(P < 1, 0, P), Q), "xlog1py": (np.where(P < 1, 0, P), Q),
    "entr": (P - 0.3,), "rel_entr": (P, Q), "kl_div": (P, Q), "boxcox": (P, X), "boxcox1p": (P, X), "inv_boxcox": (P, np.abs(X)), "huber": (P, X), "pseudo_huber": (P, X), "exprel": (X,), "cosm1": (X,),
    "erfcx": (X,), "erfinv": (U * 2 - 1,), "erfcinv": (U * 2,), "ndtri": (U,), "gammainc": (P, Q), "gammaincc": (P, Q), "betainc": (P, Q, U), "betaincc": (P, Q, U),
    "i0": (X,), "i1": (X,), "i0e": (X,), "i1e": (X,), "zeta": (P + 1.1, Q), "rgamma": (X,), "gammasgn": (X,), "chdtr": (P, Q), "chdtrc": (P, Q), "gdtr": (P, Q, U * 5), "gdtrc": (P, Q, U * 5),
    "pdtr": (np.floor(P), Q), "pdtrc": (np.floor(P), Q), "fdtr": (P, Q, U * 4), "fdtrc": (P, Q, U * 4), "stdtr": (P, X), "log1mexp": (-P,),
    "sindg": (X * 90,), "cosdg": (X * 90,), "tandg": (X * 20,), "poch": (P, Q), "binom": (P + Q, Q), "radian": (X, X, X), "softplus": (X,),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in CASES if hasattr(sp, n)])
def test_values(name):
    args = CASES[name]
    want = getattr(sp, name)(*args)
    got = getattr(csp, name)(*args)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=3e-13, atol=1e-15)
    np.testing.assert_array_equal(cb.function(getattr(csp, name))(*args), got)
    assert cb.function(getattr(csp, name))(*[a.astype(np.float32) for a in args]).dtype == np.float32


# Operands in which there is no derivative.
NONE = {
    "gammainc": {0}, "gammaincc": {0}, "betainc": {0, 1}, "betaincc": {0, 1}, "zeta": {0}, "chdtr": {0}, "chdtrc": {0}, "gdtr": {1}, "gdtrc": {1}, "pdtr": {0}, "pdtrc": {0},
    "fdtr": {0, 1}, "fdtrc": {0, 1}, "stdtr": {0},
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in CASES if hasattr(sp, n)])
def test_scipys_own_functions_are_traced(name):
    """sp.erf(traced) is csp.erf(traced)."""
    if not isinstance(getattr(sp, name), np.ufunc):
        return
    want = cb.function(getattr(csp, name))(*CASES[name])
    np.testing.assert_array_equal(cb.function(lambda *a: getattr(sp, name)(*a))(*CASES[name]), want)


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, args = getattr(csp, name), CASES[name]
    for k, x in enumerate(args):
        if k in NONE.get(name, ()):
            if name not in ("pdtr", "pdtrc"):
                with pytest.raises(cb.Error, match="has no derivative in operand"):
                    cb.grad(lambda *a: np.sum(f(*a)), argnums=k)(*args)
            continue
        smooth = np.ones_like(x, dtype=bool) if name not in ("xlogy", "xlog1py", "entr", "huber", "gamma", "psi", "rgamma") else (np.abs(x) > 1e-2)
        if name in ("gamma", "psi", "rgamma"):
            smooth &= np.abs(x - np.rint(x)) > 0.05
        if name == "huber":
            smooth &= np.abs(np.abs(args[1]) - args[0]) > 1e-3
        h = 1e-6
        up, down = [[a + s * h if i == k else a for i, a in enumerate(args)] for s in (1, -1)]
        with np.errstate(all="ignore"):
            want = (f(*up) - f(*down)) / (2 * h)
        got = cb.grad(lambda *a: np.sum(f(*a)), argnums=k)(*args)
        smooth &= np.isfinite(want)
        np.testing.assert_allclose(got[smooth], want[smooth], rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_sums(axis):
    np.testing.assert_allclose(csp.logsumexp(X, axis), sp.logsumexp(X, axis), rtol=1e-14)
    np.testing.assert_allclose(csp.logsumexp(X, axis, keepdims=True), sp.logsumexp(X, axis, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(csp.logsumexp(X, axis, b=P), sp.logsumexp(X, axis, b=P), rtol=1e-14)
    np.testing.assert_allclose(csp.logsumexp(X, axis, b=X, return_sign=True), sp.logsumexp(X, axis, b=X, return_sign=True), rtol=1e-12)
    np.testing.assert_allclose(csp.softmax(X, axis), sp.softmax(X, axis), rtol=1e-14)
    np.testing.assert_allclose(csp.log_softmax(X, axis), sp.log_softmax(X, axis), rtol=1e-14, atol=4e-15)


def test_others():
    np.testing.assert_allclose([csp.iv(n, X) for n in range(4)], [sp.iv(n, X) for n in range(4)], rtol=1e-13)
    np.testing.assert_allclose([csp.spherical_jn(n, P) for n in range(4)], [sp.spherical_jn(n, P) for n in range(4)], rtol=1e-12)
    np.testing.assert_allclose(csp.spherical_jn(2, P, True), sp.spherical_jn(2, P, True), rtol=1e-12)
    np.testing.assert_allclose(csp.zeta(P + 1.1), sp.zeta(P + 1.1), rtol=1e-13)
    np.testing.assert_array_equal(csp.gammasgn(np.array([-0.5, -1.5, -2.0, 3.0])), [-1, 1, np.nan, 1])
    assert csp.rgamma(-2.0) == 0 and csp.rgamma(0.0) == 0
    np.testing.assert_allclose([csp.polygamma(n, P) for n in range(4)], [sp.polygamma(n, P) for n in range(4)], rtol=1e-13)
    np.testing.assert_allclose(csp.multigammaln(P + 3, 3), [[sp.multigammaln(v, 3) for v in row] for row in P + 3], rtol=1e-13)
    np.testing.assert_allclose(csp.gelu(X), X * sp.ndtr(X), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(csp.silu(X), X * sp.expit(X), rtol=1e-14)
    np.testing.assert_array_equal(csp.one_hot(np.array([0, 2]), 3), [[1, 0, 0], [0, 0, 1]])
    assert csp.softmax(np.full(3, -np.inf)).tolist() == [0, 0, 0]
    assert cb.grad(lambda x: csp.xlogy(0.0, x))(0.0) == 0.0
    assert len(csp.__all__) >= 40
