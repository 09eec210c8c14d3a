"""Sparse derivatives: ways to find a pattern, declared sparsity, edge pushing, sizes, threads, ADBench's bundle adjustment."""

from pathlib import Path

import adbench_models as models
import numpy as np
import pytest
import scipy.sparse as ss
from test_sparse import _close, structured

import camber as cb

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "adbench" / "ba"


def mask(j):
    found = np.zeros(j.shape, bool)
    found[j.row, j.col] = True
    return found


# ---- Words and sets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(4))
def test_words_find_what_sets_find(block):
    for seed in range(2000 + block * 15, 2015 + block * 15):
        f, n = structured(seed)
        x = np.random.default_rng(seed).uniform(0.2, 1.1, n)
        dense, other = (cb.jacobian(f, mode=m)(x) for m in ("forward", "reverse"))
        one = {d: cb.sparse_jacobian(f, coloring="forward", detection=d)(x) for d in ("sets", "words", "reverse_words")}
        for d, j in one.items():
            assert j.detection == d
            _close(j.to_dense(), dense, other)
        assert np.array_equal(mask(one["sets"]), mask(one["words"]))
        assert np.all(dense[~mask(one["reverse_words"])] == 0)


WIDE = {
    "band": lambda n: lambda x: sum(np.roll(x, k) ** 2 for k in range(1, 6)) * x,
    "halves": lambda n: lambda x: np.cumsum(np.sin(x).reshape(-1, 7), axis=1).ravel() * x,
    "arrow": lambda n: lambda x: np.concatenate([np.sum(x * x)[None], x[1:] * x[0]]),
    "gathered": lambda n: lambda x: x[np.random.default_rng(3).integers(0, n, (n, 9))].prod(1),
    "tall": lambda n: lambda x: np.sin(x)[np.random.default_rng(4).integers(0, n, (3 * n, 2))].sum(1),
    "wide": lambda n: lambda x: (np.random.default_rng(5).random((5, n)) < 0.3) @ np.sin(x),
    "scan": lambda n: lambda x: cb.scan(lambda c, v: (np.sin(c) * 0.5 + v, c[0] * v[1]), np.zeros(7), x.reshape(-1, 7))[1],
    "branches": lambda n: lambda x: cb.cond(x[0] > 0, lambda: np.roll(x, 1) * x, lambda: x[::-1]),
}


@pytest.mark.parametrize("name", WIDE)
def test_more_columns_than_a_word_holds(name):
    # 4,200 columns are split twice: 64 groups of 4,096, each into 64 of 64, those into columns.
    n = 4200
    f, x = WIDE[name](n), np.ones(n)
    made = {d: cb.sparse_jacobian(f, coloring="reverse" if name == "wide" else "forward", detection=d).prepare(x) for d in ("sets", "words", "reverse_words")}
    for d in ("words", "reverse_words"):
        assert made[d].detection == d
        for a, b in zip(made[d].lists, made["sets"].lists):
            assert np.array_equal(a, b)


def test_words_take_over_where_rows_are_long():
    rng = np.random.default_rng(1)
    n = 600
    picks = [np.where(rng.random((n, n)) < 0.2, rng.normal(size=(n, n)), 0.0) for _ in range(2)]

    def f(x):
        return np.sin(picks[1] @ np.sin(picks[0] @ x))

    auto = cb.sparse_jacobian(f, coloring="forward", pattern=None).prepare
    assert auto(np.ones(n)).detection in ("words", "reverse_words")
    short = cb.sparse_jacobian(lambda x: cb.scan(lambda c, v: (c, v * v), 0.0, x)[1])(np.ones(300))
    assert short.detection == "sets" and short.nnz == 300
    assert cb.sparse_jacobian(lambda x: cb.scan(lambda c, v: (c, v * v), 0.0, x)[1])(np.ones(30)).detection == "words"
    assert cb.sparse_jacobian(lambda x: x * x)(np.ones(300)).detection == "auto"


