"""numpy.linalg and scipy.linalg's functions, traced: values and derivatives against mpmath, to 1e-12 times the condition of what is computed."""

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg as sl

import camber as cb

L, C = np.linalg, cb.linalg
mp.mp.dps = 40
SIZES = [0, 1, 2, 5, 30]
BOUND = 1e-12


def big(x):
    """A matrix of many digits."""
    x = np.asarray(x, dtype=float)
    out = mp.matrix(*x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = mp.mpf(float(x[i, j]))
    return out


def small(x):
    return np.array([[float(x[i, j]) for j in range(x.cols)] for i in range(x.rows)]).reshape(x.rows, x.cols)


def inverse(x):
    """A^-1 rounded once."""
    if x.shape[0] <= 5:
        return small(big(x) ** -1) if x.size else x
    wide, y = x.astype(np.longdouble), np.linalg.inv(x).astype(np.longdouble)
    for _ in range(4):
        y = y @ (2 * np.eye(len(x)) - wide @ y)
    return y.astype(float)


def conditioned(rng, m, n, cond):
    """Singular values from 1 down to 1 / cond, evenly in the logarithm."""
    k = min(m, n)
    u, v = L.qr(rng.standard_normal((m, m)))[0], L.qr(rng.standard_normal((n, n)))[0]
    return (u[:, :k] * cond ** (-np.linspace(0, 1, k) if k > 1 else np.zeros(k))) @ v[:k]


def near(got, want, cond=1.0, size=None):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    scale = size if size is not None else np.max(np.abs(want), initial=0)
    assert np.max(np.abs(got - want), initial=0) <= BOUND * cond * max(scale, 1e-300), (np.max(np.abs(got - want)), scale, cond)


def on(f, *args):
    return cb.function(f)(*args)


@pytest.mark.parametrize("cond", [1.0, 1e3, 1e7])
@pytest.mark.parametrize("n", SIZES)
def test_square_against_many_digits(n, cond):
    rng = np.random.default_rng(n)
    a = conditioned(rng, n, n, cond)
    x = inverse(a)
    near(on(L.inv, a), x, cond)
    near(on(lambda v: L.inv(np.stack([v, v + v])), a), np.stack([x, x / 2]), cond)
    near(on(L.pinv, a), x, cond)
    b = rng.standard_normal((n, 2))
    exact = x @ b
    near(on(C.lstsq, a, b), exact, cond)
    near(on(lambda v, w: C.lu_solve(C.lu_factor(v), w), a, b), exact, cond)
    det = mp.det(big(a)) if n else mp.mpf(1)
    near(on(L.det, a), float(det), cond * max(n, 1))
    sign, log = on(lambda v: tuple(L.slogdet(v)), a)
    assert sign == mp.sign(det) and abs(log - float(mp.log(abs(det)))) <= BOUND * max(cond, abs(log))
    # Gradients: of det the cofactors, of log |det| A^-T, of sum(W A^-1) -A^-T W A^-T.
    near(cb.grad(lambda v: L.slogdet(v)[1])(a), x.T, cond)
    near(cb.grad(L.det)(a), float(det) * x.T, cond * max(n, 1))
    w = rng.standard_normal((n, n))
    near(cb.grad(lambda v: np.sum(w * L.inv(v)))(a), -(x.T @ w @ x.T), cond, np.max(np.abs(x), initial=0) ** 2 * max(n, 1) * 4)


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (1, 1), (2, 2), (5, 3), (3, 5), (30, 30), (30, 7), (2, 4, 4), (2, 3, 6, 2)])
def test_factors_multiply_back(shape):
    rng = np.random.default_rng(5)
    a, (m, n), k = rng.standard_normal(shape), shape[-2:], min(shape[-2:])
    t = lambda v: np.swapaxes(v, -1, -2)
    size = max(L.norm(a), 1)

    def identity(q):
        near(q, np.broadcast_to(np.eye(q.shape[-1]), q.shape), 1, max(q.shape[-1], 1))

    for mode in ("reduced", "complete"):
        q, r = on(lambda v: tuple(L.qr(v, mode)), a)
        near(q @ r, a, 1, size)
        identity(t(q) @ q)
        assert np.all(np.tril(r, -1) == 0) and q.shape[-1] == (m if mode == "complete" else k)
    assert on(lambda v: L.qr(v, "r"), a).shape == (*shape[:-2], k, n)
    for full in (True, False):
        u, s, vt = on(lambda v: tuple(L.svd(v, full)), a)
        near((u[..., :k] * s[..., None, :]) @ vt[..., :k, :], a, 1, size)
        identity(t(u) @ u)
        identity(vt @ t(vt))
        near(s, L.svd(a, compute_uv=False), 1, size)
        near(on(lambda v: L.svd(v, compute_uv=False), a), s, 1, size)
    p, low, up = on(C.lu, a)
    near(p @ low @ up, a, 1, size)
    order, low, up = on(lambda v: C.lu(v, p_indices=True), a)
    near(np.take_along_axis(low @ up, order[..., None] + np.zeros(shape, int), axis=-2), a, 1, size)
    assert np.all(np.abs(low) <= 1) and np.all(np.triu(low, 1) == 0) and np.all(np.tril(up, -1) == 0)
    if m == n:
        s = a + t(a)
        w, v = on(lambda x: tuple(L.eigh(x)), s)
        near(v * w[..., None, :] @ t(v), s, 1, size)
        identity(t(v) @ v)
        near(on(lambda x: L.eigvalsh(x, "U"), s), w, 1, size)
        b = a @ t(a) + np.eye(n)
        w, v = on(lambda x, y: tuple(C.eigh(x, y)), s, b)
        near(s @ v, b @ v * w[..., None, :], L.cond(b).max() if n else 1, size * max(n, 1))
        identity(t(v) @ b @ v)


