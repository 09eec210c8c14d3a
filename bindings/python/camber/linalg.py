"""scipy.linalg's functions under its names, of traced values and of host arrays, batched over leading axes.

>>> import numpy as np, camber as cb
>>> cb.grad(lambda a: np.trace(cb.linalg.expm(a)))(np.zeros((2, 2)))
array([[1., 0.],
       [0., 1.]])

What fails (a singular matrix, no convergence) is NaN. numpy.linalg's own functions are traced where they are used: ``np.linalg.solve``,
``inv``, ``qr``...
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _dtypes as dt
from ._dispatch import FUNCTIONS, own
from ._errors import InvalidError, ShapeError
from ._library import lib
from ._tape import cast, constant, lift, tape_of, typed
from ._tape import reshape as _reshape
from .numpy import factor as _factor
from .numpy.linalg import _floats, _square, swapaxes
from .numpy.linalg import triangular_solve as _triangular_solve

SVDResult, QRResult, EighResult = _factor.SVDResult, _factor.QRResult, _factor.EighResult
inv, det, slogdet, cond = np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cond
matrix_rank, norm, matrix_power, multi_dot = np.linalg.matrix_rank, np.linalg.norm, np.linalg.matrix_power, np.linalg.multi_dot


def _last(x: Any) -> Any:
    return FUNCTIONS[np.squeeze](x, axis=-1)


def _column(b: Any) -> Any:
    return _reshape(b, (*b.shape, 1))


def _binary(name: str, a: Any, b: Any, *rest: Any) -> Any:
    tape = tape_of((a, b))
    return typed(tape, getattr(lib, name)(tape.handle, a._node, b._node, *rest))


@own
def expm(A: Any) -> Any:
    """The matrix exponential; its derivatives, to order 8, are right at repeated eigenvalues."""
    return _factor.one("expm", A)


@own
def sqrtm(A: Any) -> Any:
    """The principal square root; NaN where it is not real."""
    return _factor.one("sqrtm", A)


@own
def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> Any:
    """P, L, U with a = P L U; (P L, U) with permute_l; with p_indices p instead of P: a = (L U)[p]."""
    a = _factor.matrices(a, "lu")
    tape = tape_of((a,))
    left, right, order = _factor.several(tape, 3, lambda out: lib.lu(tape.handle, a._node, out))
    # Row order[i] of a is row i of L U.
    index = constant(tape, np.arange(a.shape[-2]))
    p = cast(index[:, None] == FUNCTIONS[np.expand_dims](order, -2), a._code)
    if permute_l:
        return FUNCTIONS[np.linalg.matmul](p, left), right
    return (FUNCTIONS[np.sum](cast(p, dt.I64) * np.arange(a.shape[-2]), axis=-1), left, right) if p_indices else (p, left, right)


@own
def lu_factor(a: Any) -> Any:
    """What lu_solve takes: L and U in one array, and the row order p (a[p] = L U), not LAPACK's list of exchanges."""
    a = _factor.matrices(a, "lu_factor")
    tape = tape_of((a,))
    left, right, order = _factor.several(tape, 3, lambda out: lib.lu(tape.handle, a._node, out))
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"lu_factor: takes square matrices, not shape {list(a.shape)}")
    return left + right - constant(tape, np.eye(a.shape[-1]), a._code), order


def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0) -> Any:
    """a x = b (trans: a^T x = b) from lu_factor(a)."""
    return _lu_solve(lu_and_piv[0], lu_and_piv[1], b, int(trans))


@own
def _lu_solve(both: Any, order: Any, b: Any, trans: int) -> Any:
    both, b = _floats([both, b])
    if b.ndim == 1:
        return _last(_lu_solve(both, order, _column(b), trans))
    size = _square(both, "lu_solve")
    p = cast(_column(lift(order, both._tape)) == constant(both._tape, np.arange(size)), both._code)
    matmul = FUNCTIONS[np.linalg.matmul]
    if trans:
        y = _triangular_solve(both, b, lower=False, trans=True)
        return matmul(swapaxes(p, -1, -2), _triangular_solve(both, y, lower=True, trans=True, unit=True))
    return _triangular_solve(both, _triangular_solve(both, matmul(p, b), lower=True, unit=True), lower=False)


