"""Function: a Python function traced once for each kind of arguments, compiled, kept, and called fast."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import update_wrapper
from struct import Struct
from threading import get_ident
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import FlippedError, InvalidError, NonFiniteError
from ._library import lib
from ._tape import Tape, lift, nodes, state
from .program import Program, Workspace, input_array, refuse

TRACES = 64  # programs kept for the ways that a function's branches may go
SMALL = 4096  # bytes of an array that is copied into a kept buffer rather than passed by its address

# What a leaf's type makes of it: traced inputs by dtype, everything hashable else is part of the structure.
_SCALARS: dict[type, int] = {float: dt.F64, bool: dt.BOOL, int: dt.I64}
_GENERIC: dict[type, int] = {np.float64: dt.F64, np.float32: dt.F32, np.float16: dt.F16, np.int64: dt.I64, np.int32: dt.I32, np.bool_: dt.BOOL}
_NDARRAY = np.ndarray
_FORMATS = {dt.F64: "d", dt.F32: "f", dt.F16: "e", dt.I64: "q", dt.I32: "i", dt.BOOL: "?"}


class Static:
    """A leaf that is no number: part of the program's identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def leaf_key(leaf: Any) -> Any:
    """What of a leaf a program depends on: (dtype code, shape, weak type), or the value of one that is no number."""
    kind = type(leaf)
    if kind in _SCALARS:
        return kind
    if isinstance(leaf, (np.ndarray, np.generic)):
        return (dt.code_of(leaf.dtype), leaf.shape)
    if isinstance(leaf, (bool, int, float)) or hasattr(leaf, "__array__"):
        array = np.asarray(leaf)
        return (dt.code_of(array.dtype), array.shape)
    try:
        hash(leaf)
    except TypeError:
        raise InvalidError(f"an argument of type {kind.__name__} is neither an array nor hashable") from None
    return Static(leaf)


class Slot:
    """One thread's buffers for a program: workspace, small inputs and outputs in place, pointers filled once."""

    __slots__ = ("workspace", "handle", "inputs", "outputs", "scalars", "views", "fetch", "packer", "keep", "large")

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        self.workspace = Workspace(program.handle)
        self.handle = self.workspace.handle
        self.inputs = (ctypes.c_void_p * max(1, len(program.inputs)))()
        self.outputs = (ctypes.c_void_p * max(1, len(program.outputs)))()
        self.views: list[Any] = []
        self.fetch: list[Any] = []
        self.keep: list[Any] = []
        for i, (shape, code) in enumerate(program.inputs):
            small = _bytes(shape, code) <= SMALL
            view = np.empty(shape, dt.NUMPY[code]) if small else None
            self.views.append(view)
            if view is not None:
                self.inputs[i] = view.ctypes.data
        for i, (shape, code) in enumerate(program.outputs):
            view = np.empty(shape, dt.NUMPY[code]) if _bytes(shape, code) <= SMALL else None
            self.fetch.append(view)
            if view is not None:
                self.outputs[i] = view.ctypes.data
        self.large = any(view is None for view in self.fetch)
        self.scalars: Any = None
        self.packer: Any = None
        if program.inputs and all(shape == () and code in _FORMATS for shape, code in program.inputs):
            self._pack(program)

    def _pack(self, program: Program) -> None:
        packer = Struct("<" + "".join(f"{_FORMATS[code]}{8 - dt.NUMPY[code].itemsize}x" for _, code in program.inputs))
        buffer = np.zeros(packer.size, np.uint8)
        for i in range(len(program.inputs)):
            self.inputs[i] = buffer.ctypes.data + 8 * i
        self.keep.append(buffer)
        self.scalars, self.packer = buffer.data, packer.pack_into


def _bytes(shape: tuple[int, ...], code: int) -> int:
    size = int(dt.NUMPY[code].itemsize)
    for n in shape:
        size *= n
    return size


