"""Stable rewritings: every rule found as a user would write it, made where it helps, right to the last digits; values and derivatives against mpmath at 2,400 bits."""

import os

import mpmath
import numpy as np
import pytest

import camber as cb

U = 2.0**-53
FULL = os.environ.get("CAMBER_SEEDS") is not None
sp = cb.special
nx, mp = np, mpmath


def logs(low, high, n=24, sign=False, seed=0):
    """Magnitudes spread evenly over powers of ten."""
    r = np.random.default_rng(seed)
    x = 10 ** r.uniform(low, high, n)
    return x * r.choice([-1, 1], n) if sign else x


def uniform(low, high, n=24, seed=0):
    return np.random.default_rng(seed).uniform(low, high, n)


def _phi(x):
    return mp.ncdf(x)


def _sig(x):
    return 1 / (1 + mp.exp(-x))


# rule: expressions (as recorded), the truth in mpmath, samples by argument.
CASES = [
    (1, [lambda x: nx.log(1 + x), lambda x: nx.log(x + 1.0), lambda x: nx.log(x - (-1)), lambda x: nx.log2(1 + x) * np.log(2)], lambda x: mp.log(1 + x), [logs(-18, 2)]),
    (2, [lambda x: nx.exp(x) - 1, lambda x: -1 + nx.exp(x), lambda x: -(1 - nx.exp(x))], lambda x: mp.exp(x) - 1, [logs(-18, 1, sign=True)]),
    (3, [lambda x: nx.log(1 + nx.exp(x)), lambda x: nx.log1p(nx.exp(x)), lambda x: nx.log(nx.exp(x) + 1)], lambda x: mp.log1p(mp.exp(x)), [uniform(-40, 1000)]),
    (4, [lambda x: nx.log(1 - nx.exp(x)), lambda x: nx.log1p(-nx.exp(x)), lambda x: nx.log(-nx.expm1(x))], lambda x: mp.log(1 - mp.exp(x)), [-logs(-12, 1.5)]),
    (5, [lambda a, b: nx.log(nx.exp(a) + nx.exp(b))], lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), [uniform(500, 1000), uniform(500, 1000, seed=1)]),
    (6, [lambda a, b: nx.log(nx.exp(a) - nx.exp(b))], lambda a, b: mp.log(mp.exp(a) - mp.exp(b)), [uniform(800, 1000), uniform(600, 790, seed=1)]),
    (7, [lambda x: 1 / (1 + nx.exp(-x)), lambda x: nx.reciprocal(nx.exp(-x) + 1)], _sig, [uniform(-1000, 700)]),
    (8, [lambda x: 1 - cb.ops.sigmoid(x), lambda x: 1 - 1 / (1 + nx.exp(-x))], lambda x: _sig(-x), [uniform(10, 700)]),
    (9, [lambda x: nx.log(cb.ops.sigmoid(x)), lambda x: nx.log(1 / (1 + nx.exp(-x)))], lambda x: -mp.log1p(mp.exp(-x)), [uniform(-1000, 30)]),
    (10, [lambda x: nx.log(1 - cb.ops.sigmoid(x)), lambda x: nx.log1p(-cb.ops.sigmoid(x))], lambda x: -mp.log1p(mp.exp(x)), [uniform(-30, 1000)]),
    (11, [lambda x: cb.ops.sigmoid(x) / (1 - cb.ops.sigmoid(x))], lambda x: mp.exp(x), [uniform(-30, 500)]),
    (12, [lambda x: 1 - nx.tanh(x) ** 2, lambda x: 1 - nx.tanh(x) * nx.tanh(x)], lambda x: mp.sech(x) ** 2, [uniform(5, 300)]),
    (13, [lambda x: (nx.exp(x) - nx.exp(-x)) / (nx.exp(x) + nx.exp(-x)), lambda x: (nx.exp(2 * x) - 1) / (nx.exp(2 * x) + 1)], lambda x: mp.tanh(x), [logs(-10, 2.7, sign=True)]),
    (14, [lambda x: cb.ops.sigmoid(x) * (1 - cb.ops.sigmoid(x))], lambda x: _sig(x) * _sig(-x), [uniform(-500, 500)]),
    (15, [lambda x: nx.log(nx.cosh(x))], lambda x: mp.log(mp.cosh(x)), [logs(-7, 3, sign=True)]),
    (16, [lambda x: nx.log(nx.sinh(x))], lambda x: mp.log(mp.sinh(x)), [uniform(300, 3000)]),
    (17, [lambda x: nx.sqrt(x + 1) - nx.sqrt(x)], lambda x: mp.sqrt(x + 1) - mp.sqrt(x), [logs(2, 16)]),
    (18, [lambda a, b: nx.sqrt(a) - nx.sqrt(b)], lambda a, b: mp.sqrt(a) - mp.sqrt(b), [logs(0, 8), logs(0, 8) * (1 + logs(-14, -6, seed=1))]),
    (19, [lambda a, b: a * a - b * b, lambda a, b: a**2 - b**2], lambda a, b: (a - b) * (a + b), [logs(0, 200), logs(0, 200) * (1 + logs(-14, -6, seed=1))]),
    (20, [lambda x: 1 - nx.cos(x), lambda x: -nx.cos(x) + 1], lambda x: 2 * mp.sin(x / 2) ** 2, [logs(-9, -1, sign=True)]),
    (20, [lambda x: (1 - nx.cos(x)) / x**2, lambda x: (1 - nx.cos(x)) / (x * x), lambda x: (1 - nx.cos(x)) / x / x], lambda x: 2 * (mp.sin(x / 2) / x) ** 2, [logs(-7, 1, sign=True)]),
    (21, [lambda x: (1 - nx.cos(x)) / nx.sin(x)], lambda x: mp.tan(x / 2), [logs(-9, 0, sign=True)]),
    (22, [lambda x, e: nx.sin(x + e) - nx.sin(x)], lambda x, e: 2 * mp.cos(x + e / 2) * mp.sin(e / 2), [uniform(0.1, 1.2), logs(-14, -4, seed=1)]),
    (23, [lambda x: nx.arctan(x + 1) - nx.arctan(x)], lambda x: mp.atan(1 / (1 + x * (x + 1))), [logs(1, 7)]),
    (24, [lambda x: 1 / x - 1 / (x + 1), lambda x: nx.reciprocal(x) - 1 / (1 + x)], lambda x: 1 / (x * (x + 1)), [logs(1, 14)]),
    (25, [lambda a, b: nx.log(a) - nx.log(b)], lambda a, b: mp.log(a / b), [logs(0, 8), logs(0, 8) * (1 + logs(-12, -4, seed=1))]),
    (26, [lambda x: (nx.exp(x) - 1) / x, lambda x: nx.expm1(x) / x], lambda x: mp.expm1(x) / x, [logs(-14, 1, sign=True)]),
    (27, [lambda x: nx.log(1 + x) / x, lambda x: nx.log1p(x) / x], lambda x: mp.log1p(x) / x, [logs(-14, 1)]),
    (28, [lambda x, y: nx.sqrt(x**2 + y**2), lambda x, y: nx.sqrt(y * y + x * x)], lambda x, y: mp.sqrt(x * x + y * y), [logs(-200, 300), logs(-200, 300) * logs(-6, 4, seed=1)]),
    (28, [lambda x: nx.sqrt(x**2 + 1e300), lambda x: nx.sqrt(1e300 + x * x)], lambda x: mp.sqrt(x * x + mp.mpf(1e300)), [logs(140, 300)]),
    (29, [lambda x: nx.log(x + nx.sqrt(x**2 + 1))], lambda x: mp.asinh(x), [logs(-10, 200, sign=True)]),
    (30, [lambda x: nx.log(x + nx.sqrt(x * x - 1))], lambda x: mp.acosh(x), [1 + logs(-10, 200)]),
    (31, [lambda x: 0.5 * nx.log((1 + x) / (1 - x)), lambda x: nx.log((x + 1) / (1 - x)) / 2, lambda x: (nx.log(1 + x) - nx.log(1 - x)) / 2], lambda x: mp.atanh(x), [logs(-10, -0.3, sign=True)]),
    (32, [lambda x: 1 - cb.ops.erf(x)], lambda x: mp.erfc(x), [uniform(2, 25)]),
    (33, [lambda x: nx.log(cb.ops.erfc(x)), lambda x: nx.log(1 - cb.ops.erf(x))], lambda x: mp.log(mp.erfc(x)), [uniform(-3, 100)]),
    (34, [lambda x: nx.log(cb.ops.normal_cdf(x)), lambda x: nx.log(0.5 * cb.ops.erfc(-x * np.sqrt(0.5)))], lambda x: mp.log(_phi(x)), [uniform(-100, 3)]),
    (35, [lambda a, b: nx.exp(a) * nx.exp(b)], lambda a, b: mp.exp(a + b), [uniform(710, 900), -uniform(500, 700, seed=1)]),
    (36, [lambda a, b: nx.exp(a) / nx.exp(b)], lambda a, b: mp.exp(a - b), [uniform(710, 900), uniform(500, 700, seed=1)]),
    (37, [lambda x: (1 + x) ** 365.0], lambda x: (1 + x) ** 365, [logs(-14, -3)]),
    (38, [lambda x: (1 + x) ** 365.0 - 1], lambda x: mp.expm1(365 * mp.log1p(x)), [logs(-14, -3)]),
    (39, [lambda a, b, c: (-b + nx.sqrt(b**2 - 4 * a * c)) / (2 * a), lambda a, b, c: (nx.sqrt(b * b - 4 * (a * c)) - b) / (a * 2)],
     lambda a, b, c: (-b + mp.sqrt(b * b - 4 * a * c)) / (2 * a), [logs(-2, 2), logs(4, 9, seed=1), logs(-2, 2, seed=2)]),
    (42, [lambda d: nx.arccos(1 - d)], lambda d: mp.acos(1 - d), [logs(-14, -1)]),
    (43, [lambda a, b, c, d: a * b - c * d], lambda a, b, c, d: a * b - c * d,
     [logs(0, 5), logs(0, 5, seed=1), logs(0, 5) * (1 + logs(-12, -6, seed=2)), logs(0, 5, seed=1)]),
    (44, [lambda x: x - nx.sin(x)], lambda x: x - mp.sin(x), [logs(-8, 0.2, sign=True)]),
    (54, [lambda x, y: x * nx.log(y)], lambda x, y: 0 * x if x == 0 else x * mp.log(y), [np.zeros(3), np.array([0.0, 0.5, 2.0])]),
    (55, [lambda x: nx.sqrt(x * x), lambda x: nx.sqrt(x**2)], lambda x: abs(x), [logs(-200, 200, sign=True)]),
]  # fmt: skip


