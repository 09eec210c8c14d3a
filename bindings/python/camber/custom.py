"""The host's own: NumPy functions as operators, and derivatives for functions.

custom_jvp and custom_vjp give a traced function derivatives of its own, which have derivatives in turn; host_call and
pure_callback call Python when the program runs. What Python raises comes back as that exception.
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError, error, keep
from ._library import lib, structure
from ._tape import Tape, broadcast, constant, current, lift, nodes, state, typed
from ._trace import is_number, recording
from .transforms import _like

_Operator = structure("camber_operator")
_Rule = structure("camber_rule")
_P = ctypes.c_void_p
_PP = ctypes.POINTER(ctypes.c_void_p)
_NODES = ctypes.POINTER(ctypes.c_int64)
_Payload = ctypes.CFUNCTYPE(None, _P)
_Value = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _PP, _PP)
_Direction = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _PP, _PP, _PP, _PP)
_Types = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _NODES, ctypes.c_size_t, _NODES)
_Sparsity = ctypes.CFUNCTYPE(ctypes.c_int32, _P, ctypes.c_size_t, ctypes.c_size_t, _NODES, _NODES, ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t))
_Nodes = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _NODES, _NODES, _NODES, _NODES)


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


# ---- Payloads: Python objects that the core keeps ----------------------------------------------------------------------------

_numbers = itertools.count(1)
_kept: dict[int, list[Any]] = {}  # number -> [function, how often the core keeps it]
_rules: WeakValueDictionary[int, _Call] = WeakValueDictionary()  # kept by their tape, which traced values that they read keep


@_Payload
def _retain(number: int) -> None:
    _kept[number][1] += 1


@_Payload
def _release(number: int, kept: dict[int, list[Any]] = _kept) -> None:
    entry = kept.get(number)
    if entry is not None:
        entry[1] -= 1
        if entry[1] <= 0:
            kept.pop(number, None)


class _Keeping:
    """Makes an object a payload for the length of a `with`; what the core keeps then lives on."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        if getattr(thing, "number", 0) == 0:
            thing.number = next(_numbers)

    def __enter__(self) -> int:
        entry = _kept.setdefault(self.thing.number, [self.thing, 0])
        entry[1] += 1
        return self.thing.number  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        _release_now(self.thing.number)


def _release_now(number: int) -> None:
    entry = _kept[number]
    entry[1] -= 1
    if entry[1] <= 0:
        del _kept[number]


# ---- Rules: derivatives as nodes ------------------------------------------------------------------------------------------------


@_Nodes
def _jvp_nodes(number: int, handle: int, x: Any, y: Any, d: Any, out: Any) -> int:
    try:
        return _rules[number].apply(handle, x, y, d, out, forward=True)
    except BaseException as problem:  # it comes back from the call that asked
        return keep(problem)


@_Nodes
def _vjp_nodes(number: int, handle: int, x: Any, y: Any, d: Any, out: Any) -> int:
    try:
        return _rules[number].apply(handle, x, y, d, out, forward=False)
    except BaseException as problem:
        return keep(problem)


class _Call:
    """One application of a function with derivatives of its own: its arguments' structure, and what the rules are."""

    def __init__(self, owner: _Custom, args: tuple[Any, ...], tree: pytree.Tree, leaves: list[Any], places: list[int]) -> None:
        self.owner, self.args, self.tree, self.leaves, self.places = owner, args, tree, leaves, places
        self.number = next(_numbers)
        self.out_tree: pytree.Tree = pytree.LEAF
        self.out_count = 0

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, the traced leaves replaced."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, values):
            leaves[place] = value
        given = iter(pytree.unflatten(self.tree, leaves))
        return tuple(arg if i in self.owner._static else next(given) for i, arg in enumerate(self.args))

    def differentiable(self, values: Sequence[Any], other: Any = None) -> tuple[Any, ...]:
        """The arguments that derivatives are taken in."""
        leaves = list(self.leaves) if other is None else [other for _ in self.leaves]
        for place, value in zip(self.places, values):
            leaves[place] = value
        return tuple(pytree.unflatten(self.tree, leaves))

    def apply(self, handle: int, x: Any, y: Any, d: Any, out: Any, forward: bool) -> int:
        tape = Tape.borrowed(handle)
        with tape:
            n, m = len(self.places), self.out_count
            inputs = [typed(tape, x[i]) for i in range(n)]
            outputs = [typed(tape, y[k]) for k in range(m)]
            like = inputs if forward else outputs
            directions = [typed(tape, d[i]) if v._code in dt.FLOATS else _zeros(tape, v) for i, v in enumerate(like)]
            static = [arg for i, arg in enumerate(self.args) if i in self.owner._static]
            results = self.owner._forward(self, static, inputs, directions) if forward else self.owner._backward(self, static, inputs, directions)
            what = f"{self.owner.name}: a {'tangent' if forward else 'gradient'} of its rule"
            for k, (v, value) in enumerate(zip(outputs if forward else inputs, results)):
                if value is not None and v._code in dt.FLOATS:
                    out[k] = _like(value, v, tape, what)._node
        return 0