class Compiled:
    """A program with the structure of its result, and the call that runs it."""

    __slots__ = ("program", "places", "tree", "picks", "slots", "single", "recorded")

    def __init__(self, tape: Tape, inputs: list[Any], places: list[int], result: Any, options: dict[str, float]) -> None:
        leaves, self.tree = pytree.flatten(result)
        values = [lift(leaf, tape) for leaf in leaves]
        distinct = list(dict.fromkeys(v._node for v in values))
        self.picks = [distinct.index(v._node) for v in values]
        self.places = places
        self.program = Program(tape, [x._node for x in inputs], distinct, **options)
        # To say where a number was born that is not finite.
        self.recorded = (tape, [x._node for x in inputs], distinct) if options.get("check_finite") else None
        self.slots: dict[int, Slot] = {}
        self.single = self.tree is pytree.LEAF

    @classmethod
    def of(cls, program: Program, places: list[int], tree: pytree.Tree) -> Compiled:
        """A program whose outputs are the leaves of a result, in order."""
        made = cls.__new__(cls)
        made.program, made.places, made.tree = program, places, tree
        made.picks = list(range(tree.size))
        made.slots = {}
        made.recorded = None
        made.single = tree is pytree.LEAF
        return made

    def __call__(self, leaves: Any) -> Any:
        """Runs on the leaves that are inputs, already of the right types."""
        slot = self.slots.get(get_ident())
        if slot is None:
            slot = self.slots[get_ident()] = Slot(self)
        if slot.packer is not None:
            slot.packer(slot.scalars, 0, *leaves)
            keep = None
        else:
            keep = self._load(slot, leaves)
        fresh = self._room(slot)
        status = lib_run(self.program.handle, slot.handle, slot.inputs, slot.outputs)
        if status:
            if status == NonFiniteError.status and self.recorded is not None:
                self._explain(slot, leaves)
            refuse(status, slot.workspace)
        del keep
        if self.single:
            out = fresh[0]
            return (out[()] if out.ndim == 0 else out.copy()) if out is slot.fetch[0] else out
        kept = slot.fetch
        values = [
            (out[()] if out.ndim == 0 else (out.copy() if out is kept[i] else out)) for i, out in enumerate(fresh)
        ]  # fmt: skip
        return self._result(values)

    def _explain(self, slot: Slot, leaves: Any) -> None:
        """Raises with what made the number that is not finite, where that can be found."""
        from .nonfinite import trace

        assert self.recorded is not None
        tape, inputs, outputs = self.recorded
        arrays = [input_array(np.asarray(leaf, dt.NUMPY[code]) if shape == () else _as_input(leaf, (shape, code)), (shape, code), f"argument {i}")
                  for i, (leaf, (shape, code)) in enumerate(zip(leaves, self.program.inputs))]  # fmt: skip
        found = trace(tape, inputs, outputs, arrays)
        if found:
            raise NonFiniteError(f"{lib.workspace_message(slot.handle).decode()}: {found}")

    def _result(self, values: list[Any]) -> Any:
        seen: set[int] = set()
        leaves = []
        for pick in self.picks:
            value = values[pick]
            leaves.append(value.copy() if pick in seen else value)
            seen.add(pick)
        tree = self.tree
        if tree.kind is tuple and all(child.kind is None for child in tree.children):
            return tuple(leaves)
        return pytree.unflatten(tree, leaves)

    def _load(self, slot: Slot, leaves: Any) -> Any:
        keep = []
        views, addresses = slot.views, slot.inputs
        for i, leaf in enumerate(leaves):
            view = views[i]
            if view is not None:
                if type(leaf) is not _NDARRAY or leaf.dtype != view.dtype or leaf.shape != view.shape:
                    leaf = input_array(_as_input(leaf, self.program.inputs[i]), self.program.inputs[i], f"argument {i}")
                view[...] = leaf
            else:
                leaf = input_array(_as_input(leaf, self.program.inputs[i]), self.program.inputs[i], f"argument {i}")
                keep.append(leaf)
                addresses[i] = leaf.__array_interface__["data"][0]
        return keep

    def _room(self, slot: Slot) -> list[Any]:
        if not slot.large:
            return slot.fetch
        fresh = []
        for i, view in enumerate(slot.fetch):
            if view is None:
                shape, code = self.program.outputs[i]
                view = np.empty(shape, dt.NUMPY[code])
                slot.outputs[i] = view.ctypes.data
            fresh.append(view)
        return fresh