def test_eigenvalues_against_many_digits():
    rng = np.random.default_rng(2)
    for n in (2, 5, 12):
        a = rng.standard_normal((n, n))
        s = a + a.T
        near(on(L.eigvalsh, s), sorted(float(v) for v in mp.eigsy(big(s), eigvals_only=True)))
        near(on(L.svdvals, a) if hasattr(L, "svdvals") else on(C.svdvals, a), sorted((float(v) for v in mp.svd_r(big(a), compute_uv=False)), reverse=True))


@pytest.mark.parametrize("n,scale", [(1, 3.0), (2, 1e-3), (2, 0.2), (2, 0.9), (2, 2.0), (2, 5.0), (2, 40.0), (5, 4.0)])
def test_expm_against_many_digits(n, scale):
    """The value to 1e-12 |A| of its size, and its derivatives of order one and two as blocks of a larger exponential."""
    rng = np.random.default_rng(n)
    a, e, f = (rng.standard_normal((n, n)) for _ in range(3))
    a *= scale / max(L.norm(a, 1), 1e-300)
    z, i2 = np.zeros((n, n)), np.eye(2)
    block = np.block([[a, e], [z, a]])
    whole = small(mp.expm(big(np.block([[block, np.kron(i2, f)], [np.zeros((2 * n, 2 * n)), block]]))))
    cond = max(scale, 1)
    near(on(C.expm, a), whole[:n, :n], cond)
    first = lambda v: cb.jvp(C.expm, (v,), (e,))[1]
    near(on(first, a), whole[:n, n : 2 * n], cond)
    near(on(lambda v: cb.jvp(first, (v,), (f,))[1], a), whole[:n, 3 * n :], cond)
    near(cb.grad(lambda v: np.sum(f * C.expm(v)))(a.T), on(lambda v: cb.jvp(C.expm, (v,), (f,))[1], a), cond)


