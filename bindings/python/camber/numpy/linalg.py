"""NumPy's products and linear algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, UFUNCS, implements, own
from .._errors import ShapeError
from .._library import lib
from .._tape import broadcast, cast, constant, joint, lift, made, nodes, tape_of, typed
from .._tape import reshape as _reshape
from .reductions import axes_of
from .reductions import norm as _norm
from .shapes import _axis, diagonal, moveaxis, ravel, swapaxes, transpose


def _numbers(values: Any) -> Any:
    values, code = joint(values)
    if code in dt.FLOATS or code == dt.I64:
        return values
    return [cast(v, dt.I64) for v in values]


def _floats(values: Any) -> Any:
    values, code = joint(values)
    return values if code in dt.FLOATS else [cast(v, dt.F64) for v in values]


# ---- Products --------------------------------------------------------------------------------------------------------------


@implements(np.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """``np.matmul``."""
    a, b = _numbers([x1, x2])
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul: a scalar is no matrix; use *")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(f"matmul: shapes {list(a.shape)} and {list(b.shape)} do not fit")
    if a._code in dt.INTEGERS:
        return _integer_matmul(a, b)
    tape = tape_of((a, b))
    return typed(tape, lib.matmul(tape.handle, a._node, b._node))


def _integer_matmul(a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return FUNCTIONS[np.sum](a * b, axis=-1)
    if a.ndim == 1:
        return FUNCTIONS[np.sum](_reshape(a, (*a.shape, 1)) * b, axis=-2)
    left, right = _reshape(a, (*a.shape, 1)), _reshape(b, (*b.shape[:-2], 1, *b.shape[-2:]))
    return FUNCTIONS[np.sum](left * right, axis=-2)


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """``np.dot``. Python scalars are not weak here, as in NumPy."""
    tape = tape_of((a, b))
    a, b = _numbers([lift(a, tape), lift(b, tape)])
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """``np.vdot``."""
    return matmul(ravel(lift(a)), ravel(lift(b)))


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    """``np.inner``."""
    a, b = _numbers([a, b])
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=((-1,), (-1,)))


@implements(np.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """``np.vecdot``."""
    a, b = _numbers([x1, x2])
    a, b = FUNCTIONS[np.broadcast_arrays](moveaxis(a, axis, -1), moveaxis(b, axis, -1))
    if a._code in dt.INTEGERS:
        return FUNCTIONS[np.sum](a * b, axis=-1)
    return _reshape(matmul(_reshape(a, (*a.shape[:-1], 1, a.shape[-1])), _reshape(b, (*b.shape, 1))), a.shape[:-1])


for _name in ("matvec", "vecmat"):
    if hasattr(np, _name):
        UFUNCS[getattr(np, _name)] = (
            (lambda a, b: _last(matmul(a, lift(b)[..., None]), -1)) if _name == "matvec" else (lambda a, b: _last(matmul(lift(a)[..., None, :], b), -2))
        )


def _last(x: Any, axis: int) -> Any:
    return FUNCTIONS[np.squeeze](x, axis=axis)


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """``np.outer``."""
    a, b = (ravel(lift(v, tape_of((a, b)))) for v in (a, b))
    return ops.traced("mul", _reshape(a, (a.size, 1)), b)


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """``np.tensordot``."""
    a, b = _numbers([a, b])
    if isinstance(axes, (int, np.integer)):
        left, right = list(range(a.ndim - int(axes), a.ndim)), list(range(int(axes)))
    else:
        pair = [list(v) if isinstance(v, (tuple, list, np.ndarray)) else [v] for v in axes]
        left, right = [_axis(i, a.ndim) for i in pair[0]], [_axis(i, b.ndim) for i in pair[1]]
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError("shape-mismatch for sum")
    rows, columns = [i for i in range(a.ndim) if i not in left], [i for i in range(b.ndim) if i not in right]
    depth = math.prod(a.shape[i] for i in left)
    shape = tuple(a.shape[i] for i in rows) + tuple(b.shape[i] for i in columns)
    m = _reshape(transpose(a, rows + left), (math.prod(a.shape[i] for i in rows), depth))
    n = _reshape(transpose(b, right + columns), (depth, math.prod(b.shape[i] for i in columns)))
    return _reshape(matmul(m, n), shape)


@implements(np.einsum)
def einsum(subscripts: Any, /, *operands: Any, optimize: Any = False, dtype: Any = None, **_: Any) -> Any:
    """``np.einsum``: repeated letters inside an operand (diagonals), '...' and the implicit output too."""
    if not isinstance(subscripts, str):
        raise TypeError("einsum: the form with axis lists is not traced; use a subscripts string")
    values = _floats(operands) if dtype is None else joint(operands, dt.code_of(dtype))[0]
    terms, result = _terms(subscripts.replace(" ", ""), [v.ndim for v in values])
    pairs = [_diagonals(term, value) for term, value in zip(terms, values)]
    terms, values = [p[0] for p in pairs], [p[1] for p in pairs]
    missing = sorted(set(result) - set("".join(terms)))
    if missing:
        raise ValueError(f"einsum: the output letter '{missing[0]}' is in no operand")
    values = _stretched(terms, values)
    tape = tape_of(values)
    text = ",".join(terms) + "->" + result
    return typed(tape, lib.einsum(tape.handle, text.encode(), nodes(v._node for v in values), len(values)))


def _terms(text: str, ranks: list[int]) -> tuple[list[str], str]:
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"einsum: {len(terms)} subscripts for {len(ranks)} operands")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba" if c not in text]
    most = max((rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks) if "..." in t), default=0)
    dots = "".join(free[:most])[::-1]
    out = []
    for term, rank in zip(terms, ranks):
        extra = rank - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ValueError(f"einsum: '{term}' does not fit an operand of {rank} axes")
        out.append(term.replace("...", dots[len(dots) - extra :]))
    if not arrow:
        joined = left.replace(",", "").replace(".", "")
        right = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return out, right.replace("...", dots)


def _diagonals(term: str, value: Any) -> tuple[str, Any]:
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            value = diagonal(value, 0, i, j)
            term = term[:i] + term[i + 1 : j] + term[j + 1 :] + letter
    return term, value


def _stretched(terms: list[str], values: list[Any]) -> list[Any]:
    sizes: dict[str, int] = {}
    for term, value in zip(terms, values):
        for letter, size in zip(term, value.shape):
            if sizes.get(letter, 1) == 1:
                sizes[letter] = size
            elif size not in (1, sizes[letter]):
                raise ShapeError(f"einsum: '{letter}' is {sizes[letter]} in one operand and {size} in another")
    return [broadcast(v, tuple(sizes[c] for c in t)) for t, v in zip(terms, values)]


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """``np.kron``."""
    a, b = _numbers([a, b])
    rank = max(a.ndim, b.ndim)
    a, b = _reshape(a, (1,) * (rank - a.ndim) + a.shape), _reshape(b, (1,) * (rank - b.ndim) + b.shape)
    left = _reshape(a, tuple(n for size in a.shape for n in (size, 1)))
    right = _reshape(b, tuple(n for size in b.shape for n in (1, size)))
    return _reshape(left * right, tuple(n * m for n, m in zip(a.shape, b.shape)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """``np.cross`` of vectors with 3 entries."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _numbers([a, b])
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError("cross: both arrays must have 3 entries along their axis")
    (a0, a1, a2), (b0, b1, b2) = ([v[..., i] for i in range(3)] for v in (a, b))
    out = FUNCTIONS[np.stack]([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)
    return moveaxis(out, -1, axisc)


# ---- numpy.linalg ----------------------------------------------------------------------------------------------------------


def _square(a: Any, name: str) -> int:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"{name}: shape {list(a.shape)} is no stack of square matrices")
    return int(a.shape[-1])


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """``np.linalg.solve``; a singular matrix gives NaN."""
    a, b = _floats([a, b])
    _square(a, "solve")
    if b.ndim == 1:
        return _last(solve(a, _reshape(b, (b.shape[0], 1))), -1)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast(a, batch + a.shape[-2:]), broadcast(b, batch + b.shape[-2:])
    tape = tape_of((a, b))
    return typed(tape, lib.solve(tape.handle, a._node, b._node))