def _ids():
    return [f"{number}.{k}" for number, forms, _, _ in CASES for k in range(len(forms))]


def _truth(f, point, k):
    """f, or its derivative in argument k (None: the value), and the condition numbers' sum, at 2,400 bits."""
    with mpmath.workprec(2400):
        p = [mpmath.mpf(float(v)) for v in point]
        if k is None:
            return f(*p)
        h = (abs(p[k]) if p[k] else mpmath.mpf(1)) * mpmath.mpf(2) ** -800
        up, down = list(p), list(p)
        up[k] += h
        down[k] -= h
        return (f(*up) - f(*down)) / (2 * h)


def _condition(f, point, k):
    """How many units a relative change of one unit in each argument makes of the result: what any intermediate rounding may cost."""
    y = _truth(f, point, k)
    if y == 0:
        return 0.0
    total = 0.0
    with mpmath.workprec(2400):
        for i, v in enumerate(point):
            if v:
                g = (lambda *p: _truth_at(f, p, k))
                h = mpmath.mpf(2) ** -100
                up = [mpmath.mpf(float(w)) for w in point]
                up[i] *= 1 + h
                total += float(abs((g(*up) - y) / (h * y)))
    return min(total, 1e300)


def _truth_at(f, p, k):
    if k is None:
        return f(*p)
    h = (abs(p[k]) if p[k] else mpmath.mpf(1)) * mpmath.mpf(2) ** -800
    up, down = list(p), list(p)
    up[k] += h
    down[k] -= h
    return (f(*up) - f(*down)) / (2 * h)


