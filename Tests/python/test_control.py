"""cond, switch, while_loop, fori_loop, map and guards: against Python's own branches and loops, under every transform, randomly nested."""

import ctypes
import time

import numpy as np
import pytest

import camber as cb
from camber.program import refuse

# ---- Random programs: one text, run by Python's statements or by Camber's -------------------------------------------------


def block(rng, depth):
    """Statements over a state (a, b) that stays within a few units."""
    kinds = ["sin", "mix", "square"] + (["if", "while", "for", "switch"] * 2 if depth else [])
    out = []
    for _ in range(int(rng.integers(1, 3))):
        kind = str(rng.choice(kinds))
        part = [block(rng, depth - 1) for _ in range(2)] if kind in ("if", "while", "for", "switch") else []
        out.append((kind, float(rng.uniform(-0.6, 0.6)), int(rng.integers(0, 4)), part))
    return out


def step(kind, k, s):
    a, b = s
    if kind == "sin":
        return np.sin(a + k * b), b
    if kind == "mix":
        return a * b + k, 0.5 * b - 0.25 * a
    return a * a * 0.5 + k * a, np.exp(-b * b)


def plain(program, s):
    for kind, k, n, part in program:
        if kind == "if":
            s = plain(part[0] if s[0] > k else part[1], s)
        elif kind == "while":
            i = 0
            while s[0] < k + 0.5 and i < n:
                s, i = plain(part[0], s), i + 1
        elif kind == "for":
            for _ in range(n):
                s = plain(part[0], s)
        elif kind == "switch":
            s = plain(part[min(n, 1)], s)
        else:
            s = step(kind, k, s)
    return s


def controlled(program, s):
    for kind, k, n, part in program:
        if kind == "if":
            s = cb.cond(s[0] > k, lambda s, p=part[0]: controlled(p, s), lambda s, p=part[1]: controlled(p, s), s)
        elif kind == "while":
            s = cb.while_loop(lambda c, k=k, n=n: (c[0][0] < k + 0.5) & (c[1] < n), lambda c, p=part[0]: (controlled(p, c[0]), c[1] + 1), (s, 0), slots=2)[0]
        elif kind == "for":
            s = cb.fori_loop(0, n, lambda i, s, p=part[0]: controlled(p, s), s)
        elif kind == "switch":
            s = cb.switch((s[0] > 99.0).astype(np.int64) + n, [lambda s, p=p: controlled(p, s) for p in part], s)
        else:
            s = step(kind, k, s)
    return s


@pytest.mark.parametrize("seed", range(5))
def test_random_nesting_against_python(seed):
    rng = np.random.default_rng(100 + seed)
    program = block(rng, 2)

    def loss(run):
        return lambda x: (lambda s: s[0] * 1.5 + s[1] * s[0])(run(program, (x[0], x[1])))

    a, b = loss(controlled), cb.function(loss(plain), guards=True)
    points = rng.uniform(-1, 1, (4, 2))
    value, gradient, hessian = cb.function(a), cb.grad(a), cb.hessian(a)
    for x in points:
        assert np.allclose(value(x), loss(plain)(x), rtol=1e-13, atol=1e-13)
        assert value(x) == b(x)  # the same operators in the same order: the same bits
        assert np.allclose(gradient(x), cb.grad(b)(x), rtol=1e-11, atol=1e-12)
        assert np.allclose(hessian(x), cb.hessian(b)(x), rtol=1e-10, atol=1e-11)
        v = np.array([0.3, -0.7])
        assert np.allclose(cb.jvp(a, (x,), (v,))[1], gradient(x) @ v, rtol=1e-11, atol=1e-12)
    # A batch: predicates differ between its elements.
    assert np.array_equal(cb.vmap(a)(points), np.array([value(x) for x in points]))
    assert np.allclose(cb.vmap(gradient)(points), np.array([gradient(x) for x in points]), rtol=1e-11, atol=1e-12)