@own
def qr(a: Any, mode: str = "full") -> Any:
    """scipy's qr in the modes 'full', 'economic' and 'r'."""
    if mode not in ("full", "economic", "r"):
        raise ValueError(f"qr: mode {mode!r} is not one of 'full', 'economic', 'r'")
    f = _factor.qr(lift(a), "complete" if mode != "economic" else "reduced")
    return (f[1],) if mode == "r" else f


@own
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """U, s, V^T."""
    return FUNCTIONS[np.linalg.svd](a, full_matrices, compute_uv)


@own
def svdvals(a: Any) -> Any:
    """Singular values, descending."""
    return _factor.svdvals(a)


@own
def eigh(a: Any, b: Any = None, lower: bool = True, eigvals_only: bool = False) -> Any:
    """Eigenvalues, ascending, and vectors of a v = w v or, with b positive definite, a v = w b v and v^T b v = 1."""
    if b is None:
        if eigvals_only:
            return FUNCTIONS[np.linalg.eigvalsh](a, "L" if lower else "U")
        return FUNCTIONS[np.linalg.eigh](a, "L" if lower else "U")
    a, b = _floats([a, b])
    _square(a, "eigh")
    tape = tape_of((a, b))
    w, v = _factor.several(tape, 2, lambda out: lib.eigh_generalized(tape.handle, a._node, b._node, out))
    return w if eigvals_only else EighResult(w, v)


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """Eigenvalues of eigh."""
    return eigh(a, b, lower, True) if b is not None else eigh(a, lower=lower, eigvals_only=True)


@own
def cholesky(a: Any, lower: bool = False) -> Any:
    """scipy's cholesky: the upper factor unless `lower`; only that triangle of a is read."""
    a = lift(a)
    factor = FUNCTIONS[np.linalg.cholesky](a if lower else swapaxes(a, -1, -2))
    return factor if lower else swapaxes(factor, -1, -2)


def cho_factor(a: Any, lower: bool = False) -> Any:
    """What cho_solve takes."""
    return cholesky(a, lower=bool(lower)), bool(lower)


def cho_solve(c_and_lower: Any, b: Any) -> Any:
    """a x = b from cho_factor(a)."""
    return _cho_solve(c_and_lower[0], b, bool(c_and_lower[1]))


@own
def _cho_solve(c: Any, b: Any, lower: bool) -> Any:
    c, b = _floats([c, b])
    if b.ndim == 1:
        return _last(_cho_solve(c, _column(b), lower))
    return _binary("cholesky_solve", c if lower else swapaxes(c, -1, -2), b)


@own
def solve(a: Any, b: Any) -> Any:
    """a x = b by LU."""
    return FUNCTIONS[np.linalg.solve](a, b)


@own
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """a x = b for a triangular a; trans 1 or 'T': a^T x = b."""
    if trans not in (0, 1, "N", "T"):
        raise ValueError(f"solve_triangular: trans is 0, 1, 'N' or 'T', not {trans!r}")
    return _triangular_solve(a, b, lower=lower, trans=trans in (1, "T"), unit=unit_diagonal)


@own
def lstsq(a: Any, b: Any) -> Any:
    """The x of np.linalg.lstsq alone, for batches too. a has full rank."""
    return _factor.lstsq_solution(a, b)


def pinv(a: Any, rtol: float | None = None) -> Any:
    """The pseudo-inverse; singular values up to rtol times the largest (default: max(m, n) roundings) count as 0."""
    return _pinv(a, repr(-1.0 if rtol is None else float(rtol)))


@own
def _pinv(a: Any, cut: str) -> Any:
    return _factor.one("pinv", a, float(cut))


@own
def kron(a: Any, b: Any) -> Any:
    """np.kron."""
    return FUNCTIONS[np.kron](a, b)


@own
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """a x + x b = q."""
    a, b, q = _floats([a, b, q])
    tape = tape_of((a, b, q))
    return typed(tape, lib.sylvester(tape.handle, a._node, b._node, q._node))


