"""Taylor mode: coefficients against mpmath's to order 10, loops, mixed derivatives, jet, what it refuses."""

import ctypes
import math

import mpmath as mp
import numpy as np
import pytest
from reference import FLAT, REAL, SPECIAL, VALUES

import camber as cb

ORDER = 10
rng = np.random.default_rng(11)
CURVE = rng.uniform(-0.4, 0.4, (2, 3, ORDER))  # coefficients of two operands, three points each


def _centre(row, slot):
    """Three points well inside the domain."""
    if row.name in ("fmod", "mod"):
        return [np.array([2.7, 5.3, -0.7]), np.array([1.2, 2.1, 1.4])][slot]
    low, high = row.domain[slot]
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * np.array([0.35, 0.5, 0.7])
    if math.isfinite(low):
        return low + np.array([0.8, 1.3, 2.2])
    if math.isfinite(high):
        return high - np.array([0.8, 1.3, 2.2])
    return np.array([[0.7, -1.1, 1.9], [1.3, 0.6, -0.4]][slot])


def _reference(f, centres, curves):
    with mp.workdps(60):
        def along(t):
            return f(*[mp.mpf(float(x)) + mp.fsum(float(c) * t ** (k + 1) for k, c in enumerate(curve)) for x, curve in zip(centres, curves)])

        return mp.taylor(along, 0, ORDER)


ANALYTIC = [r for r in REAL if r.kind in ("FLOAT", "NUMBER") and r.arity <= 2 and r.name not in FLAT and r.name not in SPECIAL and r.name != "polygamma"]
CHEAP = ["erfcx", "erfinv", "normal_cdf", "gamma", "i0", "i1", "sinc"]


@pytest.mark.parametrize("row", ANALYTIC + [r for r in REAL if r.name in CHEAP], ids=repr)
def test_coefficients(row):
    """To 1e-12 of the largest coefficient so far, all operands moving."""
    centres = [_centre(row, s) for s in range(row.arity)]
    scale = 0.25
    curves = [CURVE[s] * scale for s in range(row.arity)]
    got = cb.taylor(row.function, tuple(centres), tuple(c.T for c in curves), ORDER)
    assert got.shape == (ORDER + 1, 3) and got.dtype == np.float64
    for p in range(3):
        want = [float(c) for c in _reference(VALUES[row.name], [c[p] for c in centres], [c[p] for c in curves])]
        size = np.maximum.accumulate(np.abs(want))
        assert (np.abs(got[:, p] - want) <= 1e-12 * size).all(), (row.name, p, got[:, p], want)


def test_a_composition_to_order_ten():
    def f(x, xp):
        return xp.exp(xp.sin(x) * x) / (1 + x * x) + xp.log(2 + xp.cos(3 * x)) * xp.sqrt(1 + x**4) - xp.tanh(x) ** 3

    class mpf_math:
        exp, sin, cos, log, sqrt, tanh = mp.exp, mp.sin, mp.cos, mp.log, mp.sqrt, mp.tanh

    for x in (0.3, -1.1, 2.0):
        got = cb.taylor(lambda x: f(x, np), (x,), (1.0,), ORDER)
        with mp.workdps(60):
            want = np.array([float(c) for c in mp.taylor(lambda t: f(t, mpf_math), mp.mpf(x), ORDER)])
        assert (np.abs(got - want) <= 1e-12 * np.maximum.accumulate(np.abs(want))).all()


def test_exponents_at_zero():
    for e in range(6):
        assert cb.taylor(lambda x, e=e: x**e, (0.0,), (1.0,), 6).tolist() == [float(k == e) for k in range(7)]
    np.testing.assert_allclose(cb.taylor(lambda x: x**-2, (2.0,), (1.0,), 3), [1 / 4, -2 / 8, 3 / 16, -4 / 32])
    np.testing.assert_allclose(cb.taylor(lambda x: x**0.5, (4.0,), (1.0,), 3), [2, 1 / 4, -1 / 64, 1 / 512])
    np.testing.assert_allclose(cb.taylor(lambda x: x**x, (1.0,), (1.0,), 3), [1, 1, 1, 0.5])


def _nested(f, x, v, order):
    """f, f', f'' / 2, ... along x + v t by jvp of jvp."""

    def along(t):
        return f(x + v * t)

    found, g = [], along
    for k in range(order + 1):
        found.append(cb.function(g)(0.0) / math.factorial(k))
        g = (lambda h: lambda t: cb.jvp(h, (t,), (1.0,))[1])(g)
    return np.stack(found)


A = rng.uniform(-0.5, 0.5, (3, 3)) + 3 * np.eye(3)


def _loop(x):
    def body(c, s):
        c = np.sin(c * s) + x[0]
        return c, c * s

    c, ys = cb.scan(body, x, np.stack([x, x**2, x + 1, np.cos(x)]))
    return np.concatenate([c, ys.ravel()])


