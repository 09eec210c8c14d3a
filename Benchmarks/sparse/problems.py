"""The problems of compare.py, with NumPy or anything that has its functions as `np`."""


def brusselator(np, n):
    """Right-hand side of the 2-D Brusselator on a periodic n x n grid: u and v one after the other, 2 n^2 unknowns."""
    xs = np.linspace(0.0, 1.0, n)
    inside = (xs[:, None] - 0.3) ** 2 + (xs[None, :] - 0.6) ** 2 <= 0.01
    forcing = np.where(inside, 5.0, 0.0)
    alpha = 10.0 * (n - 1) ** 2 / 100.0

    def lap(a):
        return np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4.0 * a

    def f(w):
        u, v = w[: n * n].reshape(n, n), w[n * n :].reshape(n, n)
        uuv = u * u * v
        du = 1.0 + uuv - 4.4 * u + alpha * lap(u) + forcing
        dv = 3.4 * u - uuv + alpha * lap(v)
        return np.concatenate([du.ravel(), dv.ravel()])

    return f


def rosenbrock(np):
    """The chained Rosenbrock function."""
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def entries(n):
    """Rows and columns of the Brusselator's Jacobian."""
    at = lambda i, j, k: (i % n) * n + j % n + n * n * k  # noqa: E731
    rows, cols = [], []
    for k in range(2):
        for i in range(n):
            for j in range(n):
                for q in ((i, j, k), (i + 1, j, k), (i - 1, j, k), (i, j + 1, k), (i, j - 1, k), (i, j, 1 - k)):
                    rows.append(at(i, j, k))
                    cols.append(at(*q))
    return rows, cols