def _units(got, want, condition, allowed):
    """The error in units of 2^-53 beyond what the condition explains."""
    if want == 0:
        return 0.0 if got == 0 else np.inf
    if abs(want) < 1e-290 or abs(want) > 1e300:
        return 0.0
    return max(0.0, float(abs((mpmath.mpf(float(got)) - want) / want)) / U - 2 * condition) / allowed


FORMS = [(number, form, truth, xs) for number, forms, truth, xs in CASES for form in forms]


@pytest.mark.parametrize("number, f, truth, xs", FORMS, ids=_ids())
def test_rule(number, f, truth, xs):
    g = cb.stabilize(f, *xs)
    made = [r for r in g.log if r.made]
    assert number in [r.rule for r in made], [str(r) for r in g.log]
    n, slopes = len(xs[0]), [cb.jacfwd(g, i) for i in range(len(xs))]
    value = g(*xs)
    with mpmath.workprec(2400):
        for i in range(n):
            p = [x[i] for x in xs]
            want = _truth(truth, p, None)
            assert _units(value[i], want, _condition(truth, p, None), 4) <= 1, (number, p, float(value[i]), mpmath.nstr(want, 20))
    if number in (54, 55):
        return
    for k in range(len(xs)):
        d = np.diagonal(slopes[k](*xs))
        for i in range(0, n, 1 if FULL else 4):
            p = [x[i] for x in xs]
            want = _truth(truth, p, k)
            assert _units(d[i], want, _condition(truth, p, k), 8) <= 1, (number, "derivative", k, p, float(d[i]), mpmath.nstr(want, 20))