STRUCTURAL = {
    "matmul": lambda x: np.outer(x, x) @ A @ np.outer(np.sin(x), x), "solve": lambda x: np.linalg.solve(A + np.outer(x, x), np.cos(x)),
    "cholesky": lambda x: np.linalg.cholesky(A @ A.T + np.outer(x, x)), "logsumexp": lambda x: cb.special.logsumexp(x), "softmax": lambda x: cb.special.softmax(x),
    "norm": lambda x: np.linalg.norm(x), "prod": lambda x: np.prod(x), "cumsum": lambda x: np.cumsum(np.exp(x)), "max": lambda x: np.max(x * x),
    "where": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), x**3), "gather": lambda x: np.exp(x)[np.array([2, 0, 1, 2])], "concat": lambda x: np.concatenate([x, np.sin(x)[::-1]]),
    "scan": _loop, "fori": lambda x: cb.fori_loop(0, 5, lambda i, c: np.tanh(c) * x + 0.5, x), "grad": lambda x: cb.grad(lambda y: np.sum(np.exp(np.sin(y)) * y))(x),
    "cond": lambda x: cb.cond(x[0] > 0, lambda v: np.exp(v) * x[1], lambda v: v**2, np.sin(x)), "switch": lambda x: cb.switch(1, [np.sin, np.exp, np.cos], x * x),
    "while": lambda x: cb.while_loop(lambda c: np.sum(c) < 40.0, lambda c: c * c + np.exp(x[1]) + 1.0, x), "map": lambda x: cb.map(lambda s: np.exp(s) * s, x),
    "checkpoint": lambda x: cb.checkpoint(lambda y: np.sin(np.exp(y)))(x) * x, "vmap": lambda x: cb.vmap(lambda s: np.exp(s) / (1 + s * s))(x),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURAL)
def test_other_rows_against_nested_jvp(name):
    f, x, v = STRUCTURAL[name], np.array([0.7, -0.4, 1.1]), np.array([0.5, 0.8, -0.3])
    got, want = cb.taylor(f, (x,), (v,), 4), _nested(f, x, v, 4)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12 * np.abs(want).max())


def test_of_transforms():
    """Differentiated, batched and nested."""
    f = lambda x: np.sum(np.sin(x) * np.exp(x))  # noqa: E731
    x, v = np.array([0.2, 0.9]), np.array([1.0, -0.5])
    second = lambda x: 2 * cb.taylor(f, (x,), (v,), 2)[2]  # noqa: E731
    np.testing.assert_allclose(second(x), v @ cb.hessian(f)(x) @ v, rtol=1e-13)
    np.testing.assert_allclose(cb.grad(second)(x), cb.grad(lambda x: np.dot(v, cb.hvp(f, x, v)))(x), rtol=1e-12)
    many = cb.vmap(lambda v: cb.taylor(f, (x,), (v,), 3))(np.eye(2))
    np.testing.assert_allclose(many[1], cb.taylor(f, (x,), (np.eye(2)[1],), 3), rtol=1e-15)
    inner = cb.taylor(lambda s: cb.taylor(np.exp, (s,), (1.0,), 3)[3], (0.5,), (1.0,), 3)
    np.testing.assert_allclose(inner, np.exp(0.5) / 6 / np.array([1, 1, 2, 6]), rtol=1e-13)


def test_structures_and_dtypes():
    out = cb.taylor(lambda p, n: {"a": p["x"] * p["y"], "b": (np.sum(p["x"]), n)}, ({"x": np.ones(2, np.float32), "y": 2.0}, 3), ({"x": np.ones(2, np.float32), "y": None}, None), 2)
    assert out["a"].shape == (3, 2) and out["b"][0].dtype == np.float32 and out["b"][1].tolist() == [3, 0, 0]
    assert out["a"].tolist() == [[2, 2], [2, 2], [0, 0]]
    assert cb.taylor(lambda x: x * 2, (np.zeros((0, 3)),), (np.zeros((0, 3)),), 2).shape == (3, 0, 3)
    assert cb.taylor(lambda x: np.floor(x) + 1.0, (0.5,), (1.0,), 2).tolist() == [1, 0, 0]
    for d in (np.float16, np.float32):
        got = cb.taylor(np.exp, (d(0.5),), (d(1),), 4)
        assert got.dtype == d
        np.testing.assert_allclose(got.astype(float), np.exp(0.5) / np.array([1, 1, 2, 6, 24]), rtol=4 * np.finfo(d).eps)


def test_jet():
    """Derivatives, not coefficients: y'' = f'' x'^2 + f' x''."""
    value, terms = cb.jet(np.sin, (0.3,), ([2.0, 5.0, 0.0],))
    want = [2 * np.cos(0.3), -4 * np.sin(0.3) + 5 * np.cos(0.3), -8 * np.cos(0.3) - 30 * np.sin(0.3)]
    assert value == np.sin(0.3)
    np.testing.assert_allclose(terms, want, rtol=1e-14)
    value, terms = cb.jet(lambda x, y: x * y, (np.ones(2), 3.0), ([np.ones(2)], [2.0]))
    assert value.tolist() == [3, 3] and [t.tolist() for t in terms] == [[5, 5]]


