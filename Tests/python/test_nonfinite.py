"""Births of NaNs and infinities: seeded faults on random tapes, all found; clean programs with legitimate infinities, no alarm.

CAMBER_SEEDS faults of each of the three families, and as many clean programs (verify.sh: 1200)."""

import os
from contextlib import nullcontext

import numpy as np
import pytest

import camber as cb

SEEDS = int(os.environ.get("CAMBER_SEEDS", "60"))
N = 5


def _noise(rng, x, depth):
    """Operators that keep finite numbers finite, and near 1."""
    for _ in range(depth):
        c = rng.uniform(0.5, 1.5)
        x = [lambda x: np.sin(x) + c, lambda x: np.tanh(x) * c + 1, lambda x: x * c - 0.1 * x, lambda x: np.where(x > 0.3, x, c),
             lambda x: np.sqrt(x * x + c), lambda x: x[::-1][::-1] + 0.0, lambda x: x / (1 + x * x) + c, lambda x: np.maximum(x, 0.1),
             lambda x: np.concatenate([x[:2], x[2:]]) * c, lambda x: x.reshape(N, 1)[:, 0]][rng.integers(10)](x)  # fmt: skip
    return x


def _carry(rng, y):
    """Operators that hand a number on that is not finite."""
    c = rng.uniform(0.5, 1.5)
    kind = rng.integers(8)
    if kind == 0:
        return np.sum(y)
    if kind == 1:
        return y * c + 1
    if kind == 2:
        return np.ones((3, N)) @ y
    if kind == 3:
        return np.cumsum(y)
    if kind == 4:
        return cb.scan(lambda s, v: (s + v, s * c), 0.0, y)[0]
    if kind == 5:
        return np.concatenate([y, y])[::-1]
    if kind == 6:
        return np.mean(y.reshape(N, 1) * np.ones((1, 3)), axis=0)
    return -y


def _forward(kind, rng, m, u):
    """The faulty value; (operator, kind, operands, kind behind). u > 0 is zero at the marked element."""
    big = rng.uniform(720, 5000)
    if kind == 0:
        return u / u, ("div", "0/0", (0, 0), None)
    if kind == 1:
        e = np.exp(big * m + 0.1 * u)
        return e - (e + u), ("sub", "inf - inf", (np.inf, np.inf), "overflow")
    if kind == 2:
        return (1 / u) * u, ("mul", "0 * inf", (np.inf, 0), "division by zero")
    if kind == 3:
        return np.log(u), ("log", "log of zero", (0,), None)
    if kind == 4:
        return np.log(u - m), ("log", "log of a negative number", (-1,), None)
    if kind == 5:
        return np.sqrt(u - 2 * m), ("sqrt", "sqrt of a negative number", (-2,), None)
    if kind == 6:
        return np.exp(big * m + 0 * u), ("exp", "overflow", (big,), None)
    if kind == 7:
        return (u + 70000.0 * m).astype(np.float16).astype(np.float64), ("cast", "overflow", (70000,), None)
    if kind == 8:
        return u**-1.5, ("pow", "negative power of zero", (0, -1.5), None)
    if kind == 9:
        return np.where(m > -1, np.log(u), u), ("log", "log of zero", (0,), None)
    if kind == 10:
        return (u - m) ** 0.37, ("pow", "fractional power of a negative number", (-1, 0.37), None)
    return np.arcsin(m + m + 0 * u), ("asin", "outside the domain", (2,), None)