def _made(g):
    return {r.rule for r in g.log if r.made}


def test_tensors():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4)) * 400
    lse = lambda x: np.asarray(sp.logsumexp(x, axis=1))
    g = cb.stabilize(lambda x: np.log(np.sum(np.exp(x), axis=1)), x)
    assert 47 in _made(g) and np.allclose(g(x), lse(x), rtol=1e-15) and np.isfinite(cb.grad(lambda x: np.sum(g(x)))(x)).all()
    g = cb.stabilize(lambda x: np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True), x)
    assert 46 in _made(g) and np.allclose(g(x).sum(1), 1)
    g = cb.stabilize(lambda x: np.log(np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)), x)
    assert 45 in _made(g) and np.allclose(g(x), x - lse(x)[:, None], rtol=1e-14)
    g = cb.stabilize(lambda x: np.log(sp.softmax(x, axis=1)), x)
    assert 45 in _made(g) and np.allclose(g(x), x - lse(x)[:, None], rtol=1e-14)
    # Along the other axis of a square array the quotient is something else.
    y = rng.normal(size=(3, 3))
    other = lambda x: np.exp(x) / np.sum(np.exp(x), axis=1)[None, :]
    g = cb.stabilize(other, y)
    assert 46 not in _made(g) and np.allclose(g(y), other(y))
    z = rng.uniform(0.01, 0.1, 500)
    g = cb.stabilize(lambda x: np.log(np.prod(x)), z)
    assert 41 in _made(g) and np.isclose(g(z), np.sum(np.log(z)))
    g = cb.stabilize(lambda x: np.log(np.cumprod(x)), z)
    assert 56 in _made(g) and np.allclose(g(z), np.cumsum(np.log(z)))
    big = rng.normal(size=(2, 5)) * 1e200
    g = cb.stabilize(lambda x: np.sqrt(np.sum(x**2, axis=1)), big)
    assert 28 in _made(g) and np.allclose(g(big), np.linalg.norm(big / 1e200, axis=1) * 1e200)
    g = cb.stabilize(lambda x: np.linalg.norm(x) ** 2, y)
    assert 55 in _made(g) and np.isclose(g(y), np.sum(y**2)) and (cb.grad(g)(np.zeros((3, 3))) == 0).all()
    far = 1e8 + rng.normal(size=100)
    for f in (lambda x: np.mean(x**2) - np.mean(x) ** 2, lambda x: np.mean(x * x) - np.mean(x) * np.mean(x)):
        g = cb.stabilize(f, far)
        assert 40 in _made(g) and np.isclose(g(far), np.var(far), rtol=1e-12)
    a, b = np.eye(3) * 4 + rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    g = cb.stabilize(lambda a, b: np.linalg.inv(a) @ b, a, b)
    assert 50 in _made(g) and np.allclose(g(a, b), np.linalg.solve(a, b))
    w = np.eye(60) * 1e-10
    g = cb.stabilize(lambda a: np.log(np.linalg.det(a)), w)
    assert 49 in _made(g) and np.isclose(g(w), 60 * np.log(1e-10))
    u, v = rng.normal(size=5), rng.normal(size=5)
    near = u * (1 + 1e-10 * v)
    g = cb.stabilize(lambda u, v: np.arccos(np.sum(u * v) / (np.linalg.norm(u) * np.linalg.norm(v))), u, near)
    assert 42 in [r.rule for r in g.log]


