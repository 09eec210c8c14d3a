"""numpy.linalg's factorisations, determinants and what follows from singular values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import _dtypes as dt
from .._dispatch import FUNCTIONS, implements
from .._errors import DerivativeError, InvalidError, ShapeError
from .._library import lib
from .._tape import Tape, broadcast, cast, constant, nodes, tape_of, typed
from .._tape import reshape as _reshape
from .linalg import _floats, _square, inv, matmul
from .shapes import _axis, moveaxis, transpose


class QRResult(NamedTuple):
    Q: Any
    R: Any


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


def several(tape: Tape, count: int, call: Callable[[Any], int]) -> list[Any]:
    """The traced values that an entry with several results gives."""
    out = nodes([-1] * count)
    call(out)
    return [typed(tape, node) for node in out]


def one(name: str, a: Any, *rest: Any) -> Any:
    """The result of an entry of one float matrix."""
    (a,) = _floats([a])
    tape = tape_of((a,))
    return typed(tape, getattr(lib, name)(tape.handle, a._node, *rest))


def matrices(a: Any, name: str) -> Any:
    """A float operand of at least two axes."""
    (a,) = _floats([a])
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"{name}: {a.ndim}-dimensional array given. Array must be at least two-dimensional")
    return a


def upper(text: Any, name: str) -> bool:
    """numpy's UPLO."""
    if str(text).upper() not in ("L", "U"):
        raise ValueError(f"{name}: UPLO argument must be 'L' or 'U'")
    return str(text).upper() == "U"


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """``np.linalg.det``: to 3 by 3 by cofactors, above by LU with a gradient that is right for singular matrices too."""
    (a,) = _floats([a])
    _square(a, "det")
    return one("det", a)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """``np.linalg.slogdet``."""
    (a,) = _floats([a])
    _square(a, "slogdet")
    tape = tape_of((a,))
    return SlogdetResult(*several(tape, 2, lambda out: lib.slogdet(tape.handle, a._node, out)))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """``np.linalg.qr`` in the modes 'reduced', 'complete' and 'r'."""
    a = matrices(a, "qr")
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode {mode!r} is not traced; 'reduced', 'complete' and 'r' are")
    tape = tape_of((a,))
    q, r = several(tape, 2, lambda out: lib.qr(tape.handle, a._node, int(mode == "complete"), out))
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """``np.linalg.eigh``. Tangents are symmetrised; camber.h says what holds where eigenvalues meet."""
    (a,) = _floats([a])
    _square(a, "eigh")
    tape, low = tape_of((a,)), int(not upper(UPLO, "eigh"))
    return EighResult(*several(tape, 2, lambda out: lib.eigh(tape.handle, a._node, low, out)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """``np.linalg.eigvalsh``."""
    (a,) = _floats([a])
    _square(a, "eigvalsh")
    return one("eigvalsh", a, int(not upper(UPLO, "eigvalsh")))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """``np.linalg.svd``; camber.h says what holds where singular values meet."""
    a = matrices(a, "svd")
    if not compute_uv:
        return svdvals(a)
    tape = tape_of((a,))
    return SVDResult(*several(tape, 3, lambda out: lib.svd(tape.handle, a._node, int(bool(full_matrices)), out)))


def svdvals(x: Any, /) -> Any:
    """``np.linalg.svdvals``."""
    return one("svdvals", matrices(x, "svdvals"))


def _vector(b: Any) -> bool:
    return bool(b.ndim == 1)


def lstsq_solution(a: Any, b: Any) -> Any:
    """argmin |a x - b| for a of full rank; b may be a vector, batches broadcast."""
    a, b = _floats([a, b])
    a = matrices(a, "lstsq")
    if _vector(b):
        return FUNCTIONS[np.squeeze](lstsq_solution(a, _reshape(b, (b.shape[0], 1))), axis=-1)
    tape = tape_of((a, b))
    return typed(tape, lib.lstsq(tape.handle, a._node, b._node))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """``np.linalg.lstsq`` by QR. The matrix has full rank; where it may not, ``np.linalg.pinv(a) @ b`` serves."""
    a, b = _floats([a, b])
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise np.linalg.LinAlgError("lstsq: a has two axes, b one or two; camber.linalg.lstsq takes batches")
    x, (m, n) = lstsq_solution(a, b), a.shape
    if m > n:
        residuals = FUNCTIONS[np.sum]((b - matmul(a, x)) ** 2, axis=0)
        residuals = _reshape(residuals, (1 if _vector(b) else b.shape[1],))
    else:
        residuals = constant(tape_of((a,)), np.zeros(0), a._code)
    return x, residuals, matrix_rank(a, rtol=None if rcond is None else float(rcond)), svdvals(a)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """``np.linalg.pinv``; by default singular values up to max(m, n) roundings of the largest count as 0."""
    cut = rcond if rcond is not None else rtol
    if cut is not None and not isinstance(cut, (int, float, np.number)):
        raise InvalidError("pinv: rcond is a number here")
    return one("pinv", matrices(a, "pinv"), -1.0 if cut is None else float(cut))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """``np.linalg.matrix_rank``: an integer, without a derivative."""
    (a,) = _floats([A])
    if a.ndim < 2:
        return cast(FUNCTIONS[np.any](a != 0.0), dt.I64)
    if rtol is not None:
        s = svdvals(a)
        return FUNCTIONS[np.sum](cast(s > FUNCTIONS[np.max](s, axis=-1, keepdims=True) * float(rtol), dt.I64), axis=-1)
    if tol is not None and not isinstance(tol, (int, float, np.number)):
        return FUNCTIONS[np.sum](cast(svdvals(a) > tol[..., None], dt.I64), axis=-1)
    return one("matrix_rank", a, -1.0 if tol is None else float(tol))


ORDERS = {"fro": b"fro", "nuc": b"nuc", 2: b"2", -2: b"-2", 1: b"1", -1: b"-1", math.inf: b"inf", -math.inf: b"-inf"}


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """``np.linalg.cond``."""
    a = matrices(x, "cond")
    if (2 if p is None else p) not in ORDERS:
        raise ValueError("Invalid norm order for matrices.")
    return one("matrix_cond", a, ORDERS[2 if p is None else p])


def singular_norm(x: Any, ord: Any, rows: int, columns: int, keepdims: bool) -> Any:
    """The matrix norms 2, -2 and 'nuc' over two axes."""
    rank = x.ndim
    out = one("matrix_norm", moveaxis(x, (rows, columns), (-2, -1)), ORDERS[ord])
    if not keepdims:
        return out
    gone = {_axis(rows, rank), _axis(columns, rank)}
    return _reshape(out, tuple(1 if i in gone else n for i, n in enumerate(x.shape)))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """``np.linalg.tensorinv``."""
    (a,) = _floats([a])
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    old = a.shape
    return _reshape(inv(_reshape(a, (math.prod(old[:ind]), math.prod(old[ind:])))), old[ind:] + old[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """``np.linalg.tensorsolve``."""
    a, b = _floats([a, b])
    if axes is not None:
        last = [_axis(k, a.ndim) for k in axes]
        a = transpose(a, [k for k in range(a.ndim) if k not in last] + last)
    shape = a.shape[b.ndim :]
    size = math.prod(shape)
    if a.size != size * size or math.prod(a.shape[: b.ndim]) != size:
        raise np.linalg.LinAlgError("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])")
    return _reshape(FUNCTIONS[np.linalg.solve](_reshape(a, (size, size)), _reshape(b, (size,))), shape)


if hasattr(np.linalg, "svdvals"):
    FUNCTIONS[np.linalg.svdvals] = svdvals


def _general(name: str) -> Any:
    def call(*_: Any, **__: Any) -> Any:
        raise DerivativeError(f"np.linalg.{name}: eigenvalues of matrices that are not symmetric are complex and not traced; eigh and svd are")

    call.refuses = True  # type: ignore[attr-defined]
    return call


for _name in ("eig", "eigvals"):
    FUNCTIONS[getattr(np.linalg, _name)] = _general(_name)


def aligned(a: Any, b: Any, name: str) -> tuple[Any, Any]:
    """Matrices with one batch in front."""
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"{name}: the batches of shapes {list(a.shape)} and {list(b.shape)} do not fit") from None
    return broadcast(a, batch + a.shape[-2:]), broadcast(b, batch + b.shape[-2:])


__all__ = ["cond", "det", "eigh", "eigvalsh", "lstsq", "matrix_rank", "pinv", "qr", "slogdet", "svd", "svdvals", "tensorinv", "tensorsolve"]