@pytest.mark.parametrize("n", SIZES)
def test_equations(n):
    rng = np.random.default_rng(n)
    a, b, c = rng.standard_normal((2, n, n)) - 2 * n * np.eye(n), rng.standard_normal((3, 3)) - 9 * np.eye(3), rng.standard_normal((2, n, 3))
    x = on(C.solve_sylvester, a, b, c)
    near(a @ x + x @ b, c, 10, max(np.max(np.abs(c), initial=0), 1))
    q = rng.standard_normal((n, n))
    x = on(C.solve_continuous_lyapunov, a, q)
    near(a @ x + x @ np.swapaxes(a, -1, -2), np.stack([q, q]), 10, max(np.max(np.abs(q), initial=0), 1))
    d = a[0] / (4 * n + 1)
    x = on(C.solve_discrete_lyapunov, d, q)
    near(x - d @ x @ d.T, q, 10, max(np.max(np.abs(q), initial=0), 1))
    s = q @ q.T + np.eye(n)
    near(on(lambda v: C.sqrtm(v) @ C.sqrtm(v), s), s, 1, max(np.max(np.abs(s), initial=0), 1))
    near(on(lambda v, w: C.cho_solve(C.cho_factor(v), w), s, q), L.solve(s, q), L.cond(s) if n else 1)


@pytest.mark.parametrize("l,u", [(0, 0), (1, 1), (2, 0), (1, 3)])
def test_banded_against_dense(l, u):
    rng = np.random.default_rng(l + 10 * u)
    for n in (0, 1, 2, 5, 30):
        ab, b = rng.standard_normal((2, l + u + 1, n)), rng.standard_normal((n, 2))
        ab[:, u] += 2 * (l + u + 2)
        if n:
            ab[..., :u, 0] = np.nan  # outside A

        def dense(v):
            full = np.zeros((*v.shape[:-2], n, n)) + 0 * np.sum(v[..., u, :])
            for d in range(l + u + 1):
                k = u - d
                if abs(k) < n:
                    band = v[..., d, max(k, 0) : n + min(k, 0)]
                    full = full + np.pad(band[..., None] * np.eye(n - abs(k)), [(0, 0)] * (v.ndim - 2) + [(max(-k, 0), max(k, 0)), (max(k, 0), max(-k, 0))])
            return full

        x = on(lambda v, w: C.solve_banded((l, u), v, w), ab, b)
        want = on(lambda v, w: L.solve(dense(v), w), ab, b)
        near(x, want, 10)
        for order in (lambda f: cb.grad(f, argnums=(0, 1)), lambda f: cb.grad(lambda v, w: np.sum(cb.grad(f)(v, w)[..., u, :] ** 2), argnums=(0, 1))):
            got = order(lambda v, w: np.sum(np.sin(C.solve_banded((l, u), v, w))))(ab, b)
            ref = order(lambda v, w: np.sum(np.sin(L.solve(dense(v), w))))(ab, b)
            for g, r in zip(got, ref):
                assert np.all(np.isfinite(g))
                near(g, np.where(np.isnan(r), 0, r), 100)


def test_banded_is_linear():
    """A value and a Hessian-vector product of a size whose square would not fit into memory."""
    n = 300_000
    f = lambda d, b: np.sum(C.solve_tridiagonal(d - 3, d, d - 3, b) ** 2)
    d, b = np.full(n, 4.0), np.ones(n)
    value, slope = cb.function(lambda d, b: cb.jvp(cb.grad(f), (d, b), (b, b)))(d, b)
    assert value.shape == slope.shape == (n,) and np.all(np.isfinite(slope))
    x = on(C.solve_tridiagonal, np.full(100_000, -1.0), np.full(100_000, 3.0), np.full(100_000, -1.0), np.ones(100_000))
    near(3 * x[1:-1] - x[:-2] - x[2:], np.ones(99_998), 10)