def test_words_at_a_point():
    f = lambda x: cb.cond(x[0] > 0, lambda: x * 2, lambda: x[::-1])  # noqa: E731
    x = np.ones(90)
    for d in ("sets", "words", "reverse_words"):
        assert cb.sparse_jacobian(f, at=(x,), detection=d, coloring="forward")(x).nnz == 90
        assert cb.sparse_jacobian(f, detection=d, coloring="forward")(x).nnz == 180
    with pytest.raises(cb.InvalidError, match="detection: 'guess'"):
        cb.sparse_jacobian(f, detection="guess")


def test_loops_of_unknown_length():
    def grows(x):
        return cb.while_loop(lambda s: s[0] < 1e9, lambda s: (s[0] + np.sum(s[1] * 0.0) + 1.0, np.roll(s[1], 1) * 0.5 + s[1]), (0.0, x))[1]

    x = np.ones(9)
    loop = lambda x: cb.while_loop(lambda s: s[0] < 3.0, lambda s: (s[0] + 1.0, np.roll(s[1], 1) * 0.5 + s[1]), (0.0, x))[1]  # noqa: E731
    for d in ("sets", "words"):
        j = cb.sparse_jacobian(loop, detection=d, coloring="forward")(x)
        # However often it runs, everything may be reached.
        assert j.nnz == 81 and np.allclose(j.to_dense(), cb.jacobian(loop, mode="forward")(x))
    with pytest.raises(cb.InvalidError, match="unknown length has carries that depend on more after each of 4096 steps; give the pattern"):
        cb.sparse_jacobian(loop, detection="words", coloring="forward").prepare(np.ones(6000))
    three = np.zeros((9, 9), bool)
    for k in range(4):
        three[np.arange(9), (np.arange(9) - k) % 9] = True
    given = cb.sparse_jacobian(loop, pattern=three)(x)
    assert given.nnz == 36 and np.allclose(given.to_dense(), cb.jacobian(loop, mode="forward")(x))
    assert grows is not None


def test_too_many_entries_are_said():
    with pytest.raises(cb.Error, match="2500000000 entries; fewer than 2.31"):
        cb.sparse_jacobian(np.sort, detection="sets", coloring="forward").prepare(np.ones(50000))
    with pytest.raises(cb.Error, match="fewer than 2.31|outgrew"):
        cb.sparse_jacobian(np.sort).prepare(np.ones(50000))


# ---- The host's own operators -----------------------------------------------------------------------------------------------------


def _value(x):
    return x * np.roll(x, 1)


def _push(x, y, dx):
    return dx[0] * np.roll(x[0], 1) + x[0] * np.roll(dx[0], 1)


def _pull(x, y, ct):
    return (ct * np.roll(x[0], 1) + np.roll(ct * x[0], -1),)


def _ring(k, i, n=70):
    r = np.arange(n)
    return np.concatenate([r, r]), np.concatenate([r, (r - 1) % n])


@pytest.mark.parametrize("mode", ["jvp", "vjp", "both"])
def test_declared_sparsity_makes_the_pattern(mode):
    n = 70
    x = np.linspace(0.5, 1.5, n)
    rules = {"jvp": _push} if mode == "jvp" else {"vjp": _pull} if mode == "vjp" else {"jvp": _push, "vjp": _pull}

    def f(x):
        return np.sin(cb.host_call(_value, x, x, sparsity=_ring, **rules)) * x[::-1]

    j = cb.sparse_jacobian(f)(x)
    dense = np.zeros((n, n))
    r = np.arange(n)
    y = _value(x)
    dense[r, r] += np.cos(y) * np.roll(x, 1) * x[::-1]
    dense[r, (r - 1) % n] += np.cos(y) * x * x[::-1]
    dense[r, n - 1 - r] += np.sin(y)
    assert j.nnz == np.count_nonzero(dense) and j.colors.max() <= 6
    assert np.allclose(j.to_dense(), dense, rtol=1e-14, atol=1e-15)
    assert j.method == ("reverse" if mode == "vjp" else j.method)
    whole = cb.sparse_jacobian(lambda x: cb.host_call(_value, x, x, **rules))(x)
    assert whole.nnz == n * n
    if mode == "vjp":
        with pytest.raises(cb.DerivativeError, match="forward mode needs a jvp"):
            cb.sparse_jacobian(f, coloring="forward")(x)