@own
def triangular_solve(a: Any, b: Any, lower: bool = True, trans: bool = False, unit: bool = False) -> Any:
    """X with op(A) X = B for a triangular A; b may be a vector."""
    a, b = _floats([a, b])
    _square(a, "triangular_solve")
    if b.ndim == 1:
        return _last(triangular_solve(a, _reshape(b, (b.shape[0], 1)), lower, trans, unit), -1)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast(a, batch + a.shape[-2:]), broadcast(b, batch + b.shape[-2:])
    tape = tape_of((a, b))
    return made(tape, lib.triangular_solve(tape.handle, a._node, b._node, int(lower), int(trans), int(unit)), b.shape, b._code)


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """``np.linalg.cholesky``; where the matrix is not positive definite the result is NaN."""
    (a,) = _floats([a])
    _square(a, "cholesky")
    tape = tape_of((a,))
    factor = made(tape, lib.cholesky(tape.handle, a._node), a.shape, a._code)
    return swapaxes(factor, -1, -2) if upper else factor


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """``np.linalg.inv``."""
    (a,) = _floats([a])
    size = _square(a, "inv")
    return solve(a, broadcast(constant(a._tape, np.eye(size), a._code), a.shape))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """``np.linalg.matrix_power``."""
    size = _square(a, "matrix_power")
    if n < 0:
        a, n = inv(a), -n
    result = None
    while n:
        if n & 1:
            result = a if result is None else matmul(result, a)
        n >>= 1
        a = matmul(a, a) if n else a
    return result if result is not None else broadcast(constant(a._tape, np.eye(size), a._code), a.shape)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """``np.linalg.multi_dot``, from the left."""
    out = arrays[0]
    for other in arrays[1:]:
        out = dot(out, other)
    return out


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """``np.linalg.norm``."""
    (x,) = _floats([x])
    axes = axes_of(x, axis)
    if ord is None or (ord == 2 and len(axes) == 1) or (ord == "fro" and len(axes) == 2):
        return _norm(x, axis, keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis=axis, ord=ord, keepdims=keepdims)
    if len(axes) == 2:
        rows, columns = (axes if axis is None else tuple(_axis(i, x.ndim) for i in axis))
        return _matrix_norm(x, ord, rows, columns, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _matrix_norm(x: Any, ord: Any, rows: int, columns: int, keepdims: bool) -> Any:
    if ord in (1, -1, np.inf, -np.inf):
        inside, outside = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = FUNCTIONS[np.sum](ops.traced("abs", x), axis=inside, keepdims=True)
        out = FUNCTIONS[np.max if ord > 0 else np.min](sums, axis=outside, keepdims=True)
        return out if keepdims else FUNCTIONS[np.squeeze](out, axis=(rows, columns))
    if ord not in (2, -2, "nuc"):
        raise ValueError("Invalid norm order for matrices.")
    from .factor import singular_norm

    return singular_norm(x, ord, rows, columns, keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """``np.linalg.vector_norm``."""
    (x,) = _floats([x])
    size = ops.traced("abs", x)
    if ord == 2 or ord is None:
        return _norm(x, axis, keepdims)
    if ord in (np.inf, -np.inf):
        return FUNCTIONS[np.max if ord > 0 else np.min](size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return FUNCTIONS[np.sum](cast(ops.traced("ne", x, 0.0), x._code), axis=axis, keepdims=keepdims)
    if ord == 1:
        return FUNCTIONS[np.sum](size, axis=axis, keepdims=keepdims)
    return UFUNCS[np.power](FUNCTIONS[np.sum](UFUNCS[np.power](size, float(ord)), axis=axis, keepdims=keepdims), 1.0 / ord)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """``np.linalg.matrix_norm``."""
    return norm(x, ord, (-2, -1), keepdims)


def _alias(name: str, function: Any) -> None:
    if hasattr(np.linalg, name):
        FUNCTIONS[getattr(np.linalg, name)] = function


_alias("matmul", matmul)
_alias("outer", outer)
_alias("tensordot", tensordot)
_alias("vecdot", vecdot)
_alias("cross", lambda a, b, /, *, axis=-1: cross(a, b, axis=axis))
_alias("matrix_transpose", lambda x: swapaxes(x, -1, -2))
_alias("diagonal", lambda x, /, *, offset=0: diagonal(x, offset, -2, -1))
_alias("trace", lambda x, /, *, offset=0, dtype=None: FUNCTIONS[np.trace](x, offset, -2, -1, dtype))


__all__ = ["cholesky", "cross", "inv", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "outer",
           "solve", "tensordot", "triangular_solve", "vecdot", "vector_norm"]  # fmt: skip
