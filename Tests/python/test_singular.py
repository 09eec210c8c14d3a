"""Gradients at masked and singular points, right by default: 30 cases, most of which JAX and others give a NaN for; and 20 expressions that overflow or cancel,
right after `stabilize`."""

import mpmath
import numpy as np
import pytest

import camber as cb

sp = cb.special
inf = np.inf
E3 = np.eye(3)


def _gather_masked(x):
    return np.sum(np.where(np.array([True, False, True]), 1 / x, 0.0))


MASKED = [
    ("where over sqrt", lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)), [np.array([0.0, 4.0])], [0, 0.25]),
    ("where over log", lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), [np.array([0.0, 2.0])], [0, 0.5]),
    ("where over a quotient", _gather_masked, [np.array([2.0, 0.0, 1.0])], [-0.25, 0, -1]),
    ("where over pow", lambda x: np.sum(np.where(x > 0, x**0.3, 0.0)), [np.array([0.0, 1.0])], [0, 0.3]),
    ("where over exp", lambda x: np.sum(np.where(x < 100, np.exp(x), 0.0)), [np.array([1000.0, 0.0])], [0, 1]),
    ("where over arcsin", lambda x: np.sum(np.where(np.abs(x) < 1, np.arcsin(x), 0.0)), [np.array([1.0, 0.0])], [0, 1]),
    ("a mask times a NaN in a chain", lambda x: np.sum(np.where(x > 0, np.sin(np.log(x)) * x, x)), [np.array([0.0, 1.0])], [1, 1]),
    ("nested where", lambda x: np.sum(np.where(x > 0, np.where(x > 1, np.sqrt(x - 1), x), 0.0)), [np.array([-1.0, 0.5, 1.0, 2.0])], [0, 1, 1, 0.5]),
    ("clip before sqrt", lambda x: np.sum(np.sqrt(np.clip(x, 1.0, 4.0))), [np.array([0.0, 2.25, 9.0])], [0, 1 / 3, 0]),
    ("max of what is infinite elsewhere", lambda x: np.max(np.where(x > 0, np.log(x), -inf)), [np.array([0.0, 2.0])], [0, 0.5]),
    ("slice past a singular element", lambda x: np.sum(np.sqrt(x)[1:]), [np.array([0.0, 4.0])], [0, 0.25]),
    ("gather past a singular element", lambda x: np.sqrt(x)[np.array([1, 1])].sum(), [np.array([0.0, 4.0])], [0, 0.5]),
    ("relu before log", lambda x: np.sum(np.where(x > 0, np.log(np.maximum(x, 0)), 0.0)), [np.array([-1.0, 2.0])], [0, 0.5]),
    ("masked softmax", lambda x: sp.softmax(np.where(np.array([True, False, True]), x, -inf))[0], [np.array([0.0, 5.0, 0.0])], [0.25, 0, -0.25]),
    ("softmax of a row masked wholly", lambda x: np.sum(sp.softmax(np.where(np.zeros(3, bool), x, -inf))), [np.ones(3)], [0, 0, 0]),
    ("masked logsumexp", lambda x: sp.logsumexp(np.where(np.array([True, False]), x, -inf)), [np.array([1.0, 2.0])], [1, 0]),
    ("logsumexp of nothing", lambda x: np.sum(np.where(np.isfinite(x), 0.0, sp.logsumexp(x) * 0)) + sp.logsumexp(np.where(x > 9, x, -inf)), [np.ones(2)], [0, 0]),
    ("norm at 0", lambda x: np.linalg.norm(x), [np.zeros(3)], [0, 0, 0]),
    ("norm of a difference at 0", lambda x: np.linalg.norm(x - x[::-1]), [np.ones(2)], [0, 0]),
    ("hypot at 0", lambda x: np.hypot(x[0], x[1]), [np.zeros(2)], [0, 0]),
    ("std of equal values", lambda x: np.std(x), [np.ones(3)], [0, 0, 0]),
    ("abs at 0", lambda x: np.sum(np.abs(x)), [np.zeros(2)], [0, 0]),
    ("square of norm at 0", lambda x: np.linalg.norm(x) ** 2, [np.zeros(2)], [0, 0]),
    ("pow(0, 2)", lambda x: np.sum(x**2.0), [np.zeros(2)], [0, 0]),
    ("pow(0, 1)", lambda x: np.sum(x ** np.ones(2)), [np.zeros(2)], [1, 1]),
    ("pow(0, 0)", lambda x: np.sum(x ** np.zeros(2)), [np.zeros(2)], [0, 0]),
    ("the exponent of pow(0, y)", lambda y: np.sum(np.zeros(2) ** y), [np.array([2.0, 0.5])], [0, 0]),
    ("xlogy(0, 0)", lambda x: np.sum(sp.xlogy(x, np.zeros(2))) if False else np.sum(sp.xlogy(np.zeros(2), x)), [np.zeros(2)], [0, 0]),
    ("sinc at 0", lambda x: np.sum(np.sinc(x)), [np.zeros(2)], [0, 0]),
    ("product with a zero", lambda x: np.prod(x), [np.array([2.0, 0.0, 3.0])], [0, 6, 0]),
    ("product with two zeros", lambda x: np.prod(x), [np.array([0.0, 0.0, 3.0])], [0, 0, 0]),
    ("arctan2(0, 0)", lambda x: np.arctan2(x[0], x[1]), [np.zeros(2)], [0, 0]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, f, args, want", MASKED, ids=[m[0] for m in MASKED])
def test_masked_and_singular(name, f, args, want):
    got = cb.grad(f)(*args)
    assert np.allclose(got, want, rtol=1e-14, atol=1e-14), (got, want)
    # Forward mode says the same.
    n = len(args[0])
    forward = [float(cb.jvp(f, args, (np.eye(n)[i],))[1]) for i in range(n)]
    assert np.allclose(forward, want, rtol=1e-14, atol=1e-14), ("forward", forward, want)


mp = mpmath
OVERFLOWING = [
    ("log of a sum of exponentials", lambda x: np.log(1 + np.exp(x)), 800.0, lambda x: mp.log1p(mp.exp(x))),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), -800.0, lambda x: 1 / (1 + mp.exp(-x))),
    ("tanh by exponentials", lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), 800.0, mp.tanh),
    ("log sigmoid", lambda x: np.log(1 / (1 + np.exp(-x))), -800.0, lambda x: -mp.log1p(mp.exp(-x))),
    ("log cosh", lambda x: np.log(np.cosh(x)), 800.0, lambda x: mp.log(mp.cosh(x))),
    ("hypotenuse", lambda x: np.sqrt(x**2 + 1e300), 1e200, lambda x: mp.sqrt(x * x + mp.mpf(1e300))),
    ("asinh by log", lambda x: np.log(x + np.sqrt(x**2 + 1)), 1e200, mp.asinh),
    ("asinh by log, left", lambda x: np.log(x + np.sqrt(x**2 + 1)), -1e8, mp.asinh),
    ("product of exponentials", lambda x: np.exp(x) * np.exp(-x + 1), 800.0, lambda x: mp.e + 0 * x),
    ("quotient of exponentials", lambda x: np.exp(2 * x) / np.exp(x + 300), 500.0, lambda x: mp.exp(x - 300)),
    ("exp - 1", lambda x: np.exp(x) - 1, 1e-12, mp.expm1),
    ("log(1 + x)", lambda x: np.log(1 + x), 1e-12, mp.log1p),
    ("1 - cos", lambda x: (1 - np.cos(x)) / x**2, 1e-6, lambda x: 2 * (mp.sin(x / 2) / x) ** 2),
    ("roots", lambda x: np.sqrt(x + 1) - np.sqrt(x), 1e12, lambda x: mp.sqrt(x + 1) - mp.sqrt(x)),
    ("(e^x - 1)/x", lambda x: (np.exp(x) - 1) / x, 1e-9, lambda x: mp.expm1(x) / x),
    ("1 - tanh^2", lambda x: 1 - np.tanh(x) ** 2, 25.0, lambda x: mp.sech(x) ** 2),
    ("log erfc", lambda x: np.log(1 - cb.ops.erf(x)), 30.0, lambda x: mp.log(mp.erfc(x))),
    ("reciprocals", lambda x: 1 / x - 1 / (x + 1), 1e9, lambda x: 1 / (x * (x + 1))),
    ("arctangents", lambda x: np.arctan(x + 1) - np.arctan(x), 1e7, lambda x: mp.atan(1 / (1 + x * (x + 1)))),
    ("compound interest", lambda x: (1 + x) ** 365.0 - 1, 1e-12, lambda x: (1 + x) ** 365 - 1),
]  # fmt: skip


def test_overflowing_and_cancelling():
    right, wrong = 0, []
    for name, f, x, truth in OVERFLOWING:
        g = cb.stabilize(f, x)
        with mpmath.workprec(600):
            h = mp.mpf(x) * mp.mpf(2) ** -200
            slope, value = (truth(mp.mpf(x) + h) - truth(mp.mpf(x) - h)) / (2 * h), truth(mp.mpf(x))
            ok = all((abs(got - want) <= 1e-13 * abs(want) or abs(want) < 1e-300 and abs(got) < 1e-300) for got, want in ((mp.mpf(float(g(x))), value), (mp.mpf(float(cb.grad(g)(x))), slope)))
        right += ok
        if not ok:
            wrong.append((name, float(g(x)), mpmath.nstr(value, 17), float(cb.grad(g)(x)), mpmath.nstr(slope, 17), [str(r) for r in g.log]))
    assert right == 20, wrong
    assert len(OVERFLOWING) == 20 and len(MASKED) >= 30