# ---- Each by itself ---------------------------------------------------------------------------------------------------------


def test_only_the_branch_taken_runs():
    m = np.random.default_rng(0).standard_normal((300, 300)) / 20

    def dear(x):
        y = m * x
        for _ in range(12):
            y = np.tanh(y @ m)
        return np.sum(y)

    f = cb.function(lambda p, x: cb.cond(p, dear, lambda x: x * 2.0, x))

    def seconds(p, n):
        f(p, 1.0)
        best = np.inf
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(n):
                f(p, 1.0)
            best = min(best, (time.perf_counter() - begin) / n)
        return best

    assert seconds(False, 50) * 20 < seconds(True, 1)


def test_arena_is_the_union_of_branches():
    def work(k):
        return lambda x: np.sum(np.cumsum(np.outer(x * k, x))) + np.sum(np.cumsum(x))

    x = np.ones(200)
    one = cb.function(lambda x: work(1.5)(x)).program(x).memory
    both = cb.function(lambda x: cb.cond(x[0] > 0, work(1.5), work(2.5), x)).program(x).memory
    assert both < 1.2 * one + 4096


def test_reverse_of_while_in_fixed_memory():
    def f(x, n):
        return cb.fori_loop(0, n, lambda i, y: np.sin(y) * 1.1 + x, x)

    def reference(x, n):
        y, d = x, 1.0
        for _ in range(n):
            y, d = np.sin(y) * 1.1 + x, np.cos(y) * 1.1 * d + 1
        return y, d

    for slots in (1, 3, 20):
        g = cb.value_and_grad(lambda x, n, slots=slots: cb.fori_loop(0, n, lambda i, y: np.sin(y) * 1.1 + x, x, slots=slots))
        for n in (0, 1, 2, 7, 60):
            assert np.allclose(g(0.3, n), reference(0.3, n), rtol=1e-12)
    g = cb.value_and_grad(f)
    assert np.allclose(g(0.3, 20000), reference(0.3, 20000), rtol=1e-9)
    assert g.program(0.3, 5).memory < 64 * 1024


def test_structures_and_types_are_kept():
    tree = {"a": np.ones((2, 3)), "b": (np.float32(1.5), 2)}
    out = cb.while_loop(lambda c: c["b"][1] < 5, lambda c: {"a": c["a"] * 2, "b": (c["b"][0], c["b"][1] + 1)}, tree)
    assert np.array_equal(out["a"], np.full((2, 3), 8.0)) and out["b"][0].dtype == np.float32 and out["b"][1] == 5
    assert cb.cond(True, lambda: (1, 2.0), lambda: (1.5, 3.0)) == (1.0, 2.0)
    got = cb.switch(1, [lambda d: {"y": d["x"]}, lambda d: {"y": -d["x"]}], {"x": np.arange(3.0)})
    assert np.array_equal(got["y"], [0, -1, -2])
    assert cb.while_loop(lambda x: x < 0, lambda x: x + 1, 3.0, max_steps=4) == 3
    assert cb.while_loop(lambda x: x < 100, lambda x: x + 1, 3.0, max_steps=4) == 7
    empty = cb.map(lambda x: x * 2, np.zeros((0, 3)))
    assert empty.shape == (0, 3)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 7, 9])
def test_map(batch_size):
    xs = np.random.default_rng(3).standard_normal((7, 4))
    k = np.arange(4.0)
    f = lambda x: (np.sum(np.sin(x * k)), x[::-1])
    a, b = cb.map(f, xs, batch_size=batch_size)
    assert np.allclose(a, np.sin(xs * k).sum(1), rtol=1e-14) and np.array_equal(b, xs[:, ::-1])
    g = cb.grad(lambda xs, k: np.sum(cb.map(lambda x: np.sum(np.sin(x * k)), xs, batch_size=batch_size) ** 2), argnums=(0, 1))(xs, k)
    s = np.sin(xs * k).sum(1)[:, None]
    assert np.allclose(g[0], 2 * s * np.cos(xs * k) * k) and np.allclose(g[1], (2 * s * np.cos(xs * k) * xs).sum(0))


