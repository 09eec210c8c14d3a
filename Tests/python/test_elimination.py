"""Vertex elimination: the Jacobian's values, exact counts, and what elimination refuses."""

import os
import sys

import numpy as np
import pytest

import camber as cb

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "Benchmarks", "sparse"))
from graphs import PROGRAMS


def close(got, want, bound=1e-13):
    for g, w in zip(np.ravel(got), np.ravel(want)):
        assert np.allclose(g, w, rtol=bound, atol=bound * max(1.0, np.max(np.abs(w)))), (g, w)


@pytest.mark.parametrize("name, f, x, published", PROGRAMS, ids=[p[0] for p in PROGRAMS])
def test_published(name, f, x, published):
    n = tuple(range(len(x)))
    want = np.array(cb.jacobian(f, n, "forward")(*x))
    got = np.array(cb.jacobian(f, n, "elimination")(*x))
    scale = np.max(np.abs(want), axis=1, keepdims=True)
    assert np.all(np.abs(got - want) <= 1e-13 * scale)
    best = cb.elimination_cost(f, *x, every=True)
    assert best.products <= published
    for order in ("forward", "reverse", "markowitz", "relative_markowitz", "min_fill"):
        assert best.products <= cb.elimination_cost(f, *x, order=order, every=True).products
    assert cb.elimination_cost(f, *x) == cb.elimination_cost(f, *x)


def test_counts_by_hand():
    # A chain of three products: two vertices of one path each, with both operands on the first.
    def f(x, y):
        return np.sin(np.exp(x * y))

    for order in ("forward", "reverse"):
        c = cb.elimination_cost(f, 1.0, 2.0, order=order, every=True)
        assert (c.vertices, c.edges) == (3, 4)
    # forward: xy -> exp -> sin: 2 + 2; reverse: 1 + 2.
    assert cb.elimination_cost(f, 1.0, 2.0, order="forward").products == 4
    assert cb.elimination_cost(f, 1.0, 2.0, order="reverse").products == 3
    assert cb.elimination_cost(lambda: 1.0) == (0, 0, 0, 0)
    # Sums and constants are free.
    assert cb.elimination_cost(lambda x, y: 3.0 * (x + y) - x, 1.0, 2.0).products == 0


ARRAYS = [
    ("vector", lambda x: np.sin(x) * x[::-1], np.linspace(0.3, 1.2, 5)),
    ("matrix", lambda x: np.matmul(x, np.transpose(x)) / np.sum(x), np.linspace(0.3, 1.2, 6).reshape(2, 3)),
    ("pieces", lambda x: np.concatenate([x[1:] * x[:-1], np.zeros(2), np.exp(x[:1])]), np.linspace(-1, 1, 4)),
    ("extrema", lambda x: np.stack([np.max(x * x), np.min(x), np.prod(x), np.linalg.norm(x)]), np.array([0.3, -1.4, 2.0])),
    ("opaque", lambda x: np.linalg.solve(x @ np.transpose(x) + np.eye(2), x[:, 0] * 2.0), np.linspace(0.3, 1.2, 6).reshape(2, 3)),
    ("broadcast", lambda x: x[:, None] * x[None, :] + np.sum(x, axis=0), np.linspace(0.3, 1.2, 3)),
    ("pad", lambda x: np.roll(np.pad(x, (1, 2)), 1)[::2] ** 2, np.linspace(0.3, 1.2, 4)),
    ("logsumexp", lambda x: np.log(np.sum(np.exp(x), axis=1)), np.linspace(0.3, 1.2, 6).reshape(2, 3)),
    ("constant", lambda x: np.stack([x[0] * 0.0 + 2.0, np.float64(1.0)]), np.array([1.0, 2.0])),
    ("scan", lambda x: cb.scan(lambda c, v: (c * v + np.sin(c), c), x[0], x)[0] * x, np.linspace(0.3, 1.2, 4)),
]


