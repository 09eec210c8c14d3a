"""Sparse Jacobians and Hessians against dense ones; patterns; colourings; what is wrong is said."""

import threading

import numpy as np
import pytest
import scipy.sparse as ss

import camber as cb

# ---- Programs of many structures --------------------------------------------------------------------------------------------------


def _unary(rng, v):
    k = rng.integers(7)
    return [np.sin, np.tanh, lambda a: a * a, lambda a: np.exp(0.3 * a), lambda a: 1 / (2 + a * a), lambda a: np.sqrt(1 + a * a), lambda a: -0.5 * a][k](v)


def structured(seed):
    """A function of a vector, and the vector's length: stencils, gathers, blocks, masks, scatters, reductions, products, by the seed."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 14))
    steps = [(int(rng.integers(14)), int(rng.integers(1 << 30))) for _ in range(int(rng.integers(2, 7)))]

    def f(x):
        v = x
        for kind, s in steps:
            r = np.random.default_rng(s)
            m = v.shape[0]
            if kind == 0:
                v = _unary(r, v)
            elif kind == 1:
                v = v * np.roll(v, int(r.integers(1, m + 1)))
            elif kind == 2:
                v = np.concatenate([v[1:] - v[:-1] ** 2, v[:1]])
            elif kind == 3:
                v = v[r.integers(0, m, int(r.integers(2, m + 2)))] * float(r.normal())
            elif kind == 4:
                v = np.where(r.random(m) < 0.5, v, np.sin(v) * v[::-1])
            elif kind == 5:
                v = v * (r.random(m) < 0.7) + np.cos(v) - np.cos(v) + 0.1 * v
            elif kind == 6:
                a = np.where(r.random((m, m)) < 0.25, r.normal(size=(m, m)), 0.0)
                v = a @ v + v
            elif kind == 7 and m % 2 == 0:
                w = v.reshape(2, m // 2)
                v = (w * w[::-1]).T.ravel() + 0.5 * v
            elif kind == 8:
                v = np.pad(v[1:], (0, 1)) * 2 - 3 * v + np.pad(v[:-1], (1, 0)) * v
            elif kind == 9:
                v = v + 0.01 * np.sum(v[: max(1, m // 3)])
            elif kind == 10:
                i = r.integers(0, m, m)
                v = cb.ops.segment_sum(_unary(r, v), i, m) + v if hasattr(cb.ops, "segment_sum") else v
            elif kind == 11:
                v = np.maximum(v, 0.3 * v[::-1])
            elif kind == 12:
                w = np.stack([v, np.sin(v), v * v], axis=1)
                v = np.sum(w * np.array([0.5, 0.0, -0.2]), axis=1)
            elif kind == 13:
                v = cb.vmap(lambda a: a * np.sin(a))(v)
        return v

    return f, n


def _close(sparse, dense, other=None):
    """To 1e-14 of the row; where dense Jacobians of the two modes differ by more than a rounding (rows that cancel), to eight times that."""
    scale = np.abs(dense).max(axis=1, keepdims=True) if dense.size else np.ones((1, 1))
    noise = np.abs(dense - other).max(axis=1, keepdims=True) if other is not None and dense.size else 0.0
    assert np.all(np.abs(sparse - dense) <= 1e-14 * scale + 8 * noise), np.abs(sparse - dense).max()


@pytest.mark.parametrize("block", range(10))
def test_jacobians_equal_dense_ones(block):
    methods = ["auto", "auto", "forward", "reverse", "star_bicoloring", "accumulate"]
    for seed in range(block * 24, block * 24 + 24):
        f, n = structured(seed)
        x = np.random.default_rng(seed).uniform(0.2, 1.1, n)
        method, form = methods[seed % 6], ["csr", "csc", "coo"][seed % 3]
        try:
            jacobian = cb.sparse_jacobian(f, coloring=method, format=form)
            got = jacobian(x)
        except cb.InvalidError as e:
            assert method == "accumulate" and "accumulated" in str(e)
            continue
        dense, other = (cb.jacobian(f, mode=m)(x) for m in ("forward", "reverse"))
        _close(got.to_dense(), dense, other)
        assert np.array_equal(got.to_scipy().toarray(), got.to_dense())
        assert np.all(dense[_zeros(got)] == 0)


def _zeros(m):
    mask = np.ones(m.shape, bool)
    mask[m.row, m.col] = False
    return mask


@pytest.mark.parametrize("block", range(6))
def test_hessians_equal_dense_ones(block):
    methods = ["auto", "star", "acyclic", "accumulate", "forward", "reverse"]
    for seed in range(1000 + block * 16, 1000 + block * 16 + 16):
        g, n = structured(seed)

        def f(x, g=g):
            v = g(x)
            return np.sum(v * v * v) + np.sum(np.sin(v))

        x = np.random.default_rng(seed).uniform(0.2, 1.1, n)
        method, triangle = methods[seed % 6], ["full", "lower", "upper"][seed % 3]
        try:
            got = cb.sparse_hessian(f, coloring=method, triangle=triangle)(x)
        except cb.InvalidError as e:
            assert method == "accumulate" and "accumulated" in str(e)
            continue
        dense = cb.hessian(f)(x)
        part = {"full": dense, "lower": np.tril(dense), "upper": np.triu(dense)}[triangle]
        scale = np.abs(dense).max(axis=1, keepdims=True)
        # Substitution adds up along paths.
        limit = 1e-11 if method == "acyclic" else 2e-14
        assert np.all(np.abs(got.to_dense() - part) <= limit * np.maximum(scale, scale.T) + 1e-300), (seed, method)


# ---- Patterns --------------------------------------------------------------------------------------------------------------------------


def _pattern(f, x, **options):
    j = cb.sparse_jacobian(f, **options)(np.asarray(x, float))
    mask = np.zeros(j.shape, int)
    mask[j.row, j.col] = 1
    return mask


@pytest.mark.parametrize("coloring", ["auto", "forward"])
def test_structure_is_seen(coloring):
    x = np.arange(1.0, 7.0)
    eye = np.eye(6, dtype=int)
    assert np.array_equal(_pattern(lambda x: np.sin(x) - np.sin(x) + 2 * x, x, coloring=coloring), eye)
    assert _pattern(lambda x: x - x, x, coloring=coloring).sum() == 0
    assert _pattern(lambda x: x * np.zeros(6), x, coloring=coloring).sum() == 0
    assert _pattern(lambda x: np.floor(x) + np.sign(x), x, coloring=coloring).sum() == 0
    assert np.array_equal(_pattern(lambda x: x * np.array([1, 0, 1, 0, 1, 0.0]), x, coloring=coloring), np.diag([1, 0, 1, 0, 1, 0]))
    a = np.diag(np.arange(1.0, 7.0)) + np.diag(np.ones(5), 1)
    assert np.array_equal(_pattern(lambda x: a @ x, x, coloring=coloring), (a != 0).astype(int))
    assert np.array_equal(_pattern(lambda x: x.reshape(2, 3).T.ravel(), x, coloring=coloring), eye[[0, 3, 1, 4, 2, 5]])
    assert np.array_equal(_pattern(lambda x: np.sum(x.reshape(2, 3), axis=0), x, coloring=coloring), np.hstack([np.eye(3, dtype=int)] * 2))
    assert np.array_equal(_pattern(lambda x: np.where(np.array([1, 0, 1, 0, 1, 0], bool), x, x[::-1]), x, coloring=coloring)[1], eye[4])


def test_patterns_of_loops_factorizations_and_products():
    tri = np.tril(np.ones((4, 4), int))
    assert np.array_equal(_pattern(np.cumsum, np.ones(4)), tri)

    def chain(x):
        def step(c, v):
            c = np.sin(c) * 0.5 + v
            return c, c

        return cb.scan(step, x[0] * 0.0, x)[1]

    assert np.array_equal(_pattern(chain, np.ones(4)), tri)
    assert _pattern(lambda x: np.linalg.solve(np.eye(2) * 3 + x.reshape(2, 2), np.ones(2)), np.ones(4)).all()
    got = _pattern(lambda x: np.linalg.inv(np.eye(2) * 3 + x.reshape(2, 2, 2)).ravel(), np.ones(8))
    assert np.array_equal(got, np.kron(np.eye(2, dtype=int), np.ones((4, 4), int)))
    got = _pattern(lambda x: (x.reshape(2, 3) @ np.ones((3, 2))).ravel(), np.ones(6))
    assert np.array_equal(got, np.repeat(np.repeat(np.eye(2, dtype=int), 2, 0), 3, 1))
    got = _pattern(lambda x: np.sort(x), np.arange(3.0))
    assert got.all()
    assert np.array_equal(_pattern(lambda x: cb.cond(x[0] > 0, lambda: x * 2, lambda: x[::-1]), np.ones(3)), np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]]))
    assert np.array_equal(_pattern(lambda x: np.convolve(x, np.ones(3), "same"), np.ones(5)), (abs(np.subtract.outer(range(5), range(5))) <= 1).astype(int))


def test_a_pattern_at_a_point_takes_the_branch_there():
    def f(x):
        return cb.cond(x[0] > 0, lambda: x * 2, lambda: x[::-1])

    x = np.array([1.0, 2.0, 3.0])
    there = cb.sparse_jacobian(f, at=(x,))(x)
    assert np.array_equal(there.to_dense(), 2 * np.eye(3)) and there.nnz == 3
    assert cb.sparse_jacobian(f)(x).nnz == 5
    product = cb.sparse_jacobian(lambda x: x * x[::-1], at=(np.array([0.0, 1.0]),))
    assert product(np.array([0.0, 1.0])).nnz == 2


# ---- Colourings ------------------------------------------------------------------------------------------------------------------------


def brusselator(n):
    """Entries of the Jacobian: a periodic five-point stencil in each of two species, coupled at each point."""
    at = lambda i, j, k: i % n + n * (j % n) + n * n * k  # noqa: E731
    pairs = [
        (at(i, j, k), at(*q))
        for k in range(2) for j in range(n) for i in range(n)
        for q in ((i, j, k), (i + 1, j, k), (i - 1, j, k), (i, j + 1, k), (i, j - 1, k), (i, j, 1 - k))
    ]  # fmt: skip
    return *np.array(pairs).T, (2 * n * n, 2 * n * n)


ORDERS = ("natural", "largest_first", "smallest_last", "incidence_degree")


def test_colors_are_those_of_colpack():
    for n, counts, fewest in ((6, (9, 9, 8, 10), 7), (32, (12, 12, 12, 11), 10)):
        rows, cols, shape = brusselator(n)
        assert tuple(int(cb.color(rows, cols, shape, "column", o).max()) for o in ORDERS) == counts
        assert cb.color(rows, cols, shape).max() <= fewest
    grid = ss.csr_matrix(ss.kronsum(*[ss.diags([1, 1, 1], [-1, 0, 1], (20, 20))] * 2)).tocoo()
    args = (grid.row, grid.col, grid.shape)
    assert tuple(int(cb.color(*args, "column", o).max()) for o in ORDERS) == (7, 7, 5, 6)
    assert cb.color(*args, "acyclic").max() == 4 and cb.color(*args, "star").max() == 5
    for width in range(1, 6):
        band = ss.diags([1] * (2 * width + 1), range(-width, width + 1), (60, 60)).tocoo()
        assert cb.color(band.row, band.col, band.shape, "star").max() == 2 * width + 1
        assert cb.color(band.row, band.col, band.shape, "acyclic").max() == width + 1


def _random_pattern(seed, symmetric):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 15, 2)
    a = rng.random((n if symmetric else m, n)) < rng.uniform(0.05, 0.5)
    return a | a.T if symmetric else a


@pytest.mark.parametrize("kind", ["column", "row"])
def test_distance_two_colorings_hold(kind):
    for seed in range(60):
        a = _random_pattern(seed, False)
        c = cb.color(*np.nonzero(a), a.shape, kind)
        b = a if kind == "column" else a.T
        for row in b:
            used = c[row]
            assert len(set(used)) == len(used) and (used > 0).all()


def test_star_and_acyclic_colorings_hold():
    for seed in range(60):
        a = _random_pattern(seed, True)
        np.fill_diagonal(a, True)
        star, acyclic = (cb.color(*np.nonzero(a), a.shape, k) for k in ("star", "acyclic"))
        edges = [(i, j) for i, j in zip(*np.nonzero(a)) if i < j]
        assert all(c[i] != c[j] for c in (star, acyclic) for i, j in edges)
        # A star: no path of four vertices has two colours; acyclic: no two colours hold a cycle.
        for i, j in edges:
            for p in np.nonzero(a[i])[0]:
                for q in np.nonzero(a[j])[0]:
                    if len({p, i, j, q}) == 4:
                        assert not (star[p] == star[j] and star[i] == star[q])
        for x in range(1, acyclic.max() + 1):
            for y in range(x + 1, acyclic.max() + 1):
                own = [(i, j) for i, j in edges if {acyclic[i], acyclic[j]} == {x, y}]
                parent = list(range(len(a)))

                def root(v, parent=parent):
                    while parent[v] != v:
                        v = parent[v]
                    return v

                for i, j in own:
                    p, q = root(i), root(j)
                    assert p != q
                    parent[p] = q


def test_bicoloring_cuts_dense_rows_and_columns():
    n = 100
    a = np.eye(n, dtype=bool)
    a[0] = a[:, 0] = True
    assert cb.color(*np.nonzero(a), a.shape, "column").max() == n
    rows, cols = cb.color(*np.nonzero(a), a.shape, "star_bicoloring")
    assert len(set(rows) - {0}) + len(set(cols) - {0}) <= 3

    def f(x):
        return np.concatenate([np.sum(x * x)[None], x[1:] * x[0] + np.sin(x[1:])])

    x = np.linspace(0.1, 1, n)
    for coloring in ("star_bicoloring", "acyclic_bicoloring", "auto"):
        got = cb.sparse_jacobian(f, coloring=coloring)(x)
        _close(got.to_dense(), cb.jacobian(f)(x))

    # Through a factorization entries are not accumulated, and neither side alone will do.
    def g(x):
        return np.concatenate([np.sum(np.linalg.cholesky((2 + x * x).reshape(-1, 1, 1)).ravel() * x)[None], x[1:] * x[0]])

    chosen = cb.sparse_jacobian(g, pattern=a)(x)
    assert chosen.method == "star_bicoloring"
    _close(chosen.to_dense(), cb.jacobian(g)(x))


# ---- Forms -------------------------------------------------------------------------------------------------------------------------------


def test_weighted_hessians_normal_matrices_and_blocks():
    rng = np.random.default_rng(5)
    x = rng.uniform(0.5, 1, 7)
    f = lambda x: (np.sum(x**3), x[1:] * np.sin(x[:-1]))  # noqa: E731
    w = (0.7, rng.normal(size=6))
    got = cb.sparse_lagrangian(f)(x, weights=w)
    want = cb.hessian(lambda x: w[0] * f(x)[0] + np.sum(w[1] * f(x)[1]))(x)
    assert np.allclose(got.to_dense(), want, rtol=1e-13, atol=1e-14)
    r = lambda x: np.concatenate([x[1:] * x[:-1], np.sin(x)])  # noqa: E731
    j = cb.jacobian(r)(x)
    assert np.allclose(cb.sparse_normal(r)(x).to_dense(), j.T @ j, rtol=1e-14)
    v = rng.uniform(1, 2, 13)
    assert np.allclose(cb.sparse_normal(r, weighted=True, triangle="lower")(x, weights=v).to_dense(), np.tril(j.T @ (v[:, None] * j)), rtol=1e-13)
    blocks = cb.sparse_jacobian(r, blocks=([6, 7], [3, 4]))(x)
    for g, h, block in blocks.blocks():
        assert np.array_equal(block, j[[0, 6][g] : [6, 13][g], [0, 3][h] : [3, 7][h]])
    assert len(blocks.blocks()) == 4 and np.array_equal(blocks.to_dense(), j)


@pytest.mark.parametrize("coloring", ["auto", "forward", "reverse"])
def test_combinations_for_integrators(coloring):
    rng = np.random.default_rng(3)
    y, dy, k = rng.normal(size=5), rng.normal(size=5), 2.0
    f = lambda y, dy, k: dy * np.roll(y, 1) * k + np.sin(y) + dy**2  # noqa: E731
    got = cb.sparse_combination(f, coloring=coloring)(y, dy, k, weights=(0.3, -2.0))
    want = 0.3 * cb.jacobian(f, argnums=0)(y, dy, k) - 2.0 * cb.jacobian(f, argnums=1)(y, dy, k)
    assert np.allclose(got.to_dense(), want, rtol=1e-14, atol=1e-15)
    with pytest.raises(cb.InvalidError, match="weights=.alpha, beta"):
        cb.sparse_combination(lambda y: y)(y)


def test_trees_dtypes_data_and_threads():
    def f(p, s, idx):
        return {"a": p["u"] * s, "b": p["v"][idx] * p["u"][:2]}

    p = {"u": np.arange(1.0, 4.0), "v": np.arange(2.0)}
    got = cb.sparse_jacobian(f)(p, 2.0, np.array([1, 0]))
    assert got.shape == (5, 5) and np.allclose(got.to_dense(), [[2, 0, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 2, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 2, 0]])
    single = cb.sparse_jacobian(lambda x: x * x)(np.arange(3, dtype=np.float32))
    assert single.dtype == np.float32 and np.array_equal(single.data, np.float32([0, 2, 4]))
    n = 60000
    x = np.random.default_rng(1).normal(size=n)
    g = lambda x: np.sin(x) * np.roll(x, 1) + np.roll(x, -1)  # noqa: E731
    alone, many = (cb.sparse_jacobian(g, threads=k)(x).data for k in (1, 0))
    assert np.array_equal(alone, many)
    prepared, out = cb.sparse_jacobian(g), [None] * 4
    prepared(x)
    run = lambda k: out.__setitem__(k, prepared(x).data)  # noqa: E731
    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.array_equal(o, alone) for o in out)


def test_own_patterns_and_colors():
    f = lambda x: x[1:] * x[:-1]  # noqa: E731
    x = np.arange(1.0, 6.0)
    dense = cb.jacobian(f)(x)
    assert np.array_equal(cb.sparse_jacobian(f, pattern=np.ones((4, 5)))(x).to_dense(), dense)
    assert np.array_equal(cb.sparse_jacobian(f, pattern=ss.csr_matrix(dense))(x).to_dense(), dense)
    assert np.array_equal(cb.sparse_jacobian(f, coloring=[1, 2, 1, 2, 1])(x).to_dense(), dense)
    with pytest.raises(cb.InvalidError, match=r"clash: entry \(0, 0\)"):
        cb.sparse_jacobian(f, coloring=[1, 1, 2, 1, 2])(x)
    for wrong in (np.eye(4, 6), np.eye(3, 5), ss.eye(5, format="coo")):
        with pytest.raises(cb.Error, match=f"the pattern is {wrong.shape[0]} x {wrong.shape[1]}, the matrix 4 x 5|entry 4 is"):
            cb.sparse_jacobian(f, pattern=wrong)(x)
    short = cb.sparse_jacobian(f, pattern=([0, 1, 2, 3, 1, 2, 3], [0, 1, 2, 3, 2, 3, 4]))
    with pytest.raises(cb.InvalidError, match=r"lacks entry \(0, 1\)"):
        short.check(x)
    cb.sparse_jacobian(f).check(x)
    cb.sparse_hessian(lambda x: np.sum(x**4), triangle="lower").check(x)


def test_what_is_wrong_is_said():
    x = np.ones(3)
    with pytest.raises(cb.InvalidError, match="format: 'bsr' is none of csr, csc, coo"):
        cb.sparse_jacobian(np.sin, format="bsr")
    with pytest.raises(cb.InvalidError, match="coloring: 'blue'"):
        cb.sparse_jacobian(np.sin, coloring="blue")
    with pytest.raises(cb.ShapeError, match="not a scalar"):
        cb.sparse_hessian(np.sin)(x)
    with pytest.raises(cb.InvalidError, match="star is for Hessians"):
        cb.sparse_jacobian(np.sin, coloring="star")(x)
    with pytest.raises(cb.InvalidError, match=r"entry 0 is \(5, 0\) of a matrix of 3 by 3"):
        cb.sparse_jacobian(np.sin, pattern=([5], [0]))(x)
    with pytest.raises(cb.InvalidError, match="kind 'edge' is none of"):
        cb.color([0], [0], (1, 1), "edge")
    with pytest.raises(cb.InvalidError, match=r"not symmetric: it has entry \(0, 1\)"):
        cb.color([0], [1], (2, 2), "star")
    with pytest.raises(cb.ShapeError, match="symmetric pattern; this one has 2 rows and 3 columns"):
        cb.color([0], [1], (2, 3), "star")
    with pytest.raises(cb.InvalidError, match="fewer than 2.30"):
        cb.color([0], [0], (2**31, 1))
    with pytest.raises(cb.InvalidError, match="weights for 1 outputs"):
        cb.sparse_lagrangian(np.sin)(x)
    with pytest.raises(cb.DtypeError):
        cb.sparse_jacobian(lambda x: x > 0)(x)


def test_nothing_is_a_matrix_too():
    empty = cb.sparse_jacobian(lambda x: x * 2)(np.zeros(0))
    assert empty.shape == (0, 0) and empty.nnz == 0 and empty.to_scipy().shape == (0, 0)
    none = cb.sparse_jacobian(lambda x: np.zeros(3) + 0 * x[0])(np.ones(2))
    assert none.shape == (3, 2) and none.nnz == 0 and not none.colors.any()
    assert cb.sparse_hessian(lambda x: np.sum(x))(np.ones(4)).nnz == 0
    assert cb.sparse_jacobian(lambda x: x * x)(2.0).to_dense().tolist() == [[4.0]]
    assert cb.color([], [], (0, 0)).shape == (0,) and not cb.color([], [], (2, 3)).any()


def test_pictures():
    svg = cb.sparse_jacobian(lambda x: np.sin(x) * np.roll(x, 1))(np.ones(5))._repr_svg_()
    assert svg.startswith("<svg") and svg.count("<path") >= 2 and "5 x 5, 10 entries" in svg
