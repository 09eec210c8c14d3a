"""Curvature: figures against dense linear algebra, estimates against their intervals, approximations against their definitions."""

import ctypes

import numpy as np
import pytest

import camber as cb

rng = np.random.default_rng(5)


def quadratic(a):
    return lambda x: 0.5 * np.sum(x * (a @ x)) + np.sum(x)


def spd(n, spread=3.0):
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (q * np.logspace(0, spread, n)) @ q.T


def mlp(p, x, y):
    h = np.tanh(x @ p["w1"] + p["b1"])
    z = h @ p["w2"] + p["b2"]
    logp = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    losses = -np.sum(logp * y, axis=1)
    return np.mean(losses), {"z": z, "h": h, "x": x * 1.0, "s1": x @ p["w1"] + p["b1"], "losses": losses}


@pytest.fixture(scope="module")
def network():
    p = {"w1": rng.normal(size=(4, 5)) * 0.6, "b1": rng.normal(size=5) * 0.1, "w2": rng.normal(size=(5, 3)) * 0.6, "b2": rng.normal(size=3) * 0.1}
    x, y = rng.normal(size=(12, 4)), np.eye(3)[rng.integers(0, 3, 12)]
    return p, x, y


def flat(tree):
    return np.concatenate([np.ravel(tree[k]) for k in sorted(tree)])


def hessian(f, p, *args):
    c = cb.curvature(f, has_aux=True)(p, *args)
    return np.stack([flat(c.product(e)) for e in np.eye(c.n)]), c


def test_small_matrices_are_exact():
    a = spd(20)
    c = cb.curvature(quadratic(a))(np.linspace(-1, 1, 20))
    w = np.linalg.eigvalsh(a)
    for name, truth in [("trace", np.trace(a)), ("frobenius", np.linalg.norm(a)), ("largest", w[-1]), ("smallest", w[0]), ("norm", w[-1]), ("condition", w[-1] / w[0]),
                        ("log_determinant", np.log(w).sum()), ("negative", 0.0)]:  # fmt: skip
        f = c.figure(name)
        assert truth == pytest.approx(f.value, rel=1e-9, abs=1e-12), name
        assert f.low <= truth * (1 + 1e-12) + 1e-12 and f.high >= truth * (1 - 1e-12) - 1e-12, name
    values, residuals = c.eigenvalues()
    assert np.all(np.abs(values - w) <= residuals + 1e-10)
    d, half = c.diagonal()
    assert np.allclose(d, np.diag(a), rtol=1e-12) and np.all(half < 1e-9)
    assert np.allclose(c.posterior()[0], np.diag(np.linalg.inv(a)), rtol=1e-9)
    assert np.allclose(c.gradient(), a @ np.linspace(-1, 1, 20) + 1)
    x = np.linspace(-1, 1, 20)
    value = 0.5 * x @ a @ x + x.sum()
    assert c.evidence().value == pytest.approx(-value + 10 * np.log(2 * np.pi) - 0.5 * np.log(w).sum(), rel=1e-10)
    assert c.products == 20


@pytest.mark.parametrize("method", ["hutchinson", "hutch++", "xtrace"])
def test_intervals_of_estimates_hold_the_truth(method):
    n, inside = 120, 0
    for seed in range(20):
        a = (lambda q: (q * rng.normal(size=n)) @ q.T)(np.linalg.qr(rng.normal(size=(n, n)))[0])
        c = cb.curvature(quadratic(a), dense=0, probes=36, seed=seed)(np.zeros(n))
        f = c.trace(method)
        assert f.high > f.low
        inside += np.trace(a) in f
    assert inside >= 16