def _zeros(tape: Tape, like: Any) -> Any:
    return broadcast(constant(tape, 0, like._code), like.shape)


class _Custom:
    """What custom_jvp and custom_vjp share."""

    _mode = "jvp"

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        self.fun = fun
        self.name = getattr(fun, "__name__", type(fun).__name__)
        self._static = frozenset((nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums)
        update_wrapper(self, fun, updated=())

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        from types import MethodType

        return self if instance is None else MethodType(self, instance)

    def _ready(self) -> bool:
        raise NotImplementedError

    def _forward(self, call: _Call, static: list[Any], inputs: list[Any], directions: list[Any]) -> list[Any]:
        raise NotImplementedError

    def _backward(self, call: _Call, static: list[Any], inputs: list[Any], directions: list[Any]) -> list[Any]:
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current() is None and not any_traced(pytree.leaves((args, kwargs))):
            return self.fun(*args, **kwargs)
        args = self._positional(args, kwargs)
        if not self._ready():
            raise InvalidError(f"{self.name}: custom_{self._mode} without a rule; define it by {self.name}.def{self._mode}")
        return self._record(args)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        try:
            bound = inspect.signature(self.fun).bind(*args, **kwargs)
        except ValueError:  # a builtin that says nothing of its parameters
            if not kwargs:
                return args
            raise InvalidError(f"{self.name}: takes its arguments by position") from None
        bound.apply_defaults()
        if bound.kwargs:
            raise InvalidError(f"{self.name}: has keyword-only arguments; give it positional ones")
        return bound.args

    def _record(self, args: tuple[Any, ...]) -> Any:
        outer = recording()
        leaves, tree = pytree.flatten([arg for i, arg in enumerate(args) if i not in self._static])
        places = [i for i, leaf in enumerate(leaves) if is_number(leaf)]
        given = [lift(leaves[i], outer) for i in places]
        call = _Call(self, args, tree, leaves, places)
        with Tape(outer) as body:
            inputs = [Array(body, body.input(v.shape, v._code), v.shape, v._code) for v in given]
            result, call.out_tree = pytree.flatten(self.fun(*call.arguments(inputs)))
            outputs = [lift(leaf, body) for leaf in result]
        call.out_count = len(outputs)
        call.leaves = [None if i in set(places) else leaf for i, leaf in enumerate(leaves)]
        if not outputs:
            return pytree.unflatten(call.out_tree, [])
        rule = _Rule(size=ctypes.sizeof(_Rule), name=self.name.encode(), payload=call.number)
        if self._mode == "jvp":
            rule.jvp = _address(_jvp_nodes)
        else:
            rule.vjp = _address(_vjp_nodes)
        out = (ctypes.c_int64 * len(outputs))()
        _rules[call.number] = call
        state.stack[0].held.append(call)
        status = lib.custom(outer.handle, body.handle, nodes(v._node for v in inputs), nodes(v._node for v in outputs),
                            nodes(v._node for v in given), len(given), ctypes.byref(rule), out, len(outputs))  # fmt: skip
        if status:
            body.fail()
        return pytree.unflatten(call.out_tree, [typed(outer, node) for node in out])


def _address(function: Any) -> int | None:
    return ctypes.cast(function, _P).value


class custom_jvp(_Custom):
    """A function whose derivative is given: a decorator, after JAX.

    ``f.defjvp(rule)``: ``rule(primals, tangents)`` gives (value, tangent); it is traced when a derivative is asked for, by either
    mode, and may use `f` itself. ``f.defjvps(...)`` takes one function an argument, ``d(tangent, value, *primals)``, or None.
    Arguments are trees. Those in `nondiff_argnums` are no numbers, or count as constants; the rule gets them first.

    >>> import numpy as np, camber as cb
    >>> @cb.custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def _(primals, tangents):
    ...     (x,), (v,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + np.exp(x))) * v
    >>> cb.grad(log1pexp)(100.0)
    np.float64(1.0)
    """

    _rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Sets the rule; a decorator."""
        if symbolic_zeros:
            raise InvalidError(f"{self.name}: symbolic zeros are not given to rules; tangents are zeros")
        self._rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """One rule an argument; the tangents that they give are added."""
        if self._static:
            raise InvalidError(f"{self.name}: defjvps does not go with nondiff_argnums; use defjvp")

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
            value = self(*primals)
            terms = [d(v, value, *primals) for d, v in zip(rules, tangents) if d is not None]
            if not terms:
                return value, pytree.map(lambda leaf: None, value)
            total = terms[0]
            for term in terms[1:]:
                total = pytree.map(lambda a, b: a + b, total, term)
            return value, total

        self._rule = rule

    def _ready(self) -> bool:
        return self._rule is not None

    def _forward(self, call: _Call, static: list[Any], inputs: list[Any], directions: list[Any]) -> list[Any]:
        assert self._rule is not None
        result = self._rule(*static, call.differentiable(inputs), call.differentiable(directions, ()))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise InvalidError(f"{self.name}: its jvp rule gives a pair (value, tangent)")
        return _leaves(call.out_tree, result[1], f"{self.name}: the tangent of its rule")


class custom_vjp(_Custom):
    """A function whose reverse mode is given: a decorator, after JAX.

    ``f.defvjp(fwd, bwd)``: ``fwd(*args)`` gives (value, residuals), ``bwd(residuals, cotangent)`` a tuple with a gradient for each
    argument, None for none. Both are traced when a derivative is asked for. Forward mode, and with it Hessians, works where
    bwd is linear in the cotangent. Arguments in `nondiff_argnums` go first to bwd.

    >>> import numpy as np, camber as cb
    >>> @cb.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, w: (np.clip(w, -1.0, 1.0),))
    >>> cb.grad(lambda x: clip_gradient(x) * 5)(2.0)
    np.float64(1.0)
    """

    _mode = "vjp"
    _fwd: Callable[..., Any] | None = None
    _bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Sets the two halves."""
        self._fwd, self._bwd = fwd, bwd

    def _ready(self) -> bool:
        return self._bwd is not None

    def _backward(self, call: _Call, static: list[Any], inputs: list[Any], directions: list[Any]) -> list[Any]:
        assert self._fwd is not None and self._bwd is not None
        result = self._fwd(*call.arguments(inputs))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise InvalidError(f"{self.name}: fwd gives a pair (value, residuals)")
        gradients = self._bwd(*static, result[1], pytree.unflatten(call.out_tree, directions))
        wanted = len(call.tree.children)
        if not isinstance(gradients, (tuple, list)) or len(gradients) != wanted:
            raise InvalidError(f"{self.name}: bwd gives a tuple of {wanted} gradients, one an argument")
        found: list[Any] = []
        for i, (child, gradient) in enumerate(zip(call.tree.children, gradients)):
            found += _leaves(child, gradient, f"{self.name}: gradient {i} of its bwd")
        return [found[i] for i in call.places]


def _leaves(tree: pytree.Tree, given: Any, what: str) -> list[Any]:
    """The leaves of a derivative, which may be None where nothing depends."""
    if given is None:
        return [None] * tree.size
    if tree.kind is None:
        if isinstance(given, (tuple, list)) and len(given) == 0:
            return [None]
        if not is_number(given):
            raise InvalidError(f"{what}: a {type(given).__name__} stands where an array is wanted")
        return [given]
    found, other = pytree.flatten(given)
    if other == tree:
        return found
    if type(given) is dict and tree.kind is dict and set(given) <= set(tree.data):
        children = [(child, given.get(key)) for key, child in zip(tree.data, tree.children)]
    elif isinstance(given, (tuple, list)) and len(given) == len(tree.children):
        children = list(zip(tree.children, given))
    else:
        raise InvalidError(f"{what}: a tree {other} stands where {tree} is wanted")
    return [leaf for child, part in children for leaf in _leaves(child, part, what)]


# ---- Calls: NumPy functions as operators -----------------------------------------------------------------------------------------


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