def test_hessian_of_a_qr_solve():
    """casadi#4379: finite and right, also where entries of a well-conditioned matrix are exactly 0 or the columns orthogonal already."""
    rng = np.random.default_rng(0)
    for a in (np.eye(3), np.diag([1.0, -2.0, 3.0]), np.triu(rng.standard_normal((3, 3))) + 3 * np.eye(3), np.array([[0.0, 1, 0], [0, 0, 2], [3, 0, 0]]), rng.standard_normal((3, 3))):
        b, w = rng.standard_normal(3), rng.standard_normal(3)

        def by_qr(v):
            q, r = L.qr(v)
            return np.sum(w * C.solve_triangular(r, q.T @ b) ** 2)

        got, x, y = cb.hessian(by_qr)(a), inverse(a) @ b, inverse(a)
        # x(A) = A^-1 b: dx = -Y dA x; d2x = Y dA Y dB x + Y dB Y dA x.
        want = np.zeros((3, 3, 3, 3))
        for p in np.ndindex(3, 3):
            for q in np.ndindex(3, 3):
                dp, dq = -y[:, p[0]] * x[p[1]], -y[:, q[0]] * x[q[1]]
                second = y[:, p[0]] * y[p[1], q[0]] * x[q[1]] + y[:, q[0]] * y[q[1], p[0]] * x[p[1]]
                want[p + q] = np.sum(w * (2 * dp * dq + 2 * x * second))
        assert np.all(np.isfinite(got))
        near(got, want, L.cond(a) ** 2)
        near(cb.hessian(lambda v: np.sum(w * C.lstsq(v, b) ** 2))(a), want, L.cond(a) ** 2)


def test_repeated_eigenvalues():
    """What camber.h promises where eigenvalues meet, exactly and to rounding."""
    rng = np.random.default_rng(3)
    turn = L.qr(rng.standard_normal((5, 5)))[0]
    for v in (np.eye(5), turn):
        a = v * np.array([1.0, 1, 2, 2, 5]) @ v.T
        a, c = (a + a.T) / 2, rng.standard_normal((5, 5))
        c = c + c.T
        near(cb.grad(lambda x: np.sum(L.eigvalsh(x) ** 3))(a), 3 * a @ a, 10)
        near(cb.grad(lambda x: np.sum(L.eigh(x)[0] ** 3))(a), 3 * a @ a, 10)
        near(cb.grad(lambda x: np.sum(L.eigvalsh(x)[:2]))(a), v[:, :2] @ v[:, :2].T, 10)
        # The projector on a cluster: dP = sum over the others of (v_i v_i^T dA v_j v_j^T + its transpose) / (w_i - w_j).
        projector = lambda x: L.eigh(x)[1][:, 2:4] @ L.eigh(x)[1][:, 2:4].T
        inside, outside = v[:, 2:4] @ v[:, 2:4].T, {1.0: v[:, :2] @ v[:, :2].T, 5.0: v[:, 4:] @ v[:, 4:].T}
        want = sum((inside @ c @ p + p @ c @ inside) / (2 - w) for w, p in outside.items())
        near(cb.jvp(projector, (a,), (c,))[1], want, 10)
        near(cb.grad(lambda x: np.sum(c * projector(x)))(a), want, 10)
        # Functions of the whole matrix, to second order: by their own operators.
        near(cb.grad(lambda x: np.sum(c * C.expm(x)))(a), on(lambda x: cb.jvp(C.expm, (x,), (c,))[1], a), 10)
        near(on(lambda x: cb.hvp(lambda y: np.trace(C.expm(y)), x, c), a), on(lambda x: cb.jvp(C.expm, (x,), (c,))[1], a), 10)
        root = v * np.sqrt([1.0, 1, 2, 2, 5]) @ v.T
        d = cb.jvp(C.sqrtm, (a,), (c,))[1]
        near(root @ d + d @ root, c, 10)
        near(on(lambda x: cb.hvp(lambda y: L.slogdet(y)[1], x, c), a), -L.inv(a) @ c @ L.inv(a), 10)
        # The orthogonal factor of a matrix with equal singular values.
        polar = lambda x: (lambda u, s, w: u @ w)(*L.svd(x, full_matrices=False))
        b = v @ turn
        near(cb.jvp(polar, (2 * b,), (c,))[1], (c - b @ c.T @ b) / 4, 10)
        near(cb.grad(lambda x: L.norm(x, "nuc"))(2 * b), b, 10)