def test_mixed_derivatives():
    """Of every order up to 4 in three directions, against nested jvp; all from one batch a total order."""
    f = lambda x: np.exp(x[0] * x[1]) * np.sin(x[2] + x[0]) + x[1] ** 3 * x[2]  # noqa: E731
    x, directions = np.array([0.4, -0.3, 0.8]), [np.array([1.0, 0.5, 0.0]), np.array([0.0, 1.0, -1.0]), np.array([0.3, 0.0, 1.0])]
    orders = [(i, j, k) for i in range(4) for j in range(4) for k in range(4) if i + j + k <= 4]
    for o, got in zip(orders, cb.directional(f, x, directions, orders)):
        g = f
        for v, times in zip(directions, o):
            for _ in range(times):
                g = (lambda h, v: lambda x: cb.jvp(h, (x,), (v,))[1])(g, v)
        want = cb.function(g)(x)
        assert abs(got - want) <= 1e-12 * max(1, abs(want)), (o, got, want)
    with mp.workdps(40):
        want = mp.diff(lambda a, b: mp.exp(a) * mp.sin(a * b), (mp.mpf("0.5"), mp.mpf("0.25")), (4, 4))
    e = np.eye(2)
    got = cb.directional(lambda x: np.exp(x[0]) * np.sin(x[0] * x[1]), np.array([0.5, 0.25]), [e[0], e[1]], (4, 4))
    assert abs(got - float(want)) <= 1e-9 * abs(float(want))
    h = cb.directional(f, x, list(np.eye(3)), [tuple(np.eye(3, dtype=int)[i] + np.eye(3, dtype=int)[j]) for i in range(3) for j in range(3)])
    np.testing.assert_allclose(np.reshape(h, (3, 3)), cb.hessian(f)(x), rtol=1e-12, atol=1e-13)


def test_an_ode_by_its_coefficients():
    """x' = x^2: 1 / (1 - t). The coefficients found one by one are those of one pass, and no node is made twice."""

    def solution(x, order):
        c = [x]
        for k in range(order):
            c.append((x**2 if k == 0 else cb.taylor(lambda x: x**2, (x,), (np.stack(c[1:]),), k)[k]) / (k + 1))
        return np.stack(c)

    np.testing.assert_allclose(cb.function(lambda x: solution(x, 20))(1.0), np.ones(21), rtol=1e-14)


def test_what_is_refused():
    x = np.ones(3)
    for error, text, call in [
        (cb.InvalidError, "order 0; 1 to 64 are taken", lambda: cb.taylor(np.sin, (x,), (x,), 0)),
        (cb.InvalidError, "order is a number, not str", lambda: cb.taylor(np.sin, (x,), (x,), "2")),
        (cb.InvalidError, "1 primals and 2 tangents", lambda: cb.taylor(np.sin, (x,), (x, x), 2)),
        (cb.ShapeError, r"a series of shape \[2\] where the value has \[3\]", lambda: cb.taylor(np.sin, (x,), (np.ones(2),), 2)),
        (cb.ShapeError, "3 coefficients for order 2", lambda: cb.taylor(np.sin, (x,), (np.ones((3, 3)),), 2)),
        (cb.DerivativeError, "zeta: has no derivative in operand 0", lambda: cb.taylor(lambda x: cb.special.zeta(x, 1.0), (x + 1,), (x,), 2)),
        (cb.InvalidError, "orders .* for 1 directions", lambda: cb.directional(np.sum, x, [x], (1, 1))),
        (cb.InvalidError, "at least one direction", lambda: cb.directional(np.sum, x, [], ())),
        (cb.InvalidError, "16 together", lambda: cb.directional(np.sum, x, [x], (17,))),
    ]:
        with pytest.raises(error, match=text):
            call()


def test_the_cost_is_quadratic():
    """Nodes recorded at twice the order: at most four times as many, and a few."""

    def nodes(f, order):
        tape = cb.lib.tape_new()
        x = cb.lib.input(tape, 0, None, 0)
        y = f(tape, x)
        given = (ctypes.c_int64 * order)(*[cb.lib.input(tape, 0, None, 0) for _ in range(order)])
        out, before = (ctypes.c_int64 * order)(), cb.lib.tape_node_count(tape)
        assert cb.lib.taylor(tape, (ctypes.c_int64 * 1)(y), 1, (ctypes.c_int64 * 1)(x), given, 1, order, out) == 0
        made = cb.lib.tape_node_count(tape) - before
        cb.lib.tape_free(tape)
        return made

    lib = cb.lib
    for name in ("exp", "log", "sin", "tanh", "sqrt", "square", "reciprocal", "asin", "erf", "gelu", "sigmoid", "atan", "cosh", "log1p", "cbrt"):
        f = lambda t, x, name=name: getattr(lib, name)(t, x)  # noqa: E731
        low, high, top = nodes(f, 10), nodes(f, 20), nodes(f, 40)
        assert high < 4.5 * low and top < 4.3 * high and low < 700, (name, low, high, top)
    low, high = (nodes(lambda t, x: lib.pow(t, x, lib.constant(t, 0, 0.3)), k) for k in (10, 20))
    assert high < 4.5 * low
