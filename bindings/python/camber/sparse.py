"""Sparse Jacobians and Hessians: the pattern once, the values as often as wanted; and colourings of any pattern.

>>> import numpy as np, camber as cb
>>> jac = cb.sparse_jacobian(lambda x: x[1:] * x[:-1])
>>> J = jac(np.array([1.0, 2.0, 3.0]))
>>> J.shape, J.nnz, J.data
((2, 3), 4, array([2., 1., 3., 2.]))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError, error
from ._library import constants, lib
from ._tape import nodes
from ._trace import is_number
from .coloring import _ORDERS, _entries, _pick, spy
from .function import Function, leaf_key
from .program import input_array, pointers

_FORMATS = {"csr": constants["CAMBER_SPARSE_CSR"], "csc": constants["CAMBER_SPARSE_CSC"], "coo": constants["CAMBER_SPARSE_COO"]}
_BLOCKS = constants["CAMBER_SPARSE_BLOCKS"]
_TRIANGLES = {"full": constants["CAMBER_SPARSE_FULL"], "lower": constants["CAMBER_SPARSE_LOWER"], "upper": constants["CAMBER_SPARSE_UPPER"]}
_METHODS = {
    name: constants["CAMBER_SPARSE_" + name.upper()]
    for name in ("auto", "accumulate", "forward", "reverse", "star", "acyclic", "star_bicoloring", "acyclic_bicoloring", "elimination", "edge_pushing")
}
_DETECTIONS = {name: constants["CAMBER_DETECT_" + name.upper()] for name in ("auto", "sets", "words", "reverse_words")}
_ALIASES = {"column": "forward", "row": "reverse", "compressed_forward": "forward", "compressed_reverse": "reverse"}



class SparseMatrix:
    """Values of a sparse derivative at one point, with their pattern.

    Attributes
    ----------
    data
        The values, in the order of the format.
    shape, nnz, format
        Rows and columns, entries, "csr", "csc" or "coo".
    """

    def __init__(self, prepared: Prepared, data: np.ndarray[Any, Any]) -> None:
        self._prepared = prepared
        self.data = data
        self.shape = prepared.shape
        self.format = prepared.format

    @property
    def nnz(self) -> int:
        """Entries of the pattern."""
        return int(self.data.size)

    @property
    def dtype(self) -> Any:
        """Of the values."""
        return self.data.dtype

    @property
    def indptr(self) -> np.ndarray[Any, Any]:
        """Where each row (of csc: column) begins."""
        if self.format == "coo":
            raise InvalidError("sparse: a matrix in coo has row and col, no indptr")
        return self._prepared.lists[0]

    @property
    def indices(self) -> np.ndarray[Any, Any]:
        """The column (of csc: the row) of each value."""
        if self.format == "coo":
            raise InvalidError("sparse: a matrix in coo has row and col, no indices")
        return self._prepared.lists[1]

    @property
    def row(self) -> np.ndarray[Any, Any]:
        """The row of each value."""
        return self._prepared.pairs[0]

    @property
    def col(self) -> np.ndarray[Any, Any]:
        """The column of each value."""
        return self._prepared.pairs[1]

    @property
    def colors(self) -> np.ndarray[Any, Any]:
        """The color of each column (where rows are colored: of each row), from 1; 0 where no product is needed."""
        return self._prepared.colors

    @property
    def detection(self) -> str:
        """How the pattern was found: "sets", "words", "reverse_words"; "auto": the entries themselves told, or it was given."""
        return self._prepared.detection

    @property
    def method(self) -> str:
        """How values are computed."""
        return self._prepared.method

    def to_scipy(self) -> Any:
        """The matrix as SciPy's, sharing the values."""
        import scipy.sparse as ss

        if self.format in ("coo", "blocks"):
            return ss.coo_matrix((self.data, (self.row, self.col)), shape=self.shape)
        made = ss.csr_matrix if self.format == "csr" else ss.csc_matrix
        return made((self.data, self.indices, self.indptr), shape=self.shape, copy=False)

    def blocks(self) -> list[tuple[int, int, np.ndarray[Any, Any]]]:
        """(group of rows, group of columns, dense block) of each block, views of `data`."""
        if self.format != "blocks":
            raise InvalidError("sparse: the values are not in blocks; ask for them with blocks=(sizes of rows, sizes of columns)")
        starts, columns = self._prepared.lists
        rows, widths = self._prepared.groups
        found, at = [], 0
        for g in range(len(rows)):
            for b in columns[starts[g] : starts[g + 1]]:
                size = int(rows[g] * widths[b])
                found.append((g, int(b), self.data[at : at + size].reshape(rows[g], widths[b])))
                at += size
        return found

    def to_dense(self) -> np.ndarray[Any, Any]:
        """The matrix with its zeros; of a triangle, that triangle."""
        dense = np.zeros(self.shape, self.data.dtype)
        dense[self.row, self.col] = self.data
        return dense

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        dense = self.to_dense()
        return dense if dtype is None else dense.astype(dtype)

    def __repr__(self) -> str:
        return f"SparseMatrix({self.shape[0]} x {self.shape[1]}, {self.nnz} entries, {self.format}, {self.dtype}, by {self.method})"

    def _repr_svg_(self) -> str:
        return spy(self.row, self.col, self.shape, *self._prepared.sides)