def test_singular_determinants():
    """The gradient of det is the cofactors where A is singular too, and to 3 by 3 so is what follows."""
    for n in (2, 3, 4, 6):
        rng = np.random.default_rng(n)
        a = rng.standard_normal((n, n))
        a[-1] = a[0]
        want = np.array([[(-1) ** (i + j) * float(mp.det(big(np.delete(np.delete(a, i, 0), j, 1)))) if n > 1 else 1 for j in range(n)] for i in range(n)])
        near(cb.grad(L.det)(a), want, 100)
    near(cb.hessian(L.det)(np.zeros((2, 2))), np.array([[[[0, 0], [0, 1]], [[0, 0], [-1, 0]]], [[[0, -1], [0, 0]], [[1, 0], [0, 0]]]]))
    assert on(L.det, np.zeros((5, 5))) == 0 and on(lambda a: L.slogdet(a)[1], np.zeros((5, 5))) == -np.inf
    near(on(L.det, np.diag([1e-200, 1e-200, 1e200, 1e200, 3.0])), 3.0, 10)


def test_least_squares():
    rng = np.random.default_rng(8)
    for m, n in ((7, 3), (3, 7), (4, 4)):
        a, b = conditioned(rng, m, n, 100.0), rng.standard_normal((m, 2))
        near(on(C.lstsq, a, b), small((big(a).T * big(a)) ** -1 * big(a).T * big(b)) if m >= n else small(big(a).T * (big(a) * big(a).T) ** -1 * big(b)), 1e2)
        for got, want in zip(on(lambda x, y: tuple(L.lstsq(x, y)), a, b[:, 0]), L.lstsq(a, b[:, 0], rcond=None)):
            near(got, want, 1e3)
        p = small((big(a).T * big(a)) ** -1 * big(a).T) if m >= n else small(big(a).T * (big(a) * big(a).T) ** -1)
        near(on(L.pinv, a), p, 1e3)
        # Both ways to the same derivatives, to second order.
        one, two = (lambda x: np.sum(C.lstsq(x, b) ** 2)), (lambda x: np.sum((L.pinv(x) @ b) ** 2))
        near(cb.grad(one)(a), cb.grad(two)(a), 1e4)
        e = rng.standard_normal((m, n))
        near(*(on(lambda x, f=f: cb.hvp(f, x, e), a) for f in (one, two)), 1e6)
    low = np.outer([1.0, 2, 3], [1.0, 1, 0])
    near(on(L.pinv, low), np.linalg.pinv(low), 10)
    assert on(L.matrix_rank, low) == 1 and on(lambda x: L.matrix_rank(x, tol=1e3), low) == 0
    assert not np.any(np.isfinite(on(C.lstsq, np.zeros((3, 2)), np.ones(3))))


def test_failures_are_nan_of_their_own_member():
    good = np.array([[2.0, 1], [1, 3]])
    iterated = [L.pinv, L.eigvalsh, C.svdvals, C.expm, C.sqrtm, lambda a: L.qr(a)[1], lambda a: L.eigh(a)[1], lambda a: L.svd(a)[0], lambda a: C.solve_continuous_lyapunov(a, good)]
    for bad in (np.full((2, 2), np.nan), np.array([[1.0, np.inf], [np.inf, 1]])):
        both = np.stack([good, bad, good])
        for f in iterated + ([L.inv, L.det, lambda a: L.slogdet(a)[1]] if np.isnan(bad[0, 0]) else []):
            out = on(f, both)
            assert np.all(np.isfinite(out[[0, 2]])) and np.all(np.isnan(out[1]))
    assert np.all(np.isnan(on(L.inv, np.zeros((2, 2))))) and np.all(np.isnan(on(C.sqrtm, np.diag([1.0, -1.0]))))
    assert np.all(np.isnan(on(C.solve_sylvester, np.eye(2), -np.eye(2), good)))
    assert np.all(np.isnan(on(lambda ab, b: C.solve_banded((0, 0), ab, b), np.zeros((1, 3)), np.ones(3))))


