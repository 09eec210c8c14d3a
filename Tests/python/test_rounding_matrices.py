"""Factorisations, functions of matrices and convolutions in f64 are held against binary128: bounds and estimates against mpmath at 400 bits and more."""

import mpmath as mp
import numpy as np
import pytest

import camber as cb

rng = np.random.default_rng(11)
SQUARE = rng.standard_normal((5, 5)) + 3 * np.eye(5)
SYMMETRIC = (lambda b: b + b.T)(rng.standard_normal((5, 5)))
POSITIVE = (lambda b: b @ b.T + np.eye(5) / 8)(rng.standard_normal((5, 5)))
TALL, FLAT = rng.standard_normal((6, 4)), rng.standard_normal((3, 5))
GRADED = np.diag(10.0 ** -np.arange(5)) @ SQUARE
C = rng.standard_normal((5, 5))
AB = rng.standard_normal((4, 7)) + np.array([0, 6, 0, 0])[:, None]
B = rng.standard_normal((7, 2))


def M(a):
    return mp.matrix(np.asarray(a).tolist())


def banded(ab, b):
    n = 7
    full = mp.zeros(n)
    for i in range(n):
        for j in range(n):
            if 0 <= 1 + i - j < 4:
                full[i, j] = ab[1 + i - j, j]
    return mp.lu_solve(full, b) if b.cols == 1 else mp.inverse(full) * b


def sylvester(a, b, q, discrete=False):
    m, n = a.rows, b.rows
    k = mp.zeros(m * n)
    for i in range(m):
        for j in range(n):
            for p in range(m):
                for r in range(n):
                    k[i * n + j, p * n + r] = (i == p) * (j == r) - a[i, p] * b[r, j] if discrete else a[i, p] * (j == r) + (i == p) * b[r, j]
    x = mp.lu_solve(k, mp.matrix([q[i, j] for i in range(m) for j in range(n)]))
    return mp.matrix(m, n) + mp.matrix([[x[i * n + j] for j in range(n)] for i in range(m)])


def singular(a):
    return sorted(mp.svd_r(a, compute_uv=False), reverse=True)


def qr(a):
    q, _ = mp.qr(a[:, : min(a.rows, a.cols)], mode="skinny")
    return [q, q.T * a]


def eigh(a):
    w, v = mp.eigsy(a)
    return [w, v]


def svd(a):
    u, s, v = mp.svd_r(a, full_matrices=False)
    return [u, s, v]


def lu(a):
    p, lower, upper = mp.lu(a)
    return [p.T * lower, upper]


def pinv(a):
    return mp.inverse(a.T * a) * a.T if a.rows >= a.cols else a.T * mp.inverse(a * a.T)


# name, function, its arguments, the truth
CASES = [
    ("inv", np.linalg.inv, [GRADED], mp.inverse), ("expm", cb.linalg.expm, [SQUARE * 2], mp.expm), ("expm small", cb.linalg.expm, [SQUARE * 1e-3], mp.expm),
    ("sqrtm", cb.linalg.sqrtm, [POSITIVE], mp.sqrtm), ("pinv tall", np.linalg.pinv, [TALL], pinv), ("pinv flat", np.linalg.pinv, [FLAT], pinv), ("eigvalsh", np.linalg.eigvalsh, [SYMMETRIC], lambda a: mp.eigsy(a, eigvals_only=True)),
    ("svdvals", lambda a: np.linalg.svd(a, compute_uv=False), [TALL], singular), ("svdvals graded", lambda a: np.linalg.svd(a, compute_uv=False), [GRADED], singular), ("banded", lambda ab, b: cb.linalg.solve_banded((2, 1), ab, b), [AB, B], banded),
    ("sylvester", cb.linalg.solve_sylvester, [SQUARE, POSITIVE, C], sylvester), ("discrete lyapunov", cb.linalg.solve_discrete_lyapunov, [SQUARE, C], lambda a, q: sylvester(a, a.T, q, True)),
    ("qr", np.linalg.qr, [TALL], qr), ("qr flat", np.linalg.qr, [FLAT], qr), ("eigh", np.linalg.eigh, [SYMMETRIC], eigh), ("svd", lambda a: np.linalg.svd(a, full_matrices=False), [TALL], svd),
    ("svd flat", lambda a: np.linalg.svd(a, full_matrices=False), [FLAT], svd), ("lu", lambda a: cb.linalg.lu(a, permute_l=True), [SQUARE], lu),
]  # fmt: skip


def flat(x):
    parts = x if isinstance(x, (list, tuple)) and not isinstance(x[0], mp.mpf) else [x]
    return [v for p in parts for v in (p if isinstance(p, list) else [p[i, j] for i in range(p.rows) for j in range(p.cols)])]