def test_declared_sparsity_of_batches_and_wrong_ones():
    x = np.linspace(0.5, 1.5, 210).reshape(3, 70)
    one = lambda x: cb.host_call(_value, x, x, sparsity=_ring, jvp=_push)  # noqa: E731
    j = cb.sparse_jacobian(cb.vmap(one))(x)
    assert j.nnz == 3 * 140 and j.colors.max() <= 3
    assert np.allclose(j.to_dense(), cb.jacobian(lambda x: x * np.roll(x, 1, axis=1))(x).reshape(210, 210))
    two = cb.sparse_jacobian(cb.vmap(cb.vmap(one)))(x.reshape(3, 1, 70))
    assert two.nnz == 420 and np.array_equal(two.to_dense(), j.to_dense())
    with pytest.raises(cb.Error, match=r"its sparsity has place \(0, 70\) of 70 by 70"):
        cb.sparse_jacobian(lambda x: cb.host_call(_value, x, x, sparsity=lambda k, i: ([0], [70]), jvp=_push))(x[0])
    short = cb.sparse_jacobian(lambda x: cb.host_call(_value, x, x, sparsity=lambda k, i: (np.arange(70), np.arange(70)), jvp=_push, vjp=_pull))
    with pytest.raises(cb.InvalidError, match="lacks entry"):
        short.check(x[0])


def test_a_check_by_reverse_mode_alone():
    x = np.linspace(0.5, 1.5, 70)
    whole = lambda x: cb.host_call(_value, x, x, sparsity=_ring, vjp=_pull)  # noqa: E731
    cb.sparse_jacobian(whole).check(x)
    cb.sparse_jacobian(lambda x: (np.sin(whole(x)), whole(x)[:0], np.float32(2) * x.astype(np.float32))).check(x)
    # A ring without its last place, an entry from elsewhere, and a pattern of the host's own.
    short = cb.sparse_jacobian(lambda x: cb.host_call(_value, x, x, sparsity=lambda k, i: (_ring(0, 0)[0][:-1], _ring(0, 0)[1][:-1]), vjp=_pull))
    with pytest.raises(cb.InvalidError, match=r"lacks entry \(69, 68\)"):
        short.check(x)
    j = np.eye(70, dtype=bool)
    with pytest.raises(cb.InvalidError, match=r"lacks entry \(\d+, \d+\)"):
        cb.sparse_jacobian(whole, pattern=j).check(x)
    with pytest.raises(cb.InvalidError, match="lacks entry"):
        cb.sparse_jacobian(lambda x: (x[::-1] * 2.0, whole(x)), pattern=np.concatenate([np.eye(70, dtype=bool)[::-1], j])).check(x, probes=3)