@pytest.mark.parametrize("kind", range(12))
def test_forward(kind):
    for seed in range(-(-SEEDS // 12)):
        rng = np.random.default_rng([kind, seed])
        j, before = int(rng.integers(N)), int(rng.integers(6))
        m = np.eye(N)[j]
        expected = []

        def f(x):
            u = np.abs(_noise(rng, x, before)) + 0.2
            y, want = _forward(kind, rng, m, u * (1 - m))
            expected[:] = want
            return _carry(rng, y)

        with np.errstate(all="ignore"):
            found = cb.nonfinite(f, rng.uniform(0.5, 1.5, N))
        op, what, operands, behind = expected
        assert found, (kind, seed)
        b = found[0]
        assert (b.op, b.kind, b.element, b.sweep) == (op, what, j, ""), (kind, seed, str(found))
        assert np.allclose(b.operands, operands, equal_nan=True), (kind, seed, b)
        assert (b.behind.kind if b.behind else None) == behind, (kind, seed, str(found))
        assert b.file == __file__ and b.line > 0 and b.remedy


def _backward(kind, m, u):
    """Finite values whose gradients are not; (operator, kind, operator differentiated, kind behind)."""
    if kind == 0:
        return np.sqrt(u), ("div", "division by zero", "sqrt", None)
    if kind == 1:
        return np.square(np.sqrt(u)), ("mul", "0 * inf", "sqrt", "division by zero")
    if kind == 2:
        return 1e200 * (1e200 * (1e-300 * u)), ("mul", "overflow", "mul", None)
    if kind == 3:
        return np.arcsin(u * 1e-3 + m), ("reciprocal", "division by zero", "asin", None)
    if kind == 4:
        return np.sum(np.sqrt(u) * np.where(m > 0, 1.0, 2.0)), ("div", "division by zero", "sqrt", None)
    return np.cbrt(u), ("div", "division by zero", "cbrt", None)


@pytest.mark.parametrize("kind", range(6))
def test_backward(kind):
    for seed in range(-(-SEEDS // 6)):
        rng = np.random.default_rng([100 + kind, seed])
        j, before = int(rng.integers(N)), int(rng.integers(4))
        m = np.eye(N)[j]
        expected = []

        def f(x):
            u = np.abs(_noise(np.random.default_rng(seed), x, before)) + 0.2
            y, want = _backward(kind, m, u - m * cb.stop_gradient(u))
            expected[:] = want
            return np.sum(y)

        found = cb.nonfinite(cb.grad(f), rng.uniform(0.5, 1.5, N))
        op, what, of, behind = expected
        assert found, (kind, seed)
        b = found[0]
        if behind is None and b.behind is not None:  # the infinity met its own opposite, or a zero, further on
            assert b.kind in ("inf - inf", "0 * inf")
            b = b.behind
        assert (b.op, b.kind, b.sweep, b.of) == (op, what, "reverse", of), (kind, seed, str(found))
        assert kind == 2 or b.element == j
        assert (b.behind.kind if b.behind else None) == behind, (kind, seed, str(found))
        assert b.file == __file__


def test_optimizer():
    for seed in range(SEEDS):
        rng = np.random.default_rng([200, seed])
        kind, n = seed % 4, int(rng.integers(1, 7))
        j = int(rng.integers(n))
        p = {"a": rng.normal(size=3), "w": rng.normal(size=n)}
        g = {"a": rng.normal(size=3), "w": rng.normal(size=n)}
        method = ["adam", "adamw"][int(rng.integers(2))]
        opt = cb.optim.Optimizer(method, p, epsilon=0.0 if kind == 0 else 1e-8)
        opt.step(g)
        before = {k: v.copy() for k, v in p.items()}
        state = opt.state_dict()
        if kind == 0:
            g["w"][j] = 0
            state["w.m"][j] = state["w.v"][j] = 0
            want = ("div", "0/0", j, None)
        elif kind == 1:
            state["w.v"][j] = -10 - rng.uniform()
            want = ("sqrt", "sqrt of a negative number", j, None)
        elif kind == 2:
            g["w"][j] = 1e200
            want = ("square", "overflow", j, None)
        else:
            state["w.m"][j] = np.nan
            want = (None, "NaN in an input", j, None)
        opt.load_state_dict(state)
        found = opt.nonfinite(g)
        assert found and any((want[0] in (None, b.op)) and (b.kind, b.element) == want[1:3] for b in found), (seed, str(found))
        assert found[0].kind == want[1], (seed, str(found))
        assert all(np.array_equal(before[k], p[k]) for k in p) and opt.steps == 1, "looking changes nothing"
    opt = cb.optim.Adam({"w": np.ones(2)})
    assert not opt.nonfinite({"w": np.ones(2)})


def test_bad_inputs():
    for seed in range(-(-SEEDS // 4)):
        rng = np.random.default_rng([300, seed])
        x = rng.uniform(0.5, 1.5, N)
        j, bad = int(rng.integers(N)), [np.nan, np.inf, -np.inf][seed % 3]
        x[j] = bad
        found = cb.nonfinite(lambda x: _carry(np.random.default_rng(seed), x * 2), x)
        assert (found[0].input, found[0].element) == (0, j) and found[0].kind == ("NaN in an input" if np.isnan(bad) else "infinity in an input")
        for dtype in (np.float64, np.float32, np.float16):
            raw = cb.empty(N, dtype)
            raw[:j] = 1
            found = cb.nonfinite(lambda x: np.sum(x * 2), raw)
            assert (found[0].kind, found[0].element) == ("uninitialised memory in an input", j)


def _clean(kind, rng, x):
    mask = rng.random(N) < 0.5
    mask[int(rng.integers(N))] = True
    s = np.sin(x * rng.uniform(0.5, 3))
    if kind == 0:
        return cb.special.softmax(np.where(mask, s, -np.inf))
    if kind == 1:
        return cb.special.logsumexp(np.where(mask, s, -np.inf))
    if kind == 2:
        return np.where(mask, np.log(np.where(mask, x, 0.0)), 0.0)
    if kind == 3:
        return np.max(np.where(mask, s, -np.inf))
    if kind == 4:
        return np.sum(np.exp(np.where(mask, s, -np.inf)))
    if kind == 5:
        return np.maximum(np.full(N, -np.inf), s)
    if kind == 6:
        return np.where(mask, s / np.where(mask, s + 2, 1), 0) + np.where(mask, 0, 1 / (x + 1))
    if kind == 7:
        return cb.special.softmax(s + np.log(mask.astype(float)))
    if kind == 8:
        return np.linalg.norm(s - s * 1) + np.abs(s).sum()
    return np.sum(np.where(mask, np.sqrt(np.where(mask, x, -1.0)), 0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", range(10))
def test_clean_programs_raise_no_alarm(kind):
    for seed in range(-(-SEEDS // 10)):
        x = np.random.default_rng([400, kind, seed]).uniform(0.5, 1.5, N)

        def f(x):
            rng = np.random.default_rng([kind, seed])
            return _clean(kind, rng, _noise(rng, x, 2))

        found = cb.nonfinite(f, x)
        assert not found, (kind, seed, str(found))
        if kind != 7:
            found = cb.nonfinite(cb.grad(lambda x: np.sum(f(x))), x)
            assert not found, (kind, seed, str(found))


def test_masks_as_inputs():
    def attention(scores, mask):
        return cb.special.softmax(scores + mask), scores + mask

    mask = np.array([0.0, -np.inf, 0.0])
    assert cb.nonfinite(attention, np.ones(3), mask)[0].kind == "infinity in an input"
    assert not cb.nonfinite(attention, np.ones(3), mask, masks=(1,))
    assert not cb.nonfinite(lambda s, m: attention(s, m)[0], np.ones(3), mask)


def test_a_constant_infinity_is_meant_until_a_nan_comes_of_it():
    assert not cb.nonfinite(lambda x: x + np.array([0.0, np.inf]), np.ones(2))
    b = cb.nonfinite(lambda x: x + np.array([0.0, np.inf]) - np.inf, np.ones(2))[0]
    assert b.kind == "inf - inf" and b.behind.kind == "constant"


def test_loops_and_branches():
    def loop(x):
        return cb.scan(lambda c, _: (c * c, c), x, None, length=12)[0]

    b = cb.nonfinite(loop, 10.0)[0]
    assert (b.op, b.kind, b.steps) == ("mul", "overflow", (8,)) and b.file == __file__
    b = cb.nonfinite(cb.grad(lambda x: cb.scan(lambda c, _: (np.sqrt(c - 1), c), x, None, length=2)[0]), 2.0)[0]
    assert (b.sweep, b.of, b.steps) == ("reverse", "sqrt", (1,)) and b.line > 0
    b = cb.nonfinite(lambda x: cb.while_loop(lambda c: c < 1e300, lambda c: c * 1e11, x) * 1e300, 1.0)[0]
    assert (b.op, b.kind, b.steps) == ("mul", "overflow", ())
    b = cb.nonfinite(lambda x: cb.cond(x > 0, lambda x: np.log(x - x), lambda x: x, x), 1.0)[0]
    assert (b.op, b.kind) == ("log", "log of zero")
    b = cb.nonfinite(lambda x: cb.host_call(lambda v: np.log(v), cb.ShapeDtype((), np.float64), x) + 1, 0.0)[0]
    assert b.kind == "the host's function"


def test_products_and_reductions():
    b = cb.nonfinite(lambda a, b: a @ b, np.array([[np.inf, 1.0]]), np.array([[0.0], [1.0]]))[0]
    assert (b.op, b.kind, b.operands) == ("matmul", "0 * inf", (np.inf, 0.0)) and b.behind.input == 0
    b = cb.nonfinite(lambda x: np.sum(x), np.array([1e308, 1e308]))[0]
    assert (b.op, b.kind) == ("sum", "overflow")
    b = cb.nonfinite(lambda x: np.sum(1 / x), np.array([0.0, -0.0]))[0]
    assert b.kind == "inf - inf" and b.behind.kind == "division by zero"
    b = cb.nonfinite(lambda a: np.linalg.cholesky(a), -np.eye(2))[0]
    assert b.kind == "singular matrix"


def test_labels_go_with_derivatives():
    seen = {}

    def f(x):
        y = cb.label(x / 2, "layer1")
        seen["own"] = cb.labels(y)
        seen["origin"] = cb.origin(cb.grad(lambda x: np.cbrt(x))(y))[1]
        return cb.label(np.sqrt(y), "layer2")

    assert cb.nonfinite(cb.grad(f), 0.0)[0].label == "layer2"
    assert seen["own"][0][0] == "layer1" and seen["origin"] == "reverse"


def test_check_finite_says_where():
    f = cb.function(lambda x, y: 1 / x + y, check_finite=True)
    assert f(2.0, 1.0) == 1.5
    with pytest.raises(cb.NonFiniteError, match=r"div\(1, 0\) = inf, division by zero.*test_nonfinite.py:\d+"):
        f(0.0, 1.0)
    big = np.ones(3000)
    big[7] = 0
    with pytest.raises(cb.NonFiniteError, match=r"at \[7\] of f64\[3000\]"):
        f(big, 1.0)


def test_arguments():
    with pytest.raises(cb.InvalidError):
        cb.nonfinite(lambda x: x, 1.0, masks=(3,))
    assert not cb.nonfinite(lambda x: x, np.zeros((0, 3)))
    assert not cb.nonfinite(lambda i: i * 2, 3)
    assert str(cb.nonfinite(lambda x: x, 1.0)) == "all outputs are finite"
    with nullcontext():
        assert cb.nonfinite(cb.function(lambda x: np.log(x)), 0.0)[0].kind == "log of zero"
    half = cb.nonfinite(lambda x: x * x, np.array([300.0], np.float16))[0]
    assert (half.op, half.kind) == ("mul", "overflow") and "65504" in str(half)
    assert cb.nonfinite(lambda x: x * x, np.array([1e30], np.float32))[0].kind == "overflow"
