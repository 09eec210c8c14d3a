"""Derivatives of the host's own: custom_jvp and custom_vjp give a traced function its rule, which has derivatives in turn.

What Python raises in a rule comes back as that exception.
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any
from weakref import WeakValueDictionary

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import InvalidError, keep
from ._library import lib, structure
from ._tape import Tape, broadcast, constant, current, lift, nodes, state, typed
from ._trace import is_number, recording
from .transforms import _like

_Rule = structure("camber_rule")
_P = ctypes.c_void_p
_NODES = ctypes.POINTER(ctypes.c_int64)
_Payload = ctypes.CFUNCTYPE(None, _P)
_Nodes = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P, _NODES, _NODES, _NODES, _NODES)


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