@pytest.mark.parametrize("name, f, x", ARRAYS, ids=[a[0] for a in ARRAYS])
def test_arrays(name, f, x):
    close(cb.jacobian(f, mode="elimination")(x), cb.jacobian(f, mode="forward")(x))
    scalar = lambda x: np.sum(cb.jacobian(f, mode="elimination")(x) ** 2)
    plain = lambda x: np.sum(cb.jacobian(f, mode="forward")(x) ** 2)
    close(cb.grad(scalar)(x), cb.grad(plain)(x), 1e-12)


def test_masks():
    # 0 * inf does not form where a branch is not taken.
    f = lambda x: np.stack([np.where(x > 0, np.sqrt(np.where(x > 0, x, 0.0)), 0.0) * 3.0, np.maximum(x, 0.0) / 1.0, np.sqrt(np.abs(x)) * np.where(x > 1, x, 2.0)])
    for x in (0.0, 2.0, -1.0):
        want = cb.jacobian(f, mode="forward")(x)
        got = cb.jacobian(f, mode="elimination")(x)
        assert np.array_equal(np.isnan(want), np.isnan(got))
        assert np.allclose(got, want, equal_nan=True)


def test_types():
    x = np.array([0.5, 1.5], np.float32)
    j = cb.jacobian(lambda x: np.sin(x) * x[0], mode="elimination")(x)
    assert j.dtype == np.float32 and np.allclose(j, cb.jacobian(lambda x: np.sin(x) * x[0])(x), rtol=1e-6)
    mixed = cb.jacobian(lambda x, y: np.float64(1.0) * y * np.sum(np.asarray(x, np.float64) if isinstance(x, np.ndarray) else x.astype(np.float64)), (0, 1), "elimination")
    a, b = mixed(x, 2.0)
    assert np.allclose(a, [2.0, 2.0]) and np.allclose(b, 2.0)
    h = np.array([0.5, 1.5], np.float16)
    assert cb.jacobian(lambda x: x * x, mode="elimination")(h).dtype == np.float16


def test_several_arguments():
    f = lambda a, b: {"p": a["u"] * b, "q": np.sum(a["v"]) + b[0]}
    a, b = {"u": 2.0, "v": np.ones(2)}, np.array([1.0, 3.0])
    got, want = cb.jacobian(f, (0, 1), "elimination")(a, b), cb.jacobian(f, (0, 1), "forward")(a, b)
    close(got["p"][0]["u"], want["p"][0]["u"])
    close(got["p"][1], want["p"][1])
    close(got["q"][0]["v"], want["q"][0]["v"])


def test_refusals():
    with pytest.raises(cb.InvalidError, match="4096 scalars"):
        cb.jacobian(lambda x: np.sin(x), mode="elimination")(np.ones(5000))
    with pytest.raises(cb.InvalidError, match="none of best"):
        cb.elimination_cost(np.sin, 1.0, order="alphabetical")
    with pytest.raises(cb.InvalidError, match="elimination"):
        cb.jacobian(np.sin, mode="cross")
    assert cb.jacobian(lambda x: x * 2.0, mode="elimination")(np.ones(0)).shape == (0, 0)


def test_random_programs():
    rng = np.random.default_rng(5)
    unary = [np.sin, np.cos, np.exp, np.tanh, np.sqrt, lambda v: v * 0.5, lambda v: -v, lambda v: v * v]
    for seed in range(25):
        rng = np.random.default_rng(seed)
        steps = [(int(rng.integers(0, 3)), int(rng.integers(0, 1 << 30)), int(rng.integers(0, 1 << 30)), int(rng.integers(0, len(unary)))) for _ in range(30)]
        picks = [int(rng.integers(0, 33)) for _ in range(4)]

        def f(*x):
            v = list(x)
            for kind, a, b, u in steps:
                p, q = v[a % len(v)], v[b % len(v)]
                v.append(unary[u](np.tanh(p) + 1.5) if kind == 0 else p * q if kind == 1 else p - q)
                v[-1] = np.tanh(v[-1]) if len(v) % 7 == 0 else v[-1]
            return tuple(v[k] for k in picks)

        x = tuple(rng.uniform(0.2, 1.0, 4))
        want, got = np.array(cb.jacobian(f, (0, 1, 2, 3), "forward")(*x)), np.array(cb.jacobian(f, (0, 1, 2, 3), "elimination")(*x))
        assert np.allclose(got, want, rtol=1e-11, atol=1e-11 * (1 + np.max(np.abs(want)))), seed