def test_rules_of_nodes_make_patterns_of_their_own():
    @cb.custom_vjp
    def straight(x):
        return np.floor(x)

    straight.defvjp(lambda x: (straight(x), None), lambda r, ct: (ct,))

    @cb.custom_jvp
    def shifted(x, y):
        return np.sort(x) + np.sum(y)

    shifted.defjvp(lambda p, t: (shifted(*p), np.roll(t[0], 1) * p[1] + 0 * t[1]))
    n = 70
    x = np.linspace(0.5, 1.5, n)
    eye, r = np.eye(n, dtype=bool), np.arange(n)
    for detection in ("auto", "sets", "words", "reverse_words"):
        made = lambda f: mask(cb.sparse_jacobian(f, detection=detection, coloring="forward")(x))  # noqa: E731, B023
        assert np.array_equal(made(straight), eye) and np.array_equal(made(lambda x: shifted(x, x)), np.roll(eye, 1, 0))
        # Behind an operator of the host's that declares its places, where the derivative's own reading cannot tell.
        ring = eye | np.roll(eye, 1, 0)
        host = lambda x: cb.host_call(_value, x, x, sparsity=_ring, jvp=_push, vjp=_pull)  # noqa: E731
        assert np.array_equal(made(lambda x: straight(host(x))), ring) and np.array_equal(made(lambda x: shifted(host(x), x)), np.roll(ring, 1, 0))
        assert np.array_equal(made(lambda x: cb.vmap(lambda x: straight(host(x)))(x[None])[0]), ring)
    # A linear one that is its own derivative, again and again.
    @cb.custom_jvp
    def turned(x):
        return x[::-1] * 2.0

    turned.defjvp(lambda p, t: (turned(*p), turned(*t)))
    j = cb.sparse_jacobian(lambda x: turned(x * x))(x)
    assert np.allclose(j.to_dense(), 4 * eye[::-1] * x)
    j = cb.sparse_jacobian(lambda x: straight(host(x)))(x)
    assert np.allclose(j.to_dense(), cb.jacobian(lambda x: x * np.roll(x, 1))(x)) and r.size == n


# ---- Edge pushing -----------------------------------------------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("block", range(3))
def test_edge_pushing_equals_dense_hessians(block):
    for seed in range(3000 + 12 * block, 3012 + 12 * block):
        g, n = structured(seed)
        f = lambda x, g=g: np.sum(g(x) ** 3) + np.sum(np.sin(g(x)))  # noqa: E731
        x, triangle = np.random.default_rng(seed).uniform(0.2, 1.1, n), ["full", "lower", "upper"][seed % 3]
        got = cb.sparse_hessian(f, method="edge_pushing", triangle=triangle)(x)
        assert got.method == "edge_pushing"
        dense = cb.hessian(f)(x)
        part = {"full": dense, "lower": np.tril(dense), "upper": np.triu(dense)}[triangle]
        scale = np.abs(dense).max(axis=1, keepdims=True)
        assert np.all(np.abs(got.to_dense() - part) <= 2e-14 * np.maximum(scale, scale.T) + 1e-300), seed


EDGES = {
    "products": lambda x: x[0] * x[1] * x[2] + x[0] ** 3,
    "one value twice": lambda x: (lambda s: s * s + np.sin(s) * s)(x[0] * x[1]) + x[2],
    "norm": lambda x: np.linalg.norm(x) ** 3,
    "logsumexp": lambda x: np.log(np.sum(np.exp(x * x))),
    "prod": lambda x: np.prod(np.sin(x)) * x[0],
    "matmul": lambda x: np.sum(np.sin(x.reshape(1, 3).T @ x.reshape(1, 3))),
    "solve": lambda x: np.sum(np.linalg.solve(np.diag(x + 2) + 0.1 * np.outer(x, x), x)),
    "masks": lambda x: np.sum(np.where(x > 0.6, x**3, x[::-1] * x)) + np.sum(np.maximum(x, x[::-1]) ** 2) + np.max(x) ** 2,
    "loop": lambda x: cb.scan(lambda c, v: (np.sin(c * v), c), x[0], x)[0],
    "division": lambda x: np.sum(x / (1 + x[::-1])) + np.arctan2(x[0], x[1]) + np.hypot(x[1], x[2]) + x[0] ** x[1],
    "linear": lambda x: np.sum(3 * x) - x[0],
    "gather": lambda x: np.sum(x[np.array([0, 0, 2])] ** 2 * x[1]),
}