@own
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """a x + x a^T = q."""
    a, q = _floats([a, q])
    return _binary("lyapunov", a, q, 0)


@own
def solve_discrete_lyapunov(a: Any, q: Any) -> Any:
    """a x a^T - x + q = 0."""
    a, q = _floats([a, q])
    return _binary("lyapunov", a, q, 1)


@own
def solve_banded(l_and_u: Any, ab: Any, b: Any) -> Any:
    """a x = b for a with l diagonals below its own and u above: ab[u + i - j, j] = a[i, j]. Linear time, in derivatives too."""
    ab, b = _floats([ab, b])
    below, above = (int(v) for v in l_and_u)
    if b.ndim == 1:
        return _last(solve_banded((below, above), ab, _column(b)))
    return _binary("solve_banded", ab, b, below, above)


@own
def solveh_banded(ab: Any, b: Any, lower: bool = False) -> Any:
    """solve_banded of a symmetric matrix, of whose bands the upper (lower: the lower) ones are given, as scipy lays them out."""
    ab, b = _floats([ab, b])
    width, size = ab.shape[-2:]
    rows = []
    for d in range(width - 1, 0, -1) if lower else range(width - 1):
        # The mirror image of a band stands shifted along the columns.
        k = d if lower else width - 1 - d
        rows.append(FUNCTIONS[np.roll](ab[..., d, :], k if lower else -k, axis=-1))
    mirrored = rows if lower else rows[::-1]
    bands = [ab[..., d, :] for d in range(width)]
    stacked = FUNCTIONS[np.stack](mirrored + bands if lower else bands + mirrored, axis=-2)
    return solve_banded((width - 1, width - 1), stacked, b)


@own
def solve_tridiagonal(dl: Any, d: Any, du: Any, b: Any) -> Any:
    """a x = b with row i of a: dl[i], d[i], du[i]; dl[0] and du[-1] are not read."""
    dl, d, du, b = _floats([dl, d, du, b])
    if b.ndim == 1:
        return _last(solve_tridiagonal(dl, d, du, _column(b)))
    tape = tape_of((dl, d, du, b))
    return typed(tape, lib.solve_tridiagonal(tape.handle, dl._node, d._node, du._node, b._node))


@own
def block_diag(*arrs: Any) -> Any:
    """Matrices along the diagonal, zeros elsewhere; vectors are rows."""
    blocks = _floats(arrs) if arrs else []
    if not blocks:
        raise InvalidError("block_diag: no blocks")
    blocks = [_reshape(b, (1, b.size)) if b.ndim < 2 else b for b in blocks]
    total, at, rows = sum(b.shape[-1] for b in blocks), 0, []
    for b in blocks:
        around = [(0, 0)] * (b.ndim - 1) + [(at, total - at - b.shape[-1])]
        rows.append(FUNCTIONS[np.pad](b, around))
        at += b.shape[-1]
    return FUNCTIONS[np.concatenate](rows, axis=-2)


@own
def toeplitz(c: Any, r: Any = None) -> Any:
    """Constant diagonals: c is the first column, r (default c) the first row, whose first entry is not read."""
    c, r = _floats([c, c if r is None else r])
    c, r = _reshape(c, (c.size,)), _reshape(r, (r.size,))
    both = FUNCTIONS[np.concatenate]([c[::-1], r[1:]])
    return both[c.size - 1 - np.arange(c.size)[:, None] + np.arange(r.size)]


@own
def circulant(c: Any) -> Any:
    """The columns are c turned round."""
    (c,) = _floats([c])
    size = c.shape[-1]
    return c[..., (np.arange(size)[:, None] - np.arange(size)) % max(size, 1)]


__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "cond", "det", "eigh", "eigvalsh", "expm", "inv", "kron", "lstsq",
    "lu", "lu_factor", "lu_solve", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_banded",
    "solve_continuous_lyapunov", "solve_discrete_lyapunov", "solve_sylvester", "solve_triangular", "solve_tridiagonal", "solveh_banded",
    "sqrtm", "svd", "svdvals", "toeplitz",
]  # fmt: skip