def test_f32_and_16_bits():
    rng = np.random.default_rng(4)
    a = (rng.standard_normal((4, 4)) + 4 * np.eye(4)).astype(np.float32)
    s = a + a.T
    for f in (L.inv, L.det, L.pinv, C.expm, C.svdvals, lambda x: L.qr(x)[1], lambda x: L.slogdet(x)[1], lambda x: C.solve_continuous_lyapunov(x, s), lambda x: C.lu(x)[2]):
        got, want = on(f, a), on(f, a.astype(float))
        assert got.dtype == np.float32 and np.allclose(got, want, rtol=1e-4, atol=1e-5)
    assert on(L.eigvalsh, s).dtype == np.float32
    with pytest.raises(cb.DtypeError, match="svdvals: takes f64 or f32, not f16"):
        on(C.svdvals, a.astype(np.float16))
    low = cb.precision(lambda x: L.inv(x) @ x, compute="f16")
    assert np.allclose(np.asarray(on(low, a), float), np.eye(4), atol=0.02)


def test_messages():
    for call, words in (
        (lambda a: L.qr(a[0]), "at least two-dimensional"), (lambda a: L.det(a[:1]), "det: shape .1, 2. is no stack of square matrices"),
        (lambda a: L.qr(a, "raw"), "mode 'raw'"), (lambda a: L.eigh(a, "X"), "UPLO"), (lambda a: L.eig(a), "eigh and svd are"), (lambda a: L.norm(a, 3), "Invalid norm order"),
        (lambda a: C.solve_banded((1, 1), a, a[0]), "do not make the 2"), (lambda a: C.expm(a[:1]), "takes square matrices, not shape .1, 2."),
        (lambda a: C.lstsq(a, np.ones(3)), "do not fit"), (lambda a: C.solve_sylvester(a, a, a[:1]), "do not fit"), (lambda a: L.cond(a, 7), "Invalid norm order"),
    ):
        with pytest.raises(Exception, match=words):
            on(call, np.eye(2))