def test_guards():
    traced = []

    @cb.function(guards=True)
    def f(x, n):
        traced.append(1)
        y = x
        while y < 10 and n > 0:
            y, n = y * x, n - 1
        return y if y > 3 else -y

    def reference(x, n):
        y = x
        while y < 10 and n > 0:
            y, n = y * x, n - 1
        return y if y > 3 else -y

    for x, n in [(2.0, 9), (3.0, 9), (2.5, 9), (1.0, 2), (2.0, 9), (3.1, 9), (1.1, 2), (-1.0, 3)]:
        assert f(x, n) == reference(x, n)
    count = len(traced)
    assert f(2.1, 9) == reference(2.1, 9) and len(traced) == count  # goes as (2.0, 9) does
    program = next(iter(f._traces.values()))[0].program
    with pytest.raises(cb.FlippedError, match=r"test_control\.py:\d+.*is \w+ here and was \w+ when recorded"):
        _run(program, 50.0, 9)
    with pytest.raises(cb.TracedError):
        cb.vmap(f)(np.ones(2), np.array([1, 2]))


def _run(program, *arguments):
    arrays, out = [np.asarray(a, dt) for a, dt in zip(arguments, (np.float64, np.int64))], np.empty(())
    addresses = (ctypes.c_void_p * 2)(*[a.ctypes.data for a in arrays])
    workspace = program.workspace
    status = cb.lib.run(program.handle, workspace.handle, addresses, (ctypes.c_void_p * 1)(out.ctypes.data))
    if status:
        refuse(status, workspace)


def test_refusals():
    x = np.float64(1.0)
    cases = [
        (lambda x: cb.cond(x, lambda: 1.0, lambda: 2.0), cb.DtypeError, "cond: the predicate is f64"),
        (lambda x: cb.cond(np.ones(2) * x > 0, lambda: 1.0, lambda: 2.0), cb.ShapeError, r"cond: the predicate is bool\[2\]"),
        (lambda x: cb.cond(x > 0, lambda x: x, lambda x: (x, x), x), cb.InvalidError, "cond: the true branch gives a tree"),
        (lambda x: cb.cond(x > 0, lambda x: x, lambda x: x * np.ones(2), x), cb.ShapeError, r"cond: result 0 is f64\[\] in the true branch and f64\[2\] in the false branch"),
        (lambda x: cb.cond(x > 0, lambda x: x.astype(np.float32), lambda x: x, x), cb.DtypeError, r"cond: result 0 is f32\[\] in the true branch and f64\[\]"),
        (lambda x: cb.switch(x, [lambda: 1.0]), cb.DtypeError, "switch: the index is f64"),
        (lambda x: cb.switch(1, [], x), cb.InvalidError, "switch: needs at least one branch"),
        (lambda x: cb.while_loop(lambda c: c, lambda c: c, x), cb.DtypeError, "while_loop: cond_fun gives f64"),
        (lambda x: cb.while_loop(lambda c: c < 3, lambda c: c * np.ones(2), x), cb.ShapeError, r"while_loop: carry 0 begins as f64\[\] and the body gives f64\[2\]"),
        (lambda x: cb.while_loop(lambda c: c[0] < 3, lambda c: c[0], (x, x)), cb.InvalidError, "while_loop: the new carry"),
        (lambda x: cb.while_loop(lambda c: c < 3, lambda c: c, x, max_steps=-1), cb.InvalidError, "max_steps"),
        (lambda x: cb.map(lambda v: v, x), cb.ShapeError, "map: xs are arrays with a leading axis"),
        (lambda x: cb.map(lambda v: v, np.ones(3) * x, batch_size=0), cb.InvalidError, "map: batch_size 0"),
    ]
    for f, kind, words in cases:
        with pytest.raises(kind, match=words):
            cb.function(f)(x)