@pytest.mark.parametrize("name", EDGES)
def test_edge_pushing_of_operators(name):
    x = np.array([0.4, 0.7, 0.9])
    got = cb.sparse_hessian(EDGES[name], method="edge_pushing")(x)
    assert np.allclose(got.to_dense(), cb.hessian(EDGES[name])(x), rtol=1e-12, atol=1e-13)
    assert np.allclose(cb.hessian(EDGES[name], method="edge_pushing")(x), cb.hessian(EDGES[name])(x), rtol=1e-12, atol=1e-13)


def test_edge_pushing_of_sums_in_loops():
    x = np.linspace(0.3, 1.2, 8)
    diagonal = lambda x: cb.scan(lambda c, v: (c + np.sin(v) * v, None), 0.0 * x[0], x)[0]  # noqa: E731
    pairs = lambda x: cb.scan(lambda c, v: (c + np.sin(v[0]) * v[1], None), 0.0 * x[0], np.stack([x[:-1], x[1:]], 1))[0]  # noqa: E731
    coupled = lambda x: cb.scan(lambda c, v: (c * v, None), 1.0 + 0.0 * x[0], x[:3])[0]  # noqa: E731
    # sin(a) b has no second derivative in b: the last diagonal entry is none.
    for f, nnz in ((diagonal, 8), (pairs, 7 + 14), (coupled, 6)):
        h = cb.sparse_hessian(f, method="edge_pushing")(x)
        assert h.nnz == nnz and np.allclose(h.to_dense(), cb.hessian(f)(x), rtol=1e-13, atol=1e-14)


def test_edge_pushing_counts():
    # By hand: a product's second partial is 1, its adjoint 1: nothing is multiplied.
    assert cb.edge_pushing_cost(lambda x: x[0] * x[1] + x[2] * x[3], np.ones(4))[2:] == (0, 0)
    assert cb.sparse_hessian(lambda x: x[0] * x[1] + x[2] * x[3], method="edge_pushing")(np.ones(4)).nnz == 4
    # sin(u), u = xy: W[u,u] = -sin u; its row is pushed: y w, then y(y w), x(y w), x w, x(x w); and cos u on the pair (x, y), which meets x(y w).
    assert cb.edge_pushing_cost(lambda x: np.sin(x[0] * x[1]), np.ones(2))[2:] == (5, 1)
    # Of a partially separable sum as many for each element, and the entries of the true pattern.
    assert [cb.edge_pushing_cost(rosenbrock, np.ones(n)).products for n in (3, 12, 40)] == [5 * 2, 5 * 11, 5 * 39]
    h = cb.sparse_hessian(rosenbrock, method="edge_pushing")(np.ones(40))
    assert h.nnz == 3 * 40 - 2
    with pytest.raises(cb.ShapeError, match="not a scalar"):
        cb.edge_pushing_cost(np.sin, np.ones(2))
    with pytest.raises(cb.InvalidError, match="edge_pushing is for Hessians"):
        cb.sparse_jacobian(np.sin, method="edge_pushing")(np.ones(2))
    with pytest.raises(cb.InvalidError, match="scalars are computed"):
        cb.sparse_hessian(rosenbrock, method="edge_pushing")(np.ones(9000))
    f = cb.sparse_lagrangian(lambda x: (np.sum(x**3), x[1:] * np.sin(x[:-1])), coloring="edge_pushing")
    x, w = np.linspace(0.3, 1, 6), (0.7, np.linspace(-1, 1, 5))
    want = cb.hessian(lambda x: w[0] * np.sum(x**3) + np.sum(w[1] * x[1:] * np.sin(x[:-1])))(x)
    assert np.allclose(f(x, weights=w).to_dense(), want, rtol=1e-13, atol=1e-14)
    assert cb.sparse_hessian(lambda x: np.sum(x), method="edge_pushing")(np.ones(4)).nnz == 0
    assert cb.sparse_hessian(lambda x: x * x * x, method="edge_pushing")(np.float32(2)).data == np.float32(12)


