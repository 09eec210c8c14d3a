"""Python functions as operators: host_call and pure_callback call Python when the program runs.

What Python raises comes back as that exception.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError, error, keep
from ._library import lib, structure
from ._tape import Tape, current, lift, nodes, typed
from ._trace import is_number, recording
from .custom import _NODES, _P, _address, _kept, _Keeping, _leaves, _release, _retain

_Operator = structure("camber_operator")
_PP = ctypes.POINTER(ctypes.c_void_p)
_Value = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _PP, _PP)
_Direction = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _PP, _PP, _PP, _PP)
_Types = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _NODES, ctypes.c_size_t, _NODES)
_Sparsity = ctypes.CFUNCTYPE(ctypes.c_int32, _P, ctypes.c_size_t, ctypes.c_size_t, _NODES, _NODES, ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t))


class ShapeDtype:
    """A shape and a dtype: what a function of the host's own gives.

    >>> import camber as cb
    >>> cb.ShapeDtype((2, 3), "f32")
    ShapeDtype((2, 3), f32)
    """

    __slots__ = ("shape", "dtype", "code")

    def __init__(self, shape: int | Sequence[int] = (), dtype: Any = np.float64) -> None:
        self.shape: tuple[int, ...] = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
        self.code = dt.code_of(dtype)
        self.dtype = dt.NUMPY[self.code]

    def __repr__(self) -> str:
        return f"ShapeDtype({self.shape}, {dt.NAMES[self.code]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtype) and (self.shape, self.code) == (other.shape, other.code)

    def __hash__(self) -> int:
        return hash((self.shape, self.code))


class _Function:
    """A host function for arguments of one structure, with its results' types."""

    def __init__(self, f: Any, jvp: Any, vjp: Any, name: str, tree: pytree.Tree, leaves: list[Any], places: list[int], types: list[tuple[tuple[int, ...], int]],
                 out_tree: pytree.Tree, results: list[ShapeDtype]) -> None:  # fmt: skip
        self.f, self.jvp, self.vjp, self.name, self.tree, self.leaves, self.places = f, jvp, vjp, name, tree, leaves, places
        self.types, self.out_tree, self.results = types, out_tree, results
        self.sparsity: Any = None
        self.number = 0

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        leaves = list(self.leaves)
        for place, value in zip(self.places, values):
            leaves[place] = value
        return tuple(pytree.unflatten(self.tree, leaves))

    def store(self, result: Any, tree: pytree.Tree, types: Sequence[tuple[tuple[int, ...], int]], out: Any, what: str) -> None:
        found = _leaves(tree, result, what)
        if len(found) != len(types):
            raise InvalidError(f"{what}: {len(found)} arrays where {len(types)} are wanted")
        for i, (value, (shape, code)) in enumerate(zip(found, types)):
            if out[i] is None and 0 not in shape:
                continue  # the derivative of an integer
            view = _view(out[i], shape, code)
            view[...] = 0 if value is None else _fitting(value, shape, code, f"{what}, array {i}")