def test_angles_distances_and_cross_entropy():
    """Rules on tensors that lose digits: an angle near 0 (42), distances of near points (53), cross-entropy of large logits (52): values and derivatives against mpmath."""
    rng = np.random.default_rng(3)
    u = rng.normal(size=6)
    v = u * (1 + 1e-9 * rng.normal(size=6))

    def exact(f, *args):
        with mpmath.workprec(600):
            p = [[mpmath.mpf(float(t)) for t in a] for a in args]
            h, slopes = mpmath.mpf(2) ** -200, []
            for i in range(len(p[0])):
                up, down = list(p[0]), list(p[0])
                up[i] += h
                down[i] -= h
                slopes.append((f(up, *p[1:]) - f(down, *p[1:])) / (2 * h))
            return float(f(*p)), np.array([float(s) for s in slopes])

    def angle(u, v):
        dot = lambda a, b: mpmath.fsum(x * y for x, y in zip(a, b))
        return mpmath.acos(dot(u, v) / mpmath.sqrt(dot(u, u) * dot(v, v)))

    g = cb.stabilize(lambda u, v: np.arccos(np.sum(u * v) / (np.linalg.norm(u) * np.linalg.norm(v))), u, v)
    value, slope = exact(angle, u, v)
    assert 42 in _made(g) and abs(g(u, v) - value) <= 1e-6 * value and np.allclose(cb.grad(g)(u, v), slope, rtol=1e-6)
    a, b = 1e8 + rng.normal(size=6), 1e8 + rng.normal(size=6)
    for f in (lambda x, y: np.sum(x * x) + np.sum(y * y) - 2 * np.sum(x * y), lambda x, y: np.sum(x**2) - 2 * np.sum(x * y) + np.sum(y**2)):
        g = cb.stabilize(f, a, b)
        value, slope = exact(lambda x, y: mpmath.fsum((p - q) ** 2 for p, q in zip(x, y)), a, b)
        assert 53 in _made(g) and abs(g(a, b) - value) <= 1e-14 * value and np.allclose(cb.grad(g)(a, b), slope, rtol=1e-14)
    logits, one = np.array([[800.0, -3.0, 2.0], [1.0, 900.0, -900.0]]), np.eye(3)[[1, 0]]
    g = cb.stabilize(lambda x: -np.sum(one * np.log(np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True))), logits)
    want = np.sum(sp.logsumexp(logits, axis=1)) - np.sum(one * logits)
    assert 45 in _made(g) and np.isclose(g(logits), want, rtol=1e-15) and np.allclose(cb.grad(g)(logits), sp.softmax(logits, axis=1) - one, atol=1e-15)


