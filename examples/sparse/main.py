"""Newton's method with a sparse Jacobian: the steady flame of Bratu, u'' + exp(u) = 0 between two cold walls.

    python main.py
"""

import numpy as np

import camber as cb

n = 31
h2 = (1 / (n + 1)) ** 2


def residual(u):
    left, right = np.pad(u[:-1], (1, 0)), np.pad(u[1:], (0, 1))
    return left - 2 * u + right + h2 * np.exp(u)


jacobian = cb.sparse_jacobian(residual)
u = np.zeros(n)
J = jacobian(u)
print("entries", J.nnz)
print("colors", J.colors.max())
print("row 1", *(f"{v:.6f}" for v in J.data[J.indptr[1] : J.indptr[2]]), "at", *J.indices[J.indptr[1] : J.indptr[2]])

for step in range(5):
    J = jacobian(u)
    f = cb.function(residual)(u)
    # Three diagonals: elimination without pivots.
    d, r = J.data[J.row == J.col].copy(), -f
    low, high = J.data[J.row == J.col + 1], J.data[J.row == J.col - 1]
    for i in range(1, n):
        w = low[i - 1] / d[i - 1]
        d[i] -= w * high[i - 1]
        r[i] -= w * r[i - 1]
    for i in range(n - 1, -1, -1):
        r[i] = (r[i] - (high[i] * r[i + 1] if i < n - 1 else 0)) / d[i]
    u = u + r
print(f"middle {u[n // 2]:.8f}")