def _view(address: int | None, shape: tuple[int, ...], code: int) -> np.ndarray[Any, Any]:
    dtype = dt.NUMPY[code]
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size == 0 or address is None:
        return np.zeros(shape, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


def _fitting(value: Any, shape: tuple[int, ...], code: int, what: str) -> Any:
    array = np.asarray(value)
    if array.shape != shape:
        raise ShapeError(f"{what}: shape {list(array.shape)} where {list(shape)} is declared")
    wanted = np.dtype(np.float32) if code == dt.BF16 else dt.NUMPY[code]
    if array.dtype != dt.NUMPY[code] and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise DtypeError(f"{what}: dtype {array.dtype} where {dt.NAMES[code]} is declared")
    return array


@_Value
def _value(number: int, call: int, x: Any, y: Any) -> int:
    try:
        fn: _Function = _kept[number][0]
        args = fn.arguments([_view(x[i], *t).copy() for i, t in enumerate(fn.types)])
        fn.store(fn.f(*args), fn.out_tree, [(r.shape, r.code) for r in fn.results], y, f"{fn.name}: its result")
        return 0
    except BaseException as problem:
        return keep(problem)


@_Value
def _batch(number: int, call: int, x: Any, y: Any) -> int:
    """All instances at once: what has no instances of its own gets a leading axis of length 1."""
    try:
        fn: _Function = _kept[number][0]
        size = lib.call_batch(call)
        lead = [size if lib.call_is_batched(call, i) else 1 for i in range(len(fn.types))]
        args = fn.arguments([_view(x[i], (n, *shape), code).copy() for i, (n, (shape, code)) in enumerate(zip(lead, fn.types))])
        fn.store(fn.f(*args), fn.out_tree, [((size, *r.shape), r.code) for r in fn.results], y, f"{fn.name}: its result for a batch of {size}")
        return 0
    except BaseException as problem:
        return keep(problem)


def _direction(number: int, x: Any, y: Any, d: Any, out: Any, forward: bool) -> int:
    try:
        fn: _Function = _kept[number][0]
        given = [(r.shape, r.code) for r in fn.results]
        primals = fn.arguments([_view(x[i], *t).copy() for i, t in enumerate(fn.types)])
        value = pytree.unflatten(fn.out_tree, [_view(y[k], *t).copy() for k, t in enumerate(given)])
        along = [_view(d[i], *t).copy() for i, t in enumerate(fn.types if forward else given)]
        if forward:
            fn.store(fn.jvp(primals, value, fn.arguments(along)), fn.out_tree, given, out, f"{fn.name}: its jvp")
        else:
            gradients = fn.vjp(primals, value, pytree.unflatten(fn.out_tree, along))
            if not isinstance(gradients, (tuple, list)) or len(gradients) != len(fn.tree.children):
                raise InvalidError(f"{fn.name}: its vjp gives a tuple of {len(fn.tree.children)} gradients, one an argument")
            found = [leaf for child, g in zip(fn.tree.children, gradients) for leaf in _leaves(child, g, f"{fn.name}: its vjp")]
            flat = [found[i] for i in fn.places]
            fn.store(flat, _flat(len(flat)), fn.types, out, f"{fn.name}: its vjp")
        return 0
    except BaseException as problem:
        return keep(problem)


def _flat(n: int) -> pytree.Tree:
    return pytree.flatten([0] * n)[1]


@_Direction
def _jvp(number: int, call: int, x: Any, y: Any, d: Any, out: Any) -> int:
    return _direction(number, x, y, d, out, True)


@_Direction
def _vjp(number: int, call: int, x: Any, y: Any, d: Any, out: Any) -> int:
    return _direction(number, x, y, d, out, False)


@_Types
def _types(number: int, handle: int, x: Any, n: int, out: Any) -> int:
    try:
        fn: _Function = _kept[number][0]
        tape = Tape.borrowed(handle)
        for k, r in enumerate(fn.results):
            out[k] = tape.input(r.shape, r.code)
        return 0
    except BaseException as problem:
        return keep(problem)


@_Sparsity
def _sparsity(number: int, output: int, of: int, rows: Any, columns: Any, capacity: int, count: Any) -> int:
    try:
        found = [np.ascontiguousarray(part, np.int64).ravel() for part in _kept[number][0].sparsity(output, of)]
        if found[0].size != found[1].size:
            raise InvalidError(f"sparsity: {found[0].size} rows and {found[1].size} columns")
        count[0] = found[0].size
        for place, part in zip((rows, columns), found):
            for i in range(min(capacity, part.size)):
                place[i] = part[i]
        return 0
    except BaseException as problem:
        return keep(problem)


def sparsity(y: Any, argument: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows and columns of the places that may be nonzero in the derivative of a traced result of host_call or of a function with
    derivatives of its own, in its `argument`-th array: row-major numbers of elements. Dense where nothing is declared."""
    count = ctypes.c_size_t()
    where = (y._tape.handle, y._node, argument)
    for _ in range(2):
        rows, columns = np.zeros(count.value, np.int64), np.zeros(count.value, np.int64)
        status = lib.node_sparsity(*where, rows.ctypes.data, columns.ctypes.data, count.value, ctypes.byref(count))
        if status:
            raise error(status, f"sparsity: argument {argument}: {lib.status_message(status).decode()}")
    return rows, columns


_known: WeakValueDictionary[Any, _Function] = WeakValueDictionary()


def host_call(f: Callable[..., Any], result_types: Any, *args: Any, jvp: Callable[..., Any] | None = None,
              vjp: Callable[..., Any] | None = None, pure: bool = False, vectorized: bool = False, sparsity: Callable[[int, int], Any] | None = None, name: str | None = None) -> Any:  # fmt: skip
    """``f(*args)``, computed by Python with NumPy arrays each time the program runs.

    Parameters
    ----------
    f
        Takes the arguments' trees with arrays (copies, its own) as leaves, gives a tree of `result_types`' structure.
    result_types
        A tree of ShapeDtype, arrays, or anything with a shape and a dtype.
    jvp, vjp
        Derivatives as numbers, of first order: ``jvp(primals, value, tangents)`` gives the value's tangent, ``vjp(primals, value,
        cotangent)`` a tuple with a gradient for each argument (None for none). For derivatives of any order put the call into a
        function with cb.custom_jvp or cb.custom_vjp.
    pure
        f gives the same for the same arguments and does nothing else: equal calls may be one, and calls may leave loops. What
        is not pure is called once for each call in the program; what no result needs is not called.
    vectorized
        Under vmap f is called once, with a leading axis on all arguments (of length 1 where one has no batch). Else it is called
        for each instance.
    sparsity
        ``sparsity(result, argument)`` gives (rows, columns): elements of result and argument, numbered row-major, between which the
        derivative may be nonzero. None: dense.

    An exception that f raises, KeyboardInterrupt too, comes back from the call of the compiled function as it is. f runs on the thread of
    that call.

    >>> import numpy as np, camber as cb
    >>> table = np.array([0.0, 1.0, 4.0, 9.0])
    >>> def square(x):
    ...     return np.interp(x, np.arange(4.0), table)
    >>> def slope(primals, value, tangents):
    ...     return np.diff(table)[int(primals[0])] * tangents[0]
    >>> f = lambda x: cb.host_call(square, cb.ShapeDtype(), x, jvp=slope)
    >>> cb.jvp(f, (1.5,), (1.0,))
    (np.float64(2.5), np.float64(3.0))
    """
    name = name or getattr(f, "__name__", type(f).__name__)
    leaves, tree = pytree.flatten(list(args))
    declared, out_tree = pytree.flatten(result_types)
    results = [_declared(r, name) for r in declared]
    places = [i for i, leaf in enumerate(leaves) if is_number(leaf)]
    if current() is None and not any_traced(leaves):
        given = list(leaves)
        for i in places:
            given[i] = np.array(leaves[i], dt.NUMPY[dt.code_of(np.asarray(leaves[i]).dtype)])
        found = _leaves(out_tree, f(*pytree.unflatten(tree, given)), f"{name}: its result")
        fits = [_fitting(v, r.shape, r.code, f"{name}: its result, array {i}") for i, (v, r) in enumerate(zip(found, results))]
        arrays = [np.array(v, r.dtype) for v, r in zip(fits, results)]
        return pytree.unflatten(out_tree, [a[()] if a.ndim == 0 else a for a in arrays])
    tape = recording()
    given = [lift(leaves[i], tape) for i in places]
    types = [(v.shape, v._code) for v in given]
    rest = [None if i in set(places) else leaf for i, leaf in enumerate(leaves)]
    if not results:
        raise InvalidError(f"{name}: no result is declared, and what gives none is never called")

    def make() -> _Function:
        return _Function(f, jvp, vjp, name, tree, rest, places, types, out_tree, results)

    fn = _shared((f, jvp, vjp, sparsity, name, tree, tuple(rest), tuple(places), tuple(types), out_tree, tuple(results), vectorized), make) if pure else make()
    fn.sparsity = sparsity
    table = _Operator(size=ctypes.sizeof(_Operator), name=name.encode(), input_count=len(given), output_count=len(results), pure=int(pure),
                      retain=_address(_retain), release=_address(_release), types=_address(_types), value=_address(_value))  # fmt: skip
    if vectorized:
        table.batch = _address(_batch)
    if sparsity is not None:
        table.sparsity = _address(_sparsity)
    if jvp is not None:
        table.jvp = _address(_jvp)
    if vjp is not None:
        table.vjp = _address(_vjp)
    out = (ctypes.c_int64 * len(results))()
    with _Keeping(fn) as number:
        table.payload = number
        status = lib.host_call(tape.handle, ctypes.byref(table), nodes(v._node for v in given), len(given), out, len(results))
    if status:
        tape.fail()
    return pytree.unflatten(out_tree, [typed(tape, node) for node in out])


def _shared(key: Any, make: Callable[[], _Function]) -> _Function:
    """The same function for equal calls, where they can be compared: then the core makes them one."""
    try:
        known = _known.get(key)
    except TypeError:
        return make()
    if known is None:
        known = _known[key] = make()
    return known


def _declared(r: Any, name: str) -> ShapeDtype:
    if isinstance(r, ShapeDtype):
        return r
    if isinstance(r, (bool, int, float)):
        return ShapeDtype((), np.asarray(r).dtype)
    if not hasattr(r, "shape") or not hasattr(r, "dtype"):
        raise InvalidError(f"{name}: a result's type is a cb.ShapeDtype(shape, dtype) or an array, not {r!r}")
    return ShapeDtype(r.shape, r.dtype)


def pure_callback(f: Callable[..., Any], result_types: Any, *args: Any, vectorized: bool = False, name: str | None = None) -> Any:
    """host_call of a function that gives the same for the same arguments and does nothing else. It has no derivative of its own; put it
    into a function with cb.custom_jvp or cb.custom_vjp.

    >>> import numpy as np, camber as cb
    >>> f = cb.function(lambda x: cb.pure_callback(np.sort, x, x) * 2)
    >>> f(np.array([3.0, 1.0]))
    array([2., 6.])
    """
    return host_call(f, result_types, *args, pure=True, vectorized=vectorized, name=name)