class _Space:
    """A workspace of the core's."""

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def __del__(self, free: Any = lib.sparse_workspace_free) -> None:
        if self.handle:
            free(self.handle)


class Prepared:
    """A sparse derivative prepared for arguments of one kind: pattern, colours and program."""

    def __init__(self, handle: Any, what: str, kinds: list[Any], format: str, options: dict[str, float], pattern: Any, colors: Any, blocks: Any = None,
                 point: Any = None) -> None:  # fmt: skip
        self.handle, self.what, self.kinds, self.format = handle, what, kinds, format
        self.groups: Any = None
        shape = None
        for name, value in options.items():
            self._check(lib.sparse_set(handle, name.encode(), float(value)))
        if pattern is not None:
            rows, columns, shape = _entries(pattern, f"{what}: pattern")
            self._check(lib.sparse_use_pattern(handle, rows.ctypes.data, columns.ctypes.data, rows.size))
        if colors is not None:
            given = [None if c is None else np.ascontiguousarray(c, np.int32) for c in colors]
            args = [v for c in given for v in ((None, 0) if c is None else (c.ctypes.data, c.size))]
            self._check(lib.sparse_use_colors(handle, *args))
        if blocks is not None:
            self.groups = tuple(np.ascontiguousarray(g, np.int64) for g in blocks)
            self.format = "blocks"
            self._check(lib.sparse_use_blocks(handle, *[v for g in self.groups for v in (g.ctypes.data, g.size)]))
        if point is not None:
            self._check(lib.sparse_use_point(handle, pointers(point)))
        self._check(lib.sparse_prepare(handle))
        self.shape = (int(lib.sparse_row_count(handle)), int(lib.sparse_column_count(handle)))
        if shape is not None and tuple(shape) != self.shape:
            raise ShapeError(f"{what}: the pattern is {shape[0]} x {shape[1]}, the matrix {self.shape[0]} x {self.shape[1]}")
        self.count = int(lib.sparse_value_count(handle))
        self.dtype = dt.NUMPY[lib.sparse_value_dtype(handle)]
        self._local = threading.local()
        self._lists: Any = None
        self._pairs: Any = None
        self._sides: Any = None

    def __del__(self, free: Any = lib.sparse_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _check(self, status: int) -> None:
        if status < 0:
            raise error(status, lib.sparse_message(self.handle).decode())

    @property
    def detection(self) -> str:
        """How the pattern was found; "auto": the entries themselves told, or it was given."""
        number = lib.sparse_detection(self.handle)
        return next(name for name, value in _DETECTIONS.items() if value == number)

    @property
    def method(self) -> str:
        """The name of the method taken."""
        number = lib.sparse_method(self.handle)
        return next(name for name, value in _METHODS.items() if value == number)

    def _read(self, format: str, lengths: tuple[int, int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        kind = np.dtype(np.int32 if max(*self.shape, self.count) < 2**31 - 1 else np.int64)
        first, second = (np.empty(n, kind) for n in lengths)
        self._check(lib.sparse_pattern(self.handle, _FORMATS.get(format, _BLOCKS), kind.itemsize * 8, 0, first.ctypes.data, second.ctypes.data))
        return first, second

    @property
    def lists(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Starts and indices."""
        if self._lists is None and self.format == "blocks":
            starts, indices = self._read(self.format, (len(self.groups[0]) + 1, max(self.count, 1)))
            self._lists = (starts, indices[: starts[-1]])
        elif self._lists is None:
            self._lists = self._read(self.format, (self.shape[0 if self.format == "csr" else 1] + 1, self.count))
        return self._lists  # type: ignore[no-any-return]

    @property
    def pairs(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Row and column of each value."""
        if self._pairs is None:
            self._pairs = self._read("coo", (self.count, self.count))
        return self._pairs  # type: ignore[no-any-return]

    @property
    def sides(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Colors of rows and of columns."""
        if self._sides is None:
            rows, columns = np.zeros(self.rows, np.int32), np.zeros(self.shape[1], np.int32)
            self._check(lib.sparse_colors(self.handle, rows.ctypes.data, columns.ctypes.data, None, None))
            self._sides = (rows, columns)
        return self._sides  # type: ignore[no-any-return]

    @property
    def rows(self) -> int:
        """Rows of the matrix that is colored."""
        return max(self.shape[0], getattr(self, "residuals", 0))

    @property
    def colors(self) -> np.ndarray[Any, Any]:
        """Of the columns, where they have any, else of the rows."""
        rows, columns = self.sides
        return columns if columns.any() or not rows.any() else rows

    def _space(self) -> _Space:
        if not hasattr(self._local, "space"):
            handle = lib.sparse_workspace_new(self.handle)
            if not handle:
                raise error(-5, lib.sparse_message(self.handle).decode() or "a workspace's memory was refused")
            self._local.space = _Space(handle)
        return self._local.space  # type: ignore[no-any-return]

    def values(self, arrays: list[Any], out: Any = None) -> np.ndarray[Any, Any]:
        """The values at a point, in `out` where that is given."""
        if out is None:
            out = np.empty(self.count, self.dtype)
        elif out.dtype != self.dtype or out.shape != (self.count,) or not out.flags.c_contiguous or not out.flags.writeable:
            raise InvalidError(f"{self.what}: out must be a contiguous, writable array of {self.count} {self.dtype}")
        space = self._space()
        status = lib.sparse_values(space.handle, pointers(arrays), out.ctypes.data)
        if status < 0:
            raise error(status, lib.sparse_workspace_message(space.handle).decode())
        return out

    def check(self, arrays: list[Any], probes: int, tolerance: float) -> None:
        """Compares products with the exact derivative's."""
        self._check(lib.sparse_check(self.handle, pointers(arrays), probes, tolerance))


class SparseFunction:
    """Gives a SparseMatrix at each point; traced, its pattern found and its values' program compiled once for each kind of arguments."""

    def __init__(self, kind: str, f: Callable[..., Any], pattern: Any, coloring: Any, format: str, options: dict[str, float], extra: int = 0,
                 blocks: Any = None, at: Any = None) -> None:  # fmt: skip
        self.kind, self.name = kind, f"sparse_{kind}"
        self.blocks, self.at = blocks, at
        self.function = f if isinstance(f, Function) else Function(f)
        _pick(_FORMATS, format, f"{self.name}: format")
        self.pattern, self.format, self.options = pattern, format, {"format": _FORMATS[format], **options}
        self.colors: Any = None
        self.planned = coloring if isinstance(coloring, str) and coloring in ("plan", "accurate") else None
        if self.planned:
            if kind not in ("jacobian", "hessian") or pattern is not None:
                raise InvalidError(f"{self.name}: the planner chooses among methods that find the pattern of a Jacobian or Hessian themselves")
            self.options["method"] = _METHODS["auto"]
        elif isinstance(coloring, str):
            self.options["method"] = _pick(_METHODS, _ALIASES.get(coloring, coloring), f"{self.name}: coloring")
        elif isinstance(coloring, dict):
            self.colors = (coloring.get("rows"), coloring.get("columns"))
        else:
            self.colors = (None, coloring)
        self.extra = extra
        self._known: dict[Any, tuple[Prepared, list[int]]] = {}
        self._lock = threading.Lock()

    def _arguments(self, x: Any, args: Sequence[Any]) -> tuple[list[Any], pytree.Tree, int]:
        points, tree = pytree.flatten(((x, *args), {}))
        if any_traced(points):
            raise InvalidError(f"{self.name}: the arguments must be numbers, not values being traced")
        count = len(pytree.leaves(x))
        if self.kind == "combination" and (not args or len(pytree.leaves(args[0])) != count):
            raise InvalidError(f"{self.name}: called as h(y, dy, *args, weights=(alpha, beta)), dy with the structure of y")
        for i in range(2 * count if self.kind == "combination" else count):
            if not is_number(points[i]):
                raise DtypeError(f"{self.name}: x has a leaf of type {type(points[i]).__name__}; variables are arrays of floats")
            array = np.asarray(points[i])
            points[i] = array if dt.CODES.get(array.dtype) in dt.FLOATS else array.astype(np.float64)
        return points, tree, count

    def prepare(self, x: Any, *args: Any) -> Prepared:
        """The derivative prepared for arguments like these."""
        return self._prepared(*self._arguments(x, args))[0]

    def _prepared(self, points: list[Any], tree: pytree.Tree, count: int) -> tuple[Prepared, list[int]]:
        key = (tree, tuple([leaf_key(leaf) for leaf in points]))
        with self._lock:
            if key not in self._known:
                self._known[key] = self._make(key, count, points)
            return self._known[key]

    def _make(self, key: Any, count: int, points: list[Any]) -> tuple[Prepared, list[int]]:
        tape, inputs, places, result = self.function._trace(*key)
        outputs = [y._node for y in _outputs(result, tape)]
        ids = [x._node for x in inputs]
        rest = (nodes(ids[:count]), count, nodes(ids[count:]), len(ids) - count)
        kinds = [(x.shape, x._code) for x in inputs]
        if self.kind == "hessian":
            if len(outputs) != 1:
                raise ShapeError(f"sparse_hessian: the function gives {len(outputs)} values; one scalar is wanted")
            handle = lib.sparse_hessian(tape.handle, outputs[0], *rest)
        elif self.kind == "combination":
            handle = lib.sparse_combination(tape.handle, nodes(outputs), len(outputs), nodes(ids[:count]), nodes(ids[count : 2 * count]), count,
                                            nodes(ids[2 * count :]), len(ids) - 2 * count)  # fmt: skip
        else:
            args = (tape.handle, nodes(outputs), len(outputs), *rest)
            handle = lib.sparse_normal(*args, self.extra) if self.kind == "normal" else getattr(lib, self.name)(*args)
        if not handle:
            tape.fail()
        if self.planned:
            from .planner import Plan

            arrays = [input_array(np.asarray(points[p]), k, f"{self.name}: argument {i}") for i, (p, k) in enumerate(zip(places, kinds))]
            self.plan = Plan(tape, self.name, outputs, ids[:count], ids[count:], arrays, self.planned == "accurate", True)
            self.options["method"] = _METHODS[_ALIASES.get(self.plan.method, self.plan.method)]
        point = None
        if self.at is not None:
            given, tree, _ = self._arguments(self.at[0], self.at[1:])
            if (tree, tuple([leaf_key(leaf) for leaf in given])) != key:
                raise ShapeError(f"{self.name}: the point 'at' is not of the arguments' kind")
            point = [input_array(np.asarray(given[p]), k, f"{self.name}: at: argument {i}") for i, (p, k) in enumerate(zip(places, kinds))]
        made = Prepared(handle, self.name, kinds, self.format, self.options, self.pattern, self.colors, self.blocks, point)
        shapes = [(y.shape, y._code) for y in _outputs(result, tape)]
        if self.kind == "lagrangian":
            made.kinds = kinds + shapes
        if self.kind == "combination":
            made.kinds = [*kinds, ((), dt.F64), ((), dt.F64)]
        if self.kind == "normal":
            made.residuals = sum(int(np.prod(s)) for s, _ in shapes)  # type: ignore[attr-defined]
            if self.extra:
                made.kinds = [*kinds, ((made.residuals,), dt.CODES[np.dtype(made.dtype)])]  # type: ignore[attr-defined]
        return made, places

    def __call__(self, x: Any, *args: Any, out: Any = None, weights: Any = None) -> SparseMatrix:
        points, tree, count = self._arguments(x, args)
        made, places = self._prepared(points, tree, count)
        return SparseMatrix(made, made.values(self._inputs(made, places, points, weights), out))

    def _inputs(self, made: Prepared, places: list[int], points: list[Any], weights: Any) -> list[Any]:
        values = [points[p] for p in places]
        if len(made.kinds) > len(values):
            more = pytree.leaves(weights) if weights is not None else []
            if len(more) != len(made.kinds) - len(values):
                raise InvalidError(f"{self.name}: weights for {len(made.kinds) - len(values)} outputs are wanted, not {len(more)}")
            values += [np.asarray(w, dt.NUMPY[kind[1]]) for w, kind in zip(more, made.kinds[len(values) :])]
        elif weights is not None:
            raise InvalidError(f"{self.name}: takes no weights")
        return [input_array(np.asarray(v), k, f"{self.name}: argument {i}") for i, (v, k) in enumerate(zip(values, made.kinds))]

    def check(self, x: Any, *args: Any, weights: Any = None, probes: int = 3, tolerance: float | None = None) -> None:
        """Compares products of the sparse matrix at a point with those of the derivative itself.

        Errors
        ------
        InvalidError
            Names the entry that the pattern lacks.
        """
        points, tree, count = self._arguments(x, args)
        made, places = self._prepared(points, tree, count)
        limit = tolerance if tolerance is not None else (1e-9 if made.dtype == np.float64 else 1e-3)
        made.check(self._inputs(made, places, points, weights), probes, limit)


def _outputs(result: Any, tape: Any) -> list[Any]:
    from ._trace import on_tape

    return [on_tape(leaf, tape) for leaf in pytree.leaves(result)]


def _options(order: str, threads: int, triangle: str | None = None, detection: str = "auto") -> dict[str, float]:
    options = {"detection": float(_pick(_DETECTIONS, detection, "detection")), "order": float(_pick(_ORDERS, order, "order")), "threads": float(threads)}
    if triangle is not None:
        options["triangle"] = float(_pick(_TRIANGLES, triangle, "triangle"))
    return options


def _method(coloring: Any, method: str | None) -> Any:
    """`method` where it is given; the planner's own words are "plan" and "accurate"."""
    return coloring if method is None else "plan" if method == "auto" else method


def sparse_jacobian(
    f: Callable[..., Any],
    pattern: Any = None,
    coloring: Any = "auto",
    format: str = "csr",
    *,
    method: str | None = None,
    order: str = "portfolio",
    threads: int = 0,
    blocks: Any = None,
    at: Any = None,
    detection: str = "auto",
) -> SparseFunction:
    """A function that gives the Jacobian of ``f(x, *args)`` by x as a sparse matrix.

    Parameters
    ----------
    f
        Gives a float array, or a tree of them; rows are all their elements, columns all those of x.
    pattern
        The host's own: (rows, columns), a SciPy matrix, or a dense array of what is not zero. None finds it.
    coloring
        "auto", "accumulate" (no colors), "forward" ("column"), "reverse" ("row"), "star_bicoloring", "acyclic_bicoloring"; or the columns' colors, or
        ``{"rows": ..., "columns": ...}``, from 1, 0 for none.
    format
        "csr", "csc" or "coo".
    order
        In which vertices are colored: "portfolio" (the fewest colors of all) or one of "natural", "largest_first", "smallest_last",
        "incidence_degree", "dynamic_largest_first".
    method
        In place of `coloring`: "auto" lets the planner choose at the first point of each kind (see cb.plan), "accurate" takes the least
        predicted rounding error; or a method of its table, "elimination" among them.
    threads
        0: all processors.
    blocks
        (sizes of groups of rows, sizes of groups of columns): values as dense blocks, see SparseMatrix.blocks.
    at
        Arguments, as a tuple, at which the pattern is taken instead of everywhere: the branches taken there, no entry where a factor is zero there.
    detection
        How a pattern is found for methods with colors: "sets", "words" (64 columns at a time), "reverse_words"; "auto" takes the cheaper.

    >>> import numpy as np, camber as cb
    >>> J = cb.sparse_jacobian(lambda x: np.sin(x) * np.roll(x, 1))(np.zeros(4))
    >>> J.nnz, J.shape
    (8, (4, 4))
    """
    return SparseFunction("jacobian", f, pattern, _method(coloring, method), format, _options(order, threads, detection=detection), blocks=blocks, at=at)


def sparse_hessian(
    f: Callable[..., Any],
    pattern: Any = None,
    coloring: Any = "auto",
    format: str = "csr",
    *,
    method: str | None = None,
    triangle: str = "full",
    order: str = "portfolio",
    threads: int = 0,
    at: Any = None,
    detection: str = "auto",
) -> SparseFunction:
    """A function that gives the Hessian of the scalar ``f(x, *args)`` by x as a sparse matrix.

    `triangle`: "full", "lower" or "upper". `coloring`: "auto", "accumulate", "star", "acyclic", "forward", "reverse", "edge_pushing", or colors. The rest as in sparse_jacobian.

    >>> import numpy as np, camber as cb
    >>> cb.sparse_hessian(lambda x: np.sum(x[1:] * x[:-1] ** 2), triangle="lower")(np.array([1.0, 2.0])).to_dense()
    array([[4., 0.],
           [2., 0.]])
    """
    return SparseFunction("hessian", f, pattern, _method(coloring, method), format, _options(order, threads, triangle, detection), at=at)


def sparse_lagrangian(
    f: Callable[..., Any], pattern: Any = None, coloring: Any = "auto", format: str = "csr", *, triangle: str = "full", order: str = "portfolio", threads: int = 0
) -> SparseFunction:
    """The Hessian of a weighted sum: ``f`` gives a tree of arrays (such as the objective and the constraints), each element has a weight: call ``h(x, weights=tree)``.

    >>> import numpy as np, camber as cb
    >>> h = cb.sparse_lagrangian(lambda x: (np.sum(x**2), x[:-1] * x[1:]))
    >>> h(np.array([1.0, 2.0]), weights=(0.5, np.array([3.0]))).to_dense()
    array([[1., 3.],
           [3., 1.]])
    """
    return SparseFunction("lagrangian", f, pattern, coloring, format, _options(order, threads, triangle))


def sparse_combination(f: Callable[..., Any], pattern: Any = None, coloring: Any = "auto", format: str = "csr", *, order: str = "portfolio", threads: int = 0) -> SparseFunction:
    """What implicit integrators solve with: alpha df/dy + beta df/dy' of ``f(y, dy, *args)``, in one sweep: call ``h(y, dy, *args, weights=(alpha, beta))``.

    >>> import numpy as np, camber as cb
    >>> h = cb.sparse_combination(lambda y, dy: dy + y * y)
    >>> h(np.array([1.0, 2.0]), np.zeros(2), weights=(1.0, 10.0)).data
    array([12., 14.])
    """
    return SparseFunction("combination", f, pattern, coloring, format, _options(order, threads))


def sparse_normal(f: Callable[..., Any], weighted: bool = False, format: str = "csr", *, triangle: str = "full", threads: int = 0) -> SparseFunction:
    """The normal matrix of residuals ``f(x, *args)``: the transposed Jacobian times the Jacobian, with ``h(x, weights=w)`` between where `weighted`.

    >>> import numpy as np, camber as cb
    >>> cb.sparse_normal(lambda x: x[1:] - x[:-1])(np.zeros(3)).to_dense()
    array([[ 1., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  1.]])
    """
    return SparseFunction("normal", f, None, "auto", format, _options("portfolio", threads, triangle), extra=int(weighted))