@pytest.mark.parametrize("n", [3, 20, 200, 300])
def test_extreme_eigenvalues_lie_within_rounding(n):
    """Against Rayleigh's quotient in extended precision: eigvalsh rounds as well."""
    own = np.random.default_rng(n)
    for kind in range(6):
        q = np.linalg.qr(own.normal(size=(n, n)))[0]
        a = (q * (np.logspace(0, (0, 2, 8)[kind // 2], n) if kind % 2 else np.r_[np.full(n - 1, 10.0 ** -kind), 1])) @ q.T
        a = (a + a.T) / 2
        w, v = np.linalg.eigh(a)
        c = cb.curvature(quadratic(a), steps=80)(np.zeros(n))
        for name, x in (("largest", v[:, -1]), ("smallest", v[:, 0])):
            x = x.astype(np.longdouble)
            f, truth = c.figure(name), x @ (a.astype(np.longdouble) @ x) / (x @ x)
            assert f.low <= truth <= f.high, (kind, name, f, float(f.value - truth) / w[-1] * 2.0**53)


def test_large_matrices_by_products():
    n = 300
    a = spd(n, 2.0)
    c = cb.curvature(quadratic(a), probes=60, steps=80)(np.zeros(n))
    w = np.linalg.eigvalsh(a)
    for name, truth in [("trace", np.trace(a)), ("frobenius", np.linalg.norm(a)), ("largest", w[-1]), ("smallest", w[0]), ("log_determinant", np.log(w).sum())]:
        f = c.figure(name)
        assert f.low <= truth <= f.high, (name, f, truth)
        assert abs(f.value - truth) < 0.1 * abs(truth) + 1, (name, f, truth)
    values, residuals = c.eigenvalues()
    assert all(np.abs(w - v).min() <= r for v, r in zip(values, residuals))
    d, half = c.diagonal()
    assert np.mean(np.abs(d - np.diag(a)) <= half) > 0.88
    v, vh = c.posterior()
    assert np.mean(np.abs(v - np.diag(np.linalg.inv(a))) <= vh) > 0.88
    density = c.density(101)
    assert np.trapezoid(density.density, density.places) == pytest.approx(1, rel=1e-3)
    b = a + np.diag(np.full(n, 0.5))
    c.add_matrix("b", b)
    h = np.linalg.norm
    g = np.ones(n)
    sa, sb = np.linalg.solve(a, g), np.linalg.solve(b, g)
    li = np.linalg.inv(np.linalg.cholesky(b))
    for name, truth in [("operator", 0.5 / w[-1]), ("frobenius", h(b - a) / h(a)), ("trace", 0.5 * n / np.trace(a)), ("newton_step", h(sb - sa) / h(sa)), ("diagonal", 0.5 * n**0.5 / h(np.diag(a))),
                        ("trace_ratio", 1 + 0.5 * n / np.trace(a)), ("preconditioner", np.linalg.cond(li @ a @ li.T)), ("spectrum", 0.5 / w[-1]),
                        ("covariance", h(np.linalg.inv(b) - np.linalg.inv(a)) / h(np.linalg.inv(a)))]:  # fmt: skip
        f = c.error("b", name)
        assert f.low - 1e-9 <= truth <= f.high + 1e-9, (name, f, truth)
        assert abs(f.value - truth) < 0.25 * abs(truth), (name, f, truth)


def test_figures_are_functions_of_the_seed_and_the_point():
    a = spd(80)
    make = lambda **o: cb.curvature(quadratic(a), dense=0, **o)(np.zeros(80))
    c, d = make(seed=3), make(seed=3)
    c.frobenius()
    assert c.trace("xtrace") == d.trace("xtrace") and c.trace("xtrace") != make(seed=4).trace("xtrace")


def test_secants_against_their_definitions():
    a = spd(8, 2)
    f = lambda x: 0.5 * np.sum(x * (a @ x)) + 0.1 * np.sum(x**4)
    g = cb.grad(f)
    xs = [rng.normal(size=8) for _ in range(6)]
    s = [q - p for p, q in zip(xs, xs[1:])]
    y = [g(q) - g(p) for p, q in zip(xs, xs[1:])]
    c = cb.curvature(f)(xs[-1])
    h = np.stack([c.product(e) for e in np.eye(8)])

    def bfgs(gamma):
        b = gamma * np.eye(8)
        for u, v in zip(s, y):
            bu = b @ u
            if u @ v < 0.2 * u @ bu:
                t = 0.8 * u @ bu / (u @ bu - u @ v)
                v = t * v + (1 - t) * bu
            b = b - np.outer(bu, bu) / (u @ bu) + np.outer(v, v) / (u @ v)
        return b

    def sr1(gamma):
        b = gamma * np.eye(8)
        for u, v in zip(s, y):
            r = v - b @ u
            b = b + np.outer(r, r) / (r @ u)
        return b

    truths = {"bfgs": bfgs(y[0] @ y[0] / (s[0] @ y[0])), "lbfgs": bfgs(y[-1] @ y[-1] / (s[-1] @ y[-1])), "sr1": sr1(y[0] @ y[0] / (s[0] @ y[0]))}
    for kind, b in truths.items():
        c.add_pairs(kind, s, y, kind)
        assert c.error(kind, "operator").value == pytest.approx(np.linalg.norm(b - h, 2) / np.linalg.norm(h, 2), rel=1e-8)
        assert c.error(kind, "newton_step").value == pytest.approx(np.linalg.norm(np.linalg.solve(b, g(xs[-1])) - np.linalg.solve(h, g(xs[-1]))) / np.linalg.norm(np.linalg.solve(h, g(xs[-1]))), rel=1e-6)
    pairs = c.pairs("bfgs")
    assert len(pairs) == 5
    assert pairs[-1].secant == pytest.approx(np.linalg.norm(y[-1] - h @ s[-1]) / np.linalg.norm(y[-1]), rel=1e-8)
    assert all(p.noise < 1e-9 for p in pairs)
    c.add_pairs("noisy", s, y, "bfgs", noise=float(np.linalg.norm(y[2])))
    assert c.pairs("noisy")[2].state == "noise" and c.error("noisy", "noisy").value >= 1
    c.add_pairs("damped", [s[0], -s[1]], [y[0], y[1]], "bfgs")
    assert c.pairs("damped")[1].state == "damped"


def test_models(network):
    p, x, y = network
    h, c = hessian(mlp, p, x, y)
    n, m = c.n, len(x)
    names = sorted(p)
    f = lambda q: mlp(q, x, y)[1]["z"]
    j = cb.jacobian(f)(p)
    jz = np.concatenate([np.reshape(j[k], (m, 3, -1)) for k in names], axis=2)
    z = f(p)
    prob = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    fz = np.stack([np.diag(q) - np.outer(q, q) for q in prob])
    fisher = np.einsum("ica,icd,idb->ab", jz, fz, jz) / m
    gl = np.einsum("ica,ic->ia", jz, prob - y)
    empirical = gl.T @ gl / m
    c.add_gauss_newton("ggn", "z")
    c.add_fisher("fisher", "z", "categorical")
    c.add_fisher("empirical", "losses", "empirical")
    order = {k: i for i, k in enumerate(names)}
    # s1 and z of one trace: the aux nodes are those of the loss.
    layers = [(order["w1"], order["b1"], "x", "s1"), (order["w2"], order["b2"], "h", "z")]
    c.add_kfac("kfac", layers, "z", "categorical")
    c.add_kfac("kfac-empirical", layers)
    error = lambda b: np.linalg.norm(b - h) / np.linalg.norm(h)
    assert c.error("ggn", "frobenius").value == pytest.approx(error(fisher), rel=1e-8)
    assert c.error("fisher", "frobenius").value == pytest.approx(error(fisher), rel=1e-8)
    assert c.error("empirical", "frobenius").value == pytest.approx(error(empirical), rel=1e-8)
    assert c.error("empirical", "trace_ratio").value == pytest.approx(np.trace(empirical) / np.trace(h), rel=1e-8)
    js1 = np.concatenate([np.reshape(k, (m, 3, -1)) for k in [np.einsum("ih,hc->ich", 1 - mlp(p, x, y)[1]["h"] ** 2, p["w2"])]], axis=2)
    for kind, fac in [("kfac", np.stack([np.sqrt(prob)[:, :, None] * (np.eye(3)[None] - prob[:, None, :])])[0]), ("kfac-empirical", (prob - y)[:, None, :])]:
        b = np.zeros((n, n))
        at = np.cumsum([0] + [p[k].size for k in names])
        for wk, bk, a, back in [("w1", "b1", x, np.einsum("icd,idh->ich", fac, js1)), ("w2", "b2", mlp(p, x, y)[1]["h"], fac)]:
            a = np.concatenate([a, np.ones((m, 1))], axis=1)
            aa, gg = a.T @ a / m, np.einsum("ick,icl->kl", back, back) / m
            full = np.kron(aa, gg)
            index = np.concatenate([np.arange(p[wk].size) + at[order[wk]], np.arange(p[bk].size) + at[order[bk]]])
            b[np.ix_(index, index)] = full
        assert c.error(kind, "frobenius").value == pytest.approx(error(b), rel=1e-7), kind


def test_differences_measure_their_noise():
    c = cb.curvature(lambda x: np.sum(np.exp(np.sin(x))))(np.linspace(0.1, 2, 12))
    for kind, most in [("forward", 1e-5), ("central", 1e-8)]:
        c.add_differences(kind, kind)
        e, predicted = c.error(kind, "operator"), c.error(kind, "predicted")
        assert 0 < e.value < most
        assert predicted.value < 100 * e.value + 1e-12 and e.value < 30 * predicted.value
    single = cb.curvature(lambda x: np.sum(np.exp(np.sin(x))))(np.linspace(0.1, 2, 12, dtype=np.float32))
    single.add_differences("forward", "forward")
    assert 1e-6 < single.error("forward", "operator").value < 0.05


def test_a_rosenbrock_and_its_newton_step():
    f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    c = cb.curvature(f)(np.array([1.02, 1.03, 1.06]))
    h = np.stack([c.product(e) for e in np.eye(3)])
    c.add_matrix("exact", h)
    assert c.error("exact", "operator").value < 1e-13 and c.error("exact", "newton_step").value < 1e-9 and c.error("exact", "angle").value < 1e-6
    assert c.error("exact", "preconditioner").value == pytest.approx(1, abs=1e-9)
    g = np.asarray(c.gradient())
    step = -np.linalg.solve(h, g)
    x = np.array([1.02, 1.03, 1.06])
    assert c.error("exact", "decrease_ratio").value == pytest.approx((f(x) - f(x + step)) / (-g @ step / 2), rel=1e-9)
    c.add_product("mine", lambda v: 2 * (h @ v))
    assert c.error("mine", "operator").value == pytest.approx(1, rel=1e-9)
    assert c.error("mine", "newton_step").value == pytest.approx(0.5, rel=1e-9)
    assert set(c.errors("mine")) >= {"operator", "evidence"}
    c.at(np.array([0.5, 0.2, 0.1]))
    assert c.error("exact", "operator").value > 0.1


def test_bad_input():
    c = cb.curvature(lambda x: np.sum(x**2))(np.ones(3))
    with pytest.raises(cb.InvalidError, match="no figure"):
        c.figure("weight")
    with pytest.raises(cb.InvalidError, match="no option"):
        c.set(speed=1)
    with pytest.raises(cb.InvalidError, match="no approximation"):
        c.error("b", "operator")
    with pytest.raises(cb.ShapeError):
        c.add_matrix("b", np.eye(4))
    c.add_matrix("skew", np.array([[1.0, 2, 0], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(cb.InvalidError, match="not symmetric"):
        c.error("skew", "operator")
    with pytest.raises(cb.InvalidError, match="already"):
        c.add_diagonal("skew")
    with pytest.raises(cb.InvalidError, match="secant"):
        c.add_pairs("p", [np.ones(3)], [np.ones(3)], "dfp")
    with pytest.raises(cb.InvalidError):
        c.add_pairs("p", [], [])
    with pytest.raises(cb.InvalidError, match="aux"):
        c.add_gauss_newton("g", "z")

    def broken(v):
        raise KeyError("mine")

    c.add_product("broken", broken)
    with pytest.raises(KeyError):
        c.error("broken", "operator")
    with pytest.raises(cb.ShapeError):
        cb.curvature(lambda x: x)(np.ones(3))
    with pytest.raises(cb.NonFiniteError):
        cb.curvature(lambda x: np.sum(np.sqrt(x)))(np.zeros(3)).figure("trace")
    empty = cb.curvature(lambda x: np.sum(x**2))(np.ones(0))
    assert empty.trace().value == 0 and len(empty.eigenvalues()[0]) == 0
    point = cb.curvature(lambda x: x**3)(2.0)
    assert point.trace().value == 12 and point.largest().value == 12
    out = ctypes.c_double()
    assert cb.lib.curvature_figure(None, b"trace", ctypes.addressof(out), None, None) == -6


def test_observing_changes_nothing():
    f = cb.function(lambda x: np.sum(np.sin(x) ** 2))
    x = rng.normal(size=50)
    before = cb.grad(f)(x)
    c = cb.curvature(f, dense=0)(x)
    c.trace(), c.largest(), c.density(11)
    assert np.array_equal(cb.grad(f)(x), before)