def _as_input(leaf: Any, kind: tuple[tuple[int, ...], int]) -> Any:
    array = np.asarray(leaf)
    if kind[1] in dt.INTEGERS and array.dtype != dt.NUMPY[kind[1]] and array.dtype.kind in "iu":
        return array.astype(dt.NUMPY[kind[1]])  # the widening of small integers
    return array


lib_run = lib.run


class Function:
    """A function that runs compiled.

    The first call with arguments of given shapes, dtypes and structure traces the Python function, compiles its tape and
    keeps the program; the next ones run it. What the function reads beside its arguments is a constant of the program.

    Parameters
    ----------
    function
        Takes and gives trees of arrays. Leaves that are no numbers (strings, functions) select programs.
    static_argnums
        Positional arguments that are part of the structure although they are numbers.
    check_finite
        Calls whose results are not finite raise NonFiniteError, with the operator that made the number, its operands and the line of the program.
    options
        Options of its programs by name, as Program.set takes them: memory_limit, scan_slots, threads, backend.
    guards
        Python's own branches on scalars (``if x > 0``, ``while``, ``range(n)``) go the way they go for the arguments of the first call; where a
        later call would go another way, the function is recorded anew, and both programs are kept.

    >>> import numpy as np, camber as cb
    >>> f = cb.function(lambda x, y: {"sum": x + y, "dot": x @ y})
    >>> f(np.ones(2), np.ones(2))
    {'dot': np.float64(2.0), 'sum': array([2., 2.])}
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        static_argnums: int | tuple[int, ...] = (),
        check_finite: bool = False,
        inner: Callable[..., Any] | None = None,
        guards: bool | None = None,
        **options: float,
    ) -> None:
        self._function = function
        self._inner = inner or (lambda args, kwargs, fresh: function(*args, **kwargs))
        self._static = frozenset((static_argnums,) if isinstance(static_argnums, int) else static_argnums)
        self._options = {**options, "check_finite": check_finite}
        # A transform of a function with guards has them too.
        self._guards: bool = getattr(function, "_guards", False) is True if guards is None else guards
        self._traces: dict[Any, list[Compiled]] = {}
        self._quick: dict[Any, Compiled] = {}
        self._programs: dict[Any, Compiled] = {}
        self.derived: dict[Any, Any] = {}
        self._watch: list[tuple[str, int, bool]] | None = None
        update_wrapper(self, function, updated=())

    def __repr__(self) -> str:
        return f"<camber function {getattr(self._function, '__name__', self._function)!r}, {len(self._programs)} programs>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        from types import MethodType

        return MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if state.stack or kwargs or self._static or self._guards:
            return self._slow(args, kwargs)
        key = []
        for leaf in args:
            kind = type(leaf)
            if kind is float:
                key.append(kind)
            elif kind is _NDARRAY:
                key.append(leaf.dtype)
                key.append(leaf.shape)
            else:
                key.append(kind)
        compiled = self._quick.get(tuple(key))
        return compiled(args) if compiled is not None else self._slow(args, kwargs)

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if state.stack or any_traced(pytree.leaves((args, kwargs))):
            return self._inner(args, kwargs, False)
        if self._guards:
            return self._guarded(args, kwargs)
        compiled, leaves = self._find(args, kwargs)
        result = compiled([leaves[i] for i in compiled.places])
        if not kwargs and not self._static:
            self._remember(args, compiled)
        return result

    def _guarded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs the program whose branches are those of these arguments; records it where there is none."""
        if self._static:
            args = tuple(Fixed(a) if i in self._static else a for i, a in enumerate(args))
        leaves, tree = pytree.flatten((args, kwargs))
        keys = tuple([leaf_key(leaf) for leaf in leaves])
        traces = self._traces.setdefault((tree, keys), [])
        for i, compiled in enumerate(traces):
            try:
                result = compiled([leaves[k] for k in compiled.places])
            except FlippedError:
                continue
            if i:
                traces.insert(0, traces.pop(i))
            return result
        tape, inputs, places, result = self._trace(tree, keys, leaves)
        compiled = Compiled(tape, inputs, places, result, self._options)
        traces.insert(0, compiled)
        del traces[TRACES:]
        return compiled([leaves[k] for k in places])

    def _remember(self, args: tuple[Any, ...], compiled: Compiled) -> None:
        key: list[Any] = []
        for leaf in args:
            kind = type(leaf)
            if kind is _NDARRAY and leaf.dtype in dt.CODES:
                key += [leaf.dtype, leaf.shape]
            elif kind in _SCALARS or kind in _GENERIC:
                key.append(kind)
            else:
                return
        self._quick[tuple(key)] = compiled

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Compiled, list[Any]]:
        if self._static:
            args = tuple(Fixed(a) if i in self._static else a for i, a in enumerate(args))
        leaves, tree = pytree.flatten((args, kwargs))
        keys = tuple([leaf_key(leaf) for leaf in leaves])
        compiled = self._programs.get((tree, keys))
        if compiled is None:
            compiled = self._programs[tree, keys] = self._compile(tree, keys)
        return compiled, leaves

    def _compile(self, tree: pytree.Tree, keys: tuple[Any, ...]) -> Compiled:
        tape, inputs, places, result = self._trace(tree, keys)
        return Compiled(tape, inputs, places, result, self._options)

    def _trace(self, tree: pytree.Tree, keys: tuple[Any, ...], point: list[Any] | None = None) -> tuple[Tape, list[Any], list[int], Any]:
        tape = Tape()
        tape.layers = self._watch
        inputs: list[Any] = []
        places: list[int] = []
        leaves: list[Any] = []
        for i, key in enumerate(keys):
            if isinstance(key, Static):
                leaves.append(key.value.value if isinstance(key.value, Fixed) else key.value)
                continue
            code, shape, weak = (_SCALARS[key], (), key) if isinstance(key, type) else (key[0], key[1], None)
            inputs.append(Array(tape, tape.input(shape, code), shape, code, weak))
            places.append(i)
            leaves.append(inputs[-1])
        args, kwargs = pytree.unflatten(tree, leaves)
        if point is not None:
            tape.point = ([x._node for x in inputs], [np.asarray(point[i], dt.NUMPY[x._code]) for i, x in zip(places, inputs)])
        try:
            with tape:
                result = self._inner(args, kwargs, True)
                out, structure = pytree.flatten(result)
                result = pytree.unflatten(structure, [lift(leaf, tape) for leaf in out])
        finally:
            tape.closed = True
            tape.point = None
        return tape, inputs, places, result

    # ---- What a user may ask --------------------------------------------------------------------------------------------

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The program for such arguments."""
        return self._find(args, kwargs)[0].program

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """What runs for such arguments, step by step."""
        return self.program(*args, **kwargs).explain()

    def clear(self) -> None:
        """Forgets the programs: the next call traces again."""
        self._quick.clear()
        self._programs.clear()
        self.derived.clear()


class Fixed:
    """A positional argument that is static."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def function(f: Callable[..., Any] | None = None, *, static_argnums: int | tuple[int, ...] = (), check_finite: bool = False,
             guards: bool = False, **options: float) -> Any:  # fmt: skip
    """A decorator: the function traced once for each shapes, dtypes and structure of its arguments, then run compiled.

    See Function.

    >>> import numpy as np, camber as cb
    >>> @cb.function
    ... def area(r):
    ...     return np.pi * r**2
    >>> area(2.0)
    np.float64(12.566370614359172)
    """
    if f is None:
        return lambda g: Function(g, static_argnums=static_argnums, check_finite=check_finite, guards=guards, **options)
    return Function(f, static_argnums=static_argnums, check_finite=check_finite, guards=guards, **options)


def tape_hash(f: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The fingerprint of what `f` records for such arguments: equal tapes hash equally in every host language.

    >>> import camber as cb
    >>> cb.tape_hash(lambda x: x * x, 1.0) == cb.tape_hash(lambda y: y * y, 2.0)
    True
    """
    traced = f if isinstance(f, Function) else Function(f)
    leaves, tree = pytree.flatten((args, kwargs))
    tape, inputs, _, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in leaves]))
    outputs = pytree.leaves(result)
    value = lib.tape_hash(tape.handle, nodes(x._node for x in inputs), len(inputs), nodes(x._node for x in outputs), len(outputs))
    if value == 0:
        tape.fail()
    return int(value)