@pytest.mark.parametrize("order", [1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"])
def test_norms_and_conditions(order):
    rng = np.random.default_rng(1)
    a = rng.standard_normal((2, 3, 3))
    near(on(lambda x: L.norm(x, order, axis=(1, 2)), a), L.norm(a, order, axis=(1, 2)))
    near(on(lambda x: L.norm(x, order, axis=(2, 0), keepdims=True), a), L.norm(a, order, axis=(2, 0), keepdims=True))
    near(on(lambda x: L.cond(x, order), a), L.cond(a, order), 100)
    e, h = rng.standard_normal(a.shape), 1e-6
    f = lambda x: np.sum(L.norm(x, order, axis=(1, 2)) + L.cond(x, order) / 9)
    assert np.isclose(np.sum(cb.grad(f)(a) * e), (f(a + h * e) - f(a - h * e)) / (2 * h), rtol=1e-6)


def test_like_scipy():
    """Host arrays go in and come out."""
    rng = np.random.default_rng(6)
    a, b, c, r = rng.standard_normal((4, 4)), rng.standard_normal((4, 2)), rng.standard_normal(4), rng.standard_normal(3)
    s = a @ a.T + np.eye(4)
    bands = np.vstack([np.r_[0, r], c + 9])
    for got, want in (
        (C.block_diag(a, b, c), sl.block_diag(a, b, c)), (C.toeplitz(c, r), sl.toeplitz(c, r)), (C.toeplitz(c), sl.toeplitz(c)), (C.circulant(c), sl.circulant(c)),
        (C.kron(a, b), np.kron(a, b)), (C.solve_triangular(a, b, "T", lower=True), sl.solve_triangular(a, b, "T", lower=True)), (C.cholesky(s), sl.cholesky(s)),
        (C.cho_solve(C.cho_factor(s, True), b), sl.cho_solve(sl.cho_factor(s), b)), (C.lu_solve(C.lu_factor(a), c, 1), sl.solve(a.T, c)), (C.eigvalsh(s, a @ a.T), sl.eigvalsh(s, a @ a.T)),
        (C.solveh_banded(bands, b), sl.solveh_banded(bands, b)), (C.solveh_banded(bands[::-1], c, lower=True), sl.solveh_banded(bands[::-1], c, lower=True)),
        (C.pinv(b), sl.pinv(b)), (C.qr(b, mode="economic")[1], sl.qr(b, mode="economic")[1]), (C.svd(b)[1], sl.svd(b)[1]), (C.expm(a), sl.expm(a)), (C.lu(b)[2], sl.lu(b)[2]),
        (on(lambda x: L.tensorinv(x, 1), a), L.tensorinv(a, 1)), (on(lambda x, y: L.tensorsolve(x, y), a.reshape(2, 2, 4), c.reshape(2, 2)), L.tensorsolve(a.reshape(2, 2, 4), c.reshape(2, 2))),
        (on(lambda x: L.matrix_power(x, -3), s), L.matrix_power(s, -3)), (C.solve_banded((0, 1), bands, c), sl.solve_banded((0, 1), bands, c)),
    ):
        near(got, want, 1e4)


def test_batched_and_looped():
    """A matrix shared by a batch is factored once; members agree with single calls, and a scan's body takes the same operators."""
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((3, 3)) + 4 * np.eye(3), rng.standard_normal((5, 3))
    near(cb.vmap(lambda v: L.solve(a, v))(b), L.solve(a, b.T).T, 10)
    near(cb.jacobian(lambda v: L.solve(v, b[0]))(a), -np.einsum("ip,q->ipq", L.inv(a), L.solve(a, b[0])), 100)
    near(cb.vmap(lambda v: C.solve_banded((1, 1), np.ones((3, 3)) + 4 * np.eye(3)[[1, 1, 1]] * 0 + np.array([[0.0], [5], [0]]), v))(b), np.linalg.solve(np.diag([6.0] * 3) + np.eye(3, k=1) + np.eye(3, k=-1), b.T).T, 10)
    body = lambda c, x: (C.expm(c / 8) @ c @ L.qr(c)[0] / 3, L.det(c))
    final, dets = cb.function(lambda c: cb.scan(body, c, None, length=3))(a)
    c, want = a, []
    for _ in range(3):
        want.append(L.det(c))
        c = sl.expm(c / 8) @ c @ L.qr(c)[0] / 3
    near(final, c, 100)
    near(dets, np.array(want), 100)
    g = cb.grad(lambda c: np.sum(cb.scan(body, c, None, length=3)[1]))(a)
    e = rng.standard_normal((3, 3))
    f = cb.function(lambda c: np.sum(cb.scan(body, c, None, length=3)[1]))
    assert np.isclose(np.sum(g * e), (f(a + 1e-6 * e) - f(a - 1e-6 * e)) / 2e-6, rtol=1e-6)


def test_eigh_in_python():
    """np.linalg.eigh on traced values: NumPy's eigenvalues, vectors that rebuild the matrix, and a matrix function's derivative against expm's own."""
    a = rng_symmetric(4, 3)
    for dtype, close in ((np.float64, 1e-12), (np.float32, 2e-5)):
        w, v = cb.function(lambda x: tuple(np.linalg.eigh(x)))(a.astype(dtype))
        assert w.dtype == dtype and np.allclose(w, np.linalg.eigvalsh(a), atol=close)
        assert np.allclose(np.einsum("bij,bj,bkj->bik", v, w, v), a, atol=10 * close)

    def by_eigh(x):
        w, v = np.linalg.eigh((x + np.swapaxes(x, -1, -2)) / 2)
        return np.sum(np.sin((v * np.exp(w)[..., None, :]) @ np.swapaxes(v, -1, -2)))

    def by_expm(x):
        return np.sum(np.sin(cb.linalg.expm((x + np.swapaxes(x, -1, -2)) / 2)))

    assert np.allclose(cb.grad(by_eigh)(a), cb.grad(by_expm)(a), rtol=1e-10, atol=1e-12)
    d = rng_symmetric(4, 5)
    assert np.allclose(cb.hvp(by_eigh, a, d), cb.hvp(by_expm, a, d), rtol=1e-8, atol=1e-10)


def rng_symmetric(n, seed):
    a = np.random.default_rng(seed).normal(size=(2, n, n))
    return (a + np.swapaxes(a, -1, -2)) / 2