def test_bodies_of_loops_and_branches():
    """Measured at the points that reach them; nested too."""
    f = lambda x: cb.scan(lambda c, _: (np.sqrt(c + 1) - np.sqrt(c) + 1e10, c), x, None, length=5)[0]
    g = cb.stabilize(f, 1e12)
    (r,) = [r for r in g.log if r.made]
    assert r.rule == 17 and r.before > 30 and r.after < 3 and "in the scan" in str(r) and __file__ in str(r)
    # Where nothing is lost nothing is done.
    near = lambda x: cb.scan(lambda c, _: (np.sqrt(c + 1) - np.sqrt(c) + 1, c), x, None, length=5)[0]
    g = cb.stabilize(near, 0.5)
    assert not _made(g) and g(0.5) == near(0.5)
    g = cb.stabilize(lambda x: cb.while_loop(lambda c: c > 1e-30, lambda c: np.log(1 + c) * 0.1, x), 1e-17)
    assert _made(g) == {1} and abs(g(1e-17) / 1e-31 - 1) < 1e-14
    g = cb.stabilize(lambda x: cb.cond(x > 0, lambda v: np.exp(v) - 1, lambda v: 1 - np.cos(v), x), 1e-9)
    assert _made(g) == {2, 20} and g(-1e-9) == 5e-19 and abs(g(1e-9) / np.expm1(1e-9) - 1) < 1e-15
    assert np.isclose(cb.grad(g)(-1e-9), np.sin(-1e-9), rtol=1e-15)
    inner = lambda c: cb.scan(lambda d, _: (np.exp(d) - 1, d), c, None, length=2)[0]
    g = cb.stabilize(lambda x: cb.scan(lambda c, _: (inner(c), c), x, None, length=2)[0], 1e-18)
    assert g(1e-18) == 1e-18 and cb.grad(g)(1e-18) == 1 and np.array_equal(cb.vmap(g)(np.array([1e-18, 2e-18])), [1e-18, 2e-18])


def test_logistic_losses():
    x, y = np.array([-800.0, 3.0, 800.0]), np.array([0.0, 1.0, 1.0])

    def bce(x, y):
        s = 1 / (1 + np.exp(-x))
        return -(y * np.log(s) + (1 - y) * np.log(1 - s))

    g = cb.stabilize(bce, x, y)
    assert {9, 10} & _made(g)
    want = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
    assert np.allclose(g(x, y), want, rtol=1e-14)
    slope = cb.grad(lambda x: np.sum(g(x, y)))(x)
    assert np.allclose(slope, [0, -1 / (1 + np.exp(3.0)), 0], atol=1e-15)


def test_not_where_it_does_not_help():
    x = np.array([0.5, 2.0, 3.0])
    assert not _made(cb.stabilize(lambda x: np.sqrt(x + 1) - np.sqrt(x), x)), "nothing is lost there"
    assert not _made(cb.stabilize(lambda x: np.exp(x) * np.exp(x * 0.1), x))
    assert not _made(cb.stabilize(lambda x: np.sin(x) * x + np.tanh(x), x))
    g = cb.stabilize(lambda x: np.sqrt(x + 1) - np.sqrt(x))
    g(1e12)
    assert not _made(g), "without samples only what is always better"
    f = lambda x: np.sin(x) * x + np.tanh(x)
    assert np.array_equal(cb.stabilize(f, x)(x), cb.function(f)(x)), "what is not touched keeps its bits"


