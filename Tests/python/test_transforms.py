"""Transforms against formulas, finite differences and each other; nested in each other to several levels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import camber as cb
import camber.numpy as cnp
import camber.special as csp

rng = np.random.default_rng(11)
X = rng.standard_normal(4)
M = rng.standard_normal((4, 4))


def f(x):
    return np.sum(np.sin(x) * np.exp(-x * x)) + np.tanh(x @ (M @ x)) * x[0]


def numeric(function, x, h=1e-6):
    x = np.asarray(x, float)
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        out[i] = (function(x + step) - function(x - step)) / (2 * h)
    return out


# ---- One transform -----------------------------------------------------------------------------------------------------------


def test_grad():
    np.testing.assert_allclose(cb.grad(f)(X), numeric(f, X), rtol=1e-7, atol=1e-9)
    assert cb.grad(lambda x: x**3)(2.0) == 12.0
    assert isinstance(cb.grad(lambda x: x**3)(2.0), np.float64)
    assert cb.grad(np.sin)(0.0) == 1.0


def test_argnums():
    g = lambda a, b, c: a * b + np.sin(c)  # noqa: E731
    assert cb.grad(g, argnums=1)(2.0, 3.0, 4.0) == 2.0
    assert cb.grad(g, argnums=(0, 2))(2.0, 3.0, 0.0) == (3.0, 1.0)
    assert cb.grad(g, argnums=(-1,))(2.0, 3.0, 0.0) == (1.0,)
    with pytest.raises(cb.InvalidError, match="argnums 3"):
        cb.grad(g, argnums=3)(1.0, 2.0, 3.0)


def test_value_and_grad_with_aux():
    value, slope = cb.value_and_grad(f)(X)
    assert value == pytest.approx(f(X), rel=1e-15)
    np.testing.assert_array_equal(slope, cb.grad(f)(X))
    (value, aux), slope = cb.value_and_grad(lambda x: (x * x, {"twice": 2 * x, "name": 3}), has_aux=True)(3.0)
    assert (value, aux["twice"], aux["name"], slope) == (9.0, 6.0, 3, 6.0)
    slope, aux = cb.grad(lambda x: (x * x, x + 1), has_aux=True)(3.0)
    assert (slope, aux) == (6.0, 4.0)


def test_trees():
    params = {"w": [np.ones((2, 3)), np.full(3, 2.0)], "b": (1.0, None), "t": ()}
    loss = lambda p, x: np.sum((x @ p["w"][0] + p["w"][1]) ** 2) * p["b"][0]  # noqa: E731
    slope = cb.grad(loss)(params, np.ones(2))
    assert slope["b"] == (48.0, None) and slope["t"] == () and slope["w"][0].shape == (2, 3)
    np.testing.assert_allclose(slope["w"][1], 8.0)
    from collections import namedtuple

    P = namedtuple("P", "a b")
    assert cb.grad(lambda p: p.a * p.b)(P(2.0, 3.0)) == P(3.0, 2.0)


def test_keyword_arguments():
    assert cb.grad(lambda x, *, scale: x * scale)(2.0, scale=5.0) == 5.0
    assert cb.function(lambda x, mode: x + 1 if mode == "up" else x - 1)(1.0, mode="up") == 2.0


def test_jvp_vjp_hvp():
    v = rng.standard_normal(4)
    y, dot = cb.jvp(f, (X,), (v,))
    assert y == f(X) or abs(y - f(X)) < 1e-14
    np.testing.assert_allclose(dot, cb.grad(f)(X) @ v, rtol=1e-12)
    y, back = cb.vjp(lambda x: M @ x, X)
    np.testing.assert_allclose(back(v)[0], M.T @ v, rtol=1e-13)
    np.testing.assert_allclose(back(2 * v)[0], 2 * M.T @ v, rtol=1e-13)
    np.testing.assert_allclose(cb.hvp(f, X, v), cb.hessian(f)(X) @ v, rtol=1e-10, atol=1e-12)
    (y, aux), dots = cb.jvp(lambda a, b: (a["k"] * b, b), ({"k": 2.0}, 3.0), ({"k": 1.0}, 0.0))
    assert (y, aux, dots) == (6.0, 3.0, (3.0, 0.0))
    y, back, aux = cb.vjp(lambda x: (x * x, 5 * x), 3.0, has_aux=True)
    assert (y, back(1.0), aux) == (9.0, (6.0,), 15.0)


def test_integers_have_no_tangent():
    y, dot = cb.jvp(lambda x, i: x[i] * 2, (X, 1), (X, None))
    assert dot == 2 * X[1]
    assert cb.jvp(lambda x: (x, 3), (1.0,), (1.0,))[1] == (1.0, 0)
    with pytest.raises(cb.DtypeError, match="i64"):
        cb.grad(lambda x: x * 2.0)(3)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobian(mode):
    g = lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[3] ** 2 * x[0]])  # noqa: E731
    want = np.array([[X[1], X[0], 0, 0], [0, 0, np.cos(X[2]), 0], [X[3] ** 2, 0, 0, 2 * X[0] * X[3]]])
    np.testing.assert_allclose(cb.jacobian(g, mode=mode)(X), want, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(cb.jacfwd(g)(X), cb.jacrev(g)(X), rtol=1e-14)
    blocks = cb.jacobian(lambda p, q: {"y": p[0] * q, "z": p[1]}, argnums=(0, 1), mode=mode)((2.0, np.ones(2)), np.arange(3.0))
    assert blocks["y"][0][0].tolist() == [0, 1, 2] and blocks["y"][0][1].shape == (3, 2) and blocks["z"][1].shape == (2, 3)
    np.testing.assert_array_equal(blocks["y"][1], 2 * np.eye(3))
    np.testing.assert_array_equal(blocks["z"][0][1], np.eye(2))
    assert cb.jacobian(lambda m: m @ m, mode=mode)(M).shape == (4, 4, 4, 4)


def test_hessian():
    h = cb.hessian(f)(X)
    np.testing.assert_allclose(h, h.T, rtol=1e-10, atol=1e-12)
    want = np.stack([numeric(lambda x, i=i: cb.grad(f)(x)[i], X) for i in range(4)])
    np.testing.assert_allclose(h, want, rtol=1e-6, atol=1e-7)
    tree = cb.hessian(lambda p: p["a"] ** 2 * np.sum(p["b"]))({"a": 3.0, "b": np.ones(2)})
    assert tree["a"]["a"] == 4.0 and tree["a"]["b"].tolist() == [6, 6] and tree["b"]["b"].tolist() == [[0, 0], [0, 0]]
    assert cb.hessian(lambda x: x**2)(X).shape == (4, 4, 4)
    assert cb.hessian(lambda a, b: a * b * b, argnums=(0, 1))(2.0, 3.0) == ((0.0, 6.0), (6.0, 4.0))


def test_vmap():
    xs = rng.standard_normal((5, 4))
    np.testing.assert_allclose(cb.vmap(f)(xs), [f(x) for x in xs], rtol=1e-14)
    np.testing.assert_allclose(cb.vmap(cb.grad(f))(xs), [cb.grad(f)(x) for x in xs], rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(cb.vmap(np.matmul, in_axes=(None, 1), out_axes=1)(M, xs.T), M @ xs.T, rtol=1e-14)
    out = cb.vmap(lambda p, s: (p["x"] * s, p["y"]), in_axes=({"x": 0, "y": None}, None), out_axes=(0, 0))({"x": xs, "y": 2.0}, 3.0)
    np.testing.assert_array_equal(out[0], 3 * xs)
    np.testing.assert_array_equal(out[1], np.full(5, 2.0))
    np.testing.assert_array_equal(cb.vmap(cb.vmap(lambda a, b: a * b, in_axes=(0, None)), in_axes=(None, 0))(X, X), np.outer(X, X))
    with pytest.raises(cb.ShapeError, match="lengths"):
        cb.vmap(lambda a, b: a + b)(np.ones(3), np.ones(4))
    with pytest.raises(cb.ShapeError, match="axis 0"):
        cb.vmap(lambda a: a)(1.0)


def test_scan():
    total, ys = cb.scan(lambda c, x: (c + x, c * x), 0.0, np.arange(5.0))
    assert total == 10 and ys.tolist() == [0, 0, 2, 9, 24]
    total, ys = cb.scan(lambda c, x: (c + x, c), 0.0, np.arange(3.0), reverse=True)
    assert ys.tolist() == [3, 2, 0]
    out = cb.scan(lambda c, _: ({"n": c["n"] + 1, "m": 0.5 * c["m"]}, None), {"n": 0, "m": np.ones(2)}, None, length=3)[0]
    assert out["n"] == 3 and out["m"].tolist() == [0.125, 0.125]
    w = 0.7

    def roll(w, x):
        return cb.scan(lambda c, t: (np.tanh(w * c + t), c), x, np.arange(6.0) / 3)[0]

    def loop(w, x):
        for t in np.arange(6.0) / 3:
            x = np.tanh(w * x + t)
        return x

    for k in (0, 1):
        assert cb.grad(roll, argnums=k)(w, 0.2) == pytest.approx(float(cb.grad(loop, argnums=k)(w, 0.2)), rel=1e-13)
    assert cb.grad(cb.grad(roll))(w, 0.2) == pytest.approx(float(cb.grad(cb.grad(loop))(w, 0.2)), rel=1e-12)
    np.testing.assert_allclose(cb.vmap(cb.grad(roll), in_axes=(0, None))(X, 0.2), [cb.grad(loop)(x, 0.2) for x in X], rtol=1e-12)
    np.testing.assert_allclose(cb.hessian(roll, argnums=(0, 1))(w, 0.2), cb.hessian(loop, argnums=(0, 1))(w, 0.2), rtol=1e-11)


def test_scan_errors():
    with pytest.raises(cb.DtypeError, match="carry 0 begins as f32"):
        cb.scan(lambda c, x: (c + x, None), np.float32(0), np.arange(3.0))
    with pytest.raises(cb.ShapeError, match="carry 0"):
        cb.scan(lambda c, x: (np.stack([c, x]), None), 0.0, np.arange(3.0))
    with pytest.raises(cb.InvalidError, match="pair"):
        cb.scan(lambda c, x: c, 0.0, np.arange(3.0))
    with pytest.raises(cb.ShapeError, match="length"):
        cb.scan(lambda c, x: (c, x), 0.0, None)


def test_linearize():
    y, lin = cb.linearize(lambda x, b: {"y": np.sin(M @ x) * b, "n": np.sum(x)}, X, 2.0)
    J = np.cos(M @ X)[:, None] * M * 2
    v = rng.standard_normal(4)
    out = lin(v, 0.0)
    np.testing.assert_allclose(out["y"], J @ v, rtol=1e-12)
    np.testing.assert_allclose(out["n"], v.sum(), rtol=1e-12)
    back = lin.T({"y": v, "n": 1.0})
    np.testing.assert_allclose(back[0], J.T @ v + 1, rtol=1e-12)
    np.testing.assert_allclose(back[1], np.sin(M @ X) @ v, rtol=1e-12)
    inside = cb.function(lambda x, v: cb.linearize(np.sin, x)[1](v))
    np.testing.assert_allclose(inside(X, v), np.cos(X) * v, rtol=1e-14)


# ---- Nested ------------------------------------------------------------------------------------------------------------------


def test_higher_orders():
    g = np.sin
    for order in range(1, 7):
        g = cb.grad(g)
        assert float(g(0.7)) == pytest.approx(math.sin(0.7 + order * math.pi / 2), rel=1e-12)


def test_closures_are_kept_apart():
    """The inner derivative must not see the outer variable as its own."""
    assert cb.grad(lambda x: x * cb.grad(lambda y: x + y)(x))(1.0) == 1.0
    assert cb.grad(lambda x: x * cb.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert cb.jvp(lambda x: x * cb.jvp(lambda y: x * y, (x,), (1.0,))[1], (3.0,), (1.0,))[1] == 6.0
    assert cb.function(lambda x: cb.hvp(lambda y: x * y**2, x, 1.0))(5.0) == 10.0
    assert cb.grad(lambda x: cb.jacobian(lambda y: x * y * y)(x))(3.0) == 12.0
    assert cb.vmap(lambda x: cb.grad(lambda y: x * y * y)(x))(np.array([1.0, 2.0])).tolist() == [2.0, 8.0]
    assert cb.grad(lambda x: cb.scan(lambda c, t: (c + cb.grad(lambda z: x * z * z)(x) * t, None), 0.0, np.ones(2))[0])(3.0) == 24.0
    assert cb.grad(lambda x: cb.vmap(lambda t: x * t)(np.arange(3.0)).sum())(2.0) == 3.0


def test_transforms_meet():
    v = rng.standard_normal(4)
    jacobian_of_grad = cb.jacobian(cb.grad(f))(X)
    np.testing.assert_allclose(jacobian_of_grad, cb.hessian(f)(X), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(cb.grad(lambda x: cb.jvp(f, (x,), (v,))[1])(X), jacobian_of_grad @ v, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(cb.function(lambda x: cb.hvp(f, x, v))(X), jacobian_of_grad @ v, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(cb.jvp(cb.grad(f), (X,), (v,))[1], jacobian_of_grad @ v, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(cb.function(lambda x: cb.vjp(f, x)[1](2.0)[0])(X), 2 * cb.grad(f)(X), rtol=1e-13)
    np.testing.assert_allclose(cb.vmap(lambda t: cb.jvp(f, (X,), (t,))[1])(np.eye(4)), cb.grad(f)(X), rtol=1e-12)
    np.testing.assert_allclose(cb.vmap(cb.hessian(f))(np.stack([X, 2 * X]))[1], cb.hessian(f)(2 * X), rtol=1e-11, atol=1e-13)
    third = cb.jacobian(cb.hessian(f))(X)
    np.testing.assert_allclose(third, third.transpose(2, 0, 1), rtol=1e-9, atol=1e-10)


def test_function_inlines_and_derives():
    inner = cb.function(f)
    outer = cb.function(lambda x: inner(x) + cb.grad(inner)(x).sum())
    np.testing.assert_allclose(outer(X), f(X) + cb.grad(f)(X).sum(), rtol=1e-13)
    assert cb.grad(inner) is cb.grad(inner)
    np.testing.assert_array_equal(cb.jvp(inner, (X,), (X,))[1], cb.jvp(f, (X,), (X,))[1])


def test_stop_gradient_and_structural_zeros():
    assert cb.grad(lambda x: x * cb.stop_gradient(x))(3.0) == 3.0
    safe = cb.grad(lambda x: np.sum(np.where(x > 0, np.log(x) * x, 0.0)))
    assert safe(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]
    twice = cb.grad(lambda x: np.sum(cb.grad(lambda y: np.sum(np.where(y > 0, np.sqrt(y), 0.0)))(x)))
    assert twice(np.array([-4.0, 0.0, 4.0])).tolist() == [0, 0, -1 / 32]
    assert cb.grad(np.linalg.norm)(np.zeros(3)).tolist() == [0, 0, 0]
    assert cb.grad(np.prod)(np.array([0.0, 2.0, 3.0])).tolist() == [6, 0, 0]
    assert cb.grad(lambda x: csp.logsumexp(x))(np.array([-np.inf, -np.inf])).tolist() == [0, 0]
    assert cb.grad(np.max)(np.array([1.0, 3.0, 3.0])).tolist() == [0, 0.5, 0.5]


def test_precision():
    p = cb.precision(lambda x, w: np.sum(np.tanh(x @ w)), compute="bf16", output="f32")
    x, w = rng.standard_normal((4, 8)).astype(np.float32), rng.standard_normal((8, 3)).astype(np.float32)
    got = p(x, w)
    assert got.dtype == np.float32
    assert abs(got - np.tanh(x @ w).sum()) < 0.3
    slope = cb.grad(p, argnums=1)(x, w)
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope, cb.grad(lambda x, w: np.sum(np.tanh(x @ w)), argnums=1)(x, w), atol=0.3)


def test_simplify_keeps_bits():
    np.testing.assert_array_equal(cb.simplify(cb.grad(f))(X), cb.grad(f)(X))


LINEAR = [
    lambda x: x[1:, None] * 2, lambda x: np.cumsum(x)[::-1], lambda x: np.pad(x, 2), lambda x: np.concatenate([x, x[::2]]), lambda x: x[np.array([0, 0, 2])],
    lambda x: np.einsum("i,ij->j", x, M), lambda x: np.broadcast_to(x, (3, 4)).T, lambda x: np.roll(x, 1) - np.mean(x), lambda x: np.linalg.solve(M + 5 * np.eye(4), x),
    lambda x: x.at[np.array([1, 1])].add(x[:2]), lambda x: np.outer(x, np.arange(3.0)), lambda x: np.diag(x), lambda x: np.tril(np.outer(np.ones(4), x)),
]  # fmt: skip


@pytest.mark.parametrize("function", LINEAR)
def test_reverse_is_the_transpose_of_forward(function):
    v = rng.standard_normal(4)
    y, dot = cb.jvp(function, (X,), (v,))
    w = rng.standard_normal(np.shape(y))
    back = cb.vjp(function, X)[1](w)[0]
    size = np.sum(np.abs(w) * np.abs(dot)) + np.sum(np.abs(back) * np.abs(v))
    assert abs(np.sum(w * dot) - np.sum(back * v)) <= 64 * 2.0**-53 * size
    np.testing.assert_allclose(dot, cb.function(function)(v), rtol=1e-13, atol=1e-15)


NONLINEAR = {
    "matmul": lambda x: np.sum((x[:, None] * M) @ (M * x)), "cholesky": lambda x: np.sum(np.linalg.cholesky(M @ M.T + np.diag(x * x + 4)) * np.arange(16.0).reshape(4, 4)),
    "solve": lambda x: np.sum(np.linalg.solve(M + np.diag(x + 6), x) ** 2), "inv": lambda x: np.trace(np.linalg.inv(M + np.diag(x + 6))), "det": lambda x: np.linalg.det(M + np.diag(x)),
    "softmax": lambda x: np.sum(csp.softmax(x) * np.arange(4.0)), "log_softmax": lambda x: csp.log_softmax(x * x)[2], "logsumexp": lambda x: csp.logsumexp(x * 3), "var": lambda x: np.var(x) * np.std(x),
    "norm": lambda x: np.linalg.norm(np.outer(x, x)), "cumprod": lambda x: np.sum(np.cumprod(x) * np.arange(4.0)), "prod": lambda x: np.prod(x), "einsum": lambda x: np.einsum("i,ij,j,j->", x, M, x, x),
    "logaddexp": lambda x: np.sum(np.logaddexp(x, x[::-1] * 2)), "interp": lambda x: np.sum(np.interp(x, [-3.0, 0.1, 3.0], [0.0, 2.0, 7.0]) ** 2), "gammaln": lambda x: np.sum(csp.gammaln(x * x + 1)),
    "polyval": lambda x: np.polyval(x, 1.3), "convolve": lambda x: np.sum(np.convolve(x, x * x) ** 2), "sort of max": lambda x: np.max(x) * np.min(x), "clip": lambda x: np.sum(np.clip(x, -0.5, 0.5) ** 2),
    "sinc": lambda x: np.sum(np.sinc(x)), "hypot": lambda x: np.sum(np.hypot(x, x[::-1] + 3)), "xlogy": lambda x: np.sum(csp.xlogy(x * x, x * x + 1)), "log_ndtr": lambda x: np.sum(csp.log_ndtr(x * 12)),
    "triangular": lambda x: np.sum(cnp.linalg.triangular_solve(np.tril(M) + 5 * np.eye(4), x * x) ** 2),
}  # fmt: skip


@pytest.mark.parametrize("name", NONLINEAR)
def test_gradients_of_functions(name):
    g = NONLINEAR[name]
    run = cb.function(g)
    slope = cb.grad(g)(X)
    np.testing.assert_allclose(slope, numeric(run, X), rtol=2e-6, atol=1e-7)
    forward = np.array([cb.jvp(g, (X,), (e,))[1] for e in np.eye(4)])
    np.testing.assert_allclose(forward, slope, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(cb.hessian(g)(X), [numeric(lambda x, i=i: cb.grad(g)(x)[i], X, 1e-5) for i in range(4)], rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=12), st.integers(0, 2**31))
def test_random_chains(steps, seed):
    """Chains of random operators: reverse equals forward, batched equals single, simplified equals direct."""
    chain = [np.sin, np.tanh, lambda x: x * x, lambda x: x[::-1] + 1, lambda x: np.cumsum(x) / 3, lambda x: M @ x / 4, lambda x: np.where(x > 0, x, 0.1 * x),
             lambda x: np.exp(-x * x), lambda x: x / (1 + x * x), lambda x: np.maximum(x, 0.3)]  # fmt: skip

    def g(x):
        for s in steps:
            x = chain[s](x)
        return np.sum(x * np.arange(1.0, 5.0))

    x = np.random.default_rng(seed).standard_normal(4)
    slope = cb.grad(g)(x)
    np.testing.assert_allclose([cb.jvp(g, (x,), (e,))[1] for e in np.eye(4)], slope, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(cb.vmap(cb.grad(g))(np.stack([x, x]))[1], slope, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(cb.simplify(cb.grad(g))(x), slope)


def test_linear_transpose():
    a = np.random.default_rng(2).normal(size=(3, 4))

    def f(x, y):
        return {"u": a @ x + np.cumsum(y), "v": np.roll(x, 1)[:2] - 2 * y[:2]}

    x, y = np.arange(4.0), np.arange(3.0)
    u, v = np.array([1.0, -2, 3]), np.array([0.5, 4])
    gx, gy = cb.linear_transpose(f, np.zeros(4), np.zeros(3))({"u": u, "v": v})
    out = f(x, y)
    assert np.isclose(gx @ x + gy @ y, u @ out["u"] + v @ out["v"], rtol=1e-13)
    with pytest.raises(cb.Error, match="sin is not linear"):
        cb.linear_transpose(np.sin, 0.0)(1.0)