@pytest.mark.parametrize("name, f, args, truth", CASES, ids=[c[0] for c in CASES])
def test_values(name, f, args, truth):
    r = cb.rounding(f)(*args)
    value, bound, estimate = (np.concatenate([np.ravel(p) for p in cb.pytree.leaves(getattr(r, n))]) for n in ("value", "bound", "estimate"))
    assert all(level != "unbounded" for p in cb.pytree.leaves(r.level) for level in np.ravel(p)), str(r)
    with mp.workprec(400):
        exact = flat(truth(*[M(a) for a in args]))
        if len(exact) != len(value):
            pytest.fail(f"{len(exact)} numbers for {len(value)}")
        # Factors are fixed up to signs: LAPACK's, from the value.
        if name.split()[0] in ("qr", "eigh", "svd"):
            exact = [abs(e) * (1 if v >= 0 else -1) for e, v in zip(exact, value)]
        errors = np.array([float(mp.mpf(float(v)) - e) for v, e in zip(value, exact)])
    assert np.max(np.abs(errors)) < 1e-9
    assert np.all(np.abs(errors) <= bound * (1 + 1e-6) + 1e-60)
    assert np.allclose(estimate, errors, rtol=1e-6, atol=1e-26)
    assert np.max(bound) <= 1.1 * np.max(np.abs(errors)) + 1e-25


def test_derivatives():
    v = rng.standard_normal((5, 5))
    for f, g, a in (
        (lambda a: np.sum(cb.linalg.expm(a) * v), lambda a: sum(x * w for x, w in zip(flat(mp.expm(a)), map(mp.mpf, v.ravel().tolist()))), SQUARE),
        (lambda a: np.sum(np.linalg.eigvalsh(a) ** 3), lambda a: sum(w**3 for w in mp.eigsy(a, eigvals_only=True)), SYMMETRIC),
        (lambda a: np.linalg.svd(a, compute_uv=False)[0], lambda a: singular(a)[0], SQUARE),
        (lambda a: np.linalg.det(a), mp.det, GRADED),
    ):  # fmt: skip
        r = cb.rounding(cb.grad(f))(a)
        assert np.all(np.isfinite(r.bound)), str(r)
        with mp.workprec(1200):
            h = mp.mpf(2) ** -400
            for i, j in ((0, 0), (2, 2), (4, 4)):
                up, down = M(a), M(a)
                up[i, j] += h
                down[i, j] -= h
                miss = float(mp.mpf(float(r.value[i, j])) - (g(up) - g(down)) / (2 * h))
                assert abs(miss) <= r.bound[i, j] * (1 + 1e-6) and abs(miss - r.estimate[i, j]) <= 1e-6 * abs(miss) + 1e-25, (i, j, miss, r.estimate[i, j])


def test_convolutions():
    x, w = rng.standard_normal((2, 3, 7, 6)) * 10.0 ** rng.integers(-3, 3, (2, 3, 7, 6)), rng.standard_normal((4, 3, 3, 2))

    def f(x, w):
        return cb.nn.conv(x, w, stride=(2, 1), padding=(1, 0), dilation=(1, 2))

    weights = np.asarray(f(x, w)) * 0 + rng.standard_normal(np.shape(f(x, w)))
    r = cb.rounding(f, weights=weights)(x, w)
    with mp.workprec(300):
        exact = mp.mpf(0)
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        for n, o, i, j in np.ndindex(*np.shape(weights)):
            s = mp.fsum(mp.mpf(padded[n, c, 2 * i + p, j + 2 * q]) * mp.mpf(w[o, c, p, q]) for c in range(3) for p in range(3) for q in range(2))
            exact += mp.mpf(weights[n, o, i, j]) * s
        value = mp.fsum(mp.mpf(float(a)) * mp.mpf(float(b)) for a, b in zip(np.ravel(f(x, w)), weights.ravel()))
        miss = float(value - exact)
    assert r.level == "measured" and abs(miss) <= r.bound and abs(miss - r.estimate) <= 1e-3 * abs(miss) + r.remainder
    g = cb.rounding(cb.grad(lambda w: np.sum(f(x, w) ** 2)))(w)
    assert np.all(np.isfinite(g.bound)) and np.all(g.bound <= 1e-12 * np.abs(g.value).max())


def test_what_has_no_wide_form_says_so():
    """A singular matrix has no unique root or inverse; equal eigenvalues no unique vectors: no bound is made up."""
    r = cb.rounding(lambda a: cb.linalg.sqrtm(a))(np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert np.all(~np.isfinite(r.bound)) or np.all(r.bound < 1e-6)
    r = cb.rounding(lambda a: np.linalg.eigvalsh(a))(np.eye(4) * 3.0)
    assert np.all(r.bound < 1e-14) and np.allclose(r.value, 3)
    r = cb.rounding(lambda a: np.linalg.svd(a, compute_uv=False))(np.zeros((3, 2)))
    assert np.all(r.value == 0)
    assert cb.rounding(np.linalg.pinv)(np.zeros((0, 3))).bound.shape == (3, 0)
    assert cb.rounding(cb.linalg.expm)(np.zeros((2, 0, 0))).bound.shape == (2, 0, 0)
    # Batches, each by itself.
    a = np.stack([SYMMETRIC, POSITIVE])
    one = [cb.rounding(np.linalg.eigvalsh)(m).estimate for m in a]
    assert np.array_equal(cb.rounding(np.linalg.eigvalsh)(a).estimate, np.stack(one))