def test_preaccumulate():
    def f(x, y):
        a = np.sin(x) * y
        for _ in range(5):
            a = np.tanh(a * x + y) * np.exp(-a * a)
        return a, a * y

    g = cb.preaccumulate(f)
    x, y = 0.7, 1.3
    assert g(x, y) == cb.function(f)(x, y)
    for wrt in (0, 1, (0, 1)):
        close(np.array(cb.jacobian(g, wrt)(x, y)).ravel(), np.array(cb.jacobian(f, wrt)(x, y)).ravel())
    close(cb.grad(lambda x: g(x, y)[1])(x), cb.grad(lambda x: f(x, y)[1])(x))
    close(cb.hessian(lambda x: g(x, y)[1])(x), cb.hessian(lambda x: f(x, y)[1])(x), 1e-12)
    close(cb.vmap(cb.grad(lambda x: g(x, y)[0]))(np.linspace(0, 1, 5)), cb.vmap(cb.grad(lambda x: f(x, y)[0]))(np.linspace(0, 1, 5)))
    # Traced values that the function reads beside its arguments have derivatives through it.
    close(cb.grad(lambda c: cb.preaccumulate(lambda v: np.sin(v) * c)(c * 2.0))(0.4), cb.grad(lambda c: np.sin(c * 2.0) * c)(0.4))


def test_preaccumulated_loops():
    def body(c, v):
        a = c[0] * np.sin(c[1] * v)
        b = np.tanh(a + v * c[1]) * np.exp(-a * a) + np.cos(a * v)
        return (a * b + 0.1, np.sin(a) * b), a

    def f(x, vs):
        c, ys = cb.scan(body, (x[0], x[1]), vs)
        return np.stack([c[0], c[1], np.sum(ys)])

    x, vs = np.array([0.5, 1.1]), np.linspace(0.1, 0.9, 7)
    g = cb.preaccumulate(f)
    assert np.array_equal(g(x, vs), cb.function(f)(x, vs))
    for wrt in (0, 1):
        for mode in ("forward", "reverse"):
            close(cb.jacobian(g, wrt, mode)(x, vs), cb.jacobian(f, wrt, mode)(x, vs), 1e-12)
    close(cb.hessian(lambda x: np.sum(g(x, vs)))(x), cb.hessian(lambda x: np.sum(f(x, vs)))(x), 1e-11)


def test_stagewise():
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(size=(3, 40)), rng.normal(size=(50, 3)) / 2, rng.normal(size=(4, 50)) / 7

    def narrow(x):
        return np.tanh(b @ np.sin(a @ x))

    def many(x):
        y = narrow(x)
        return c @ (y * np.exp(-y)) + x[:4]

    x = rng.normal(size=40) / 6
    for f in (narrow, many, lambda x: np.cumsum(narrow(x)) * x[0], lambda x: cb.scan(lambda s, v: (s * v, s), np.sum(x), x)[1]):
        want = cb.jacobian(f, mode="forward")(x)
        close(cb.jacobian(f, mode="stagewise")(x), want, 1e-12)
        close(cb.grad(lambda x: np.sum(cb.jacobian(f, mode="stagewise")(x) ** 2))(x), cb.grad(lambda x: np.sum(cb.jacobian(f, mode="forward")(x) ** 2))(x), 1e-11)
    two = cb.jacobian(lambda x, y: (narrow(x) * y, np.sum(x) * y), (0, 1), "stagewise")(x, 2.0)
    plain = cb.jacobian(lambda x, y: (narrow(x) * y, np.sum(x) * y), (0, 1), "forward")(x, 2.0)
    for p, q in zip(two, plain):
        close(p[0], q[0], 1e-12)
        close(p[1], q[1], 1e-12)