def test_partially_separable_sums():
    """As an array of elements, and as a loop that adds them up: the entries of the elements alone."""
    n = 300
    x = np.linspace(0.1, 1, n)

    def looped(x):
        def step(s, i):
            a, b = x[i], x[i + 1]
            return s + np.sin(a * b) * a, None

        return cb.scan(step, 0.0, np.arange(n - 1))[0]

    def arrays(x):
        return np.sum(np.sin(x[:-1] * x[1:]) * x[:-1])

    want = cb.sparse_hessian(arrays)(x)
    assert want.nnz == 3 * n - 2 and want.method == "accumulate"
    assert np.allclose(want.to_dense(), cb.hessian(arrays)(x), rtol=1e-12, atol=1e-13)
    got = cb.sparse_hessian(looped)(x)
    assert np.allclose(got.to_dense(), want.to_dense(), rtol=1e-12, atol=1e-13)
    assert got.nnz <= n * n


# ---- Threads ----------------------------------------------------------------------------------------------------------------------


def test_same_bits_at_any_number_of_threads():
    n = 40000
    x = np.random.default_rng(2).normal(size=n)
    w = np.random.default_rng(3).normal(size=(n // 8, 8, 8))
    cases = [
        (cb.sparse_jacobian, lambda x: np.sin(x) * np.roll(x, 1) + np.exp(np.roll(x, -1)), ("accumulate", "forward", "reverse")),
        (cb.sparse_jacobian, lambda x: cb.vmap(lambda a, v: np.tanh(a @ v) * v)(w, x.reshape(-1, 8)), ("accumulate", "forward")),
        (cb.sparse_hessian, rosenbrock, ("accumulate", "star", "acyclic")),
    ]
    for make, f, colorings in cases:
        for coloring in colorings:
            one, *others = (make(f, coloring=coloring, threads=k)(x).data for k in (1, 2, 3, 0))
            assert all(np.array_equal(one, o) for o in others), coloring


# ---- Bundle adjustment --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not DATA.is_dir(), reason=f"ADBench's inputs are not at {DATA}")
@pytest.mark.parametrize("name", ["test", "ba1_n49_m7776_p31843", "ba2_n21_m11315_p36455"])
def test_bundle_adjustment_equals_dense_blocks(name):
    cameras, points, weights, features, who, what = models.read_ba(DATA / f"{name}.txt")
    p = len(who)

    def residuals(v):
        c, q, w = v
        return cb.vmap(models.reprojection)(c[who], q[what], w, features), cb.vmap(models.weight_error)(w)

    j = cb.sparse_jacobian(residuals)((cameras, points, weights))
    # A principal point's coordinate moves one of two residuals: 29 of 31 entries.
    assert j.shape == (3 * p, cameras.size + points.size + p) and j.nnz == 29 * p
    blocks = cb.vmap(cb.jacobian(models.reprojection, argnums=(0, 1, 2)))(cameras[who], points[what], weights, features)
    rows = np.concatenate([blocks[0], blocks[1], blocks[2][..., None]], axis=2)
    columns = np.concatenate([11 * who[:, None] + np.arange(11), cameras.size + 3 * what[:, None] + np.arange(3), cameras.size + points.size + np.arange(p)[:, None]], axis=1)
    at = np.repeat(np.arange(2 * p), 15), np.repeat(columns, 2, axis=0).ravel()
    w = cb.vmap(cb.grad(models.weight_error))(weights)
    dense = ss.csr_matrix((np.concatenate([rows.ravel(), w]), (np.concatenate([at[0], 2 * p + np.arange(p)]), np.concatenate([at[1], columns[:, -1]]))), shape=j.shape)
    apart, scale = (abs(m).max(axis=1).toarray().ravel() for m in (j.to_scipy() - dense, dense))
    assert np.all(apart <= 1e-14 * scale)