def test_ranges_and_options():
    f = lambda x: np.sqrt(x + 1) - np.sqrt(x)
    g = cb.stabilize(f, ranges={0: (1e6, 1e12)})
    g(1e10)
    assert _made(g) == {17}
    g = cb.stabilize(f, ranges={0: (0.5, 3.0)})
    g(1.0)
    assert not _made(g)
    # What ranges allow though no sample showed it: a nearly equal to b; a product of exponentials that overflows only in a corner; and what they do not.
    g = cb.stabilize(lambda a, b: a * a - b * b, ranges={0: (1.0, 10.0), 1: (1.0, 10.0)})
    g(2.0, 3.0)
    assert _made(g) == {19} and [r.before for r in g.log if r.made][0] > 25
    g = cb.stabilize(lambda a, b: a * a - b * b, ranges={0: (5.0, 10.0), 1: (1.0, 2.0)})
    g(6.0, 1.5)
    assert not _made(g)
    g = cb.stabilize(lambda x: np.sqrt(np.exp(x) + 1) - np.sqrt(np.exp(x)), ranges={0: (-1.0, 30.0)})
    g(1.0)
    assert 17 in _made(g)
    g = cb.stabilize(lambda x: np.sqrt(np.exp(-x * x) + 1) - np.sqrt(np.exp(-x * x)), ranges={0: (-1.0, 1.0)})
    g(1.0)
    assert not _made(g)
    g = cb.stabilize(f, 1e3, threshold=40)
    assert not _made(g) and g.log[0].before > 8
    with pytest.raises(cb.InvalidError, match="there are rounds"):
        cb.stabilize(f, 1.0, nothing=1)
    with pytest.raises(cb.InvalidError):
        cb.stabilize(f, ranges={3: (0, 1)})(1.0)
    with pytest.raises(cb.InvalidError):
        cb.stabilize(f, ranges={0: (1, 0)})(1.0)


def test_places_and_derivatives():
    g = cb.stabilize(lambda x: cb.label(np.log(1 + np.exp(x)), "loss"), 800.0)
    assert "loss" in str(g.log[0]) and __file__ in str(g.log[0]) and g.log[0].before == np.inf and g.log[0].after < 3
    assert cb.grad(g)(800.0) == 1 and cb.hessian(g)(0.0) == 0.25
    assert np.allclose(cb.vmap(g)(np.array([0.0, 800.0])), [np.log(2), 800])
    h = cb.stabilize(lambda x: np.log(np.float32(1) + np.exp(x)), np.float32(100))
    assert h(np.float32(100)).dtype == np.float32 and h(np.float32(100)) == 100 and h.log[0].before == np.inf


def test_trees_loops_and_empty():
    g = cb.stabilize(lambda d: {"a": np.log(1 + d["x"]), "b": d["y"]}, {"x": 1e-17, "y": 2.0})
    assert g({"x": 1e-17, "y": 2.0}) == {"a": 1e-17, "b": 2.0}
    loop = cb.stabilize(lambda x: cb.scan(lambda c, _: (np.log(1 + c), c), x, None, length=3)[0] + np.log(1 + x), 1e-17)
    assert loop(1e-17) >= 1e-17
    assert cb.stabilize(lambda x: np.log(1 + x), np.zeros((0,)))(np.zeros((0,))).shape == (0,)


def test_long_sums_are_pairwise():
    x = np.random.default_rng(0).uniform(0, 1, 300).astype(np.float32)

    def mean(x):
        total = np.float32(0)
        for i in range(300):
            total = total + x[i]
        return total / 300

    g = cb.stabilize(mean, x)
    (r,) = [r for r in g.log if r.rule == 57]
    assert r.made and r.before > 8 and r.after < 4
    want = np.mean(x.astype(np.float64))
    assert abs(g(x) - want) <= 10 * 2.0**-24 * want
