"""Tapes and the traced values on them: leaves, casts and broadcasts, and which tape is being recorded."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from . import _dtypes as dt
from ._errors import DtypeError, NodeError, error
from ._library import lib

Shape = tuple[int, ...]


# Files whose lines are nobody's: Camber's own and NumPy's. Found out once a file.
_own: dict[str, bytes | None] = {}
_getframe = sys._getframe


def _file(frame: Any) -> bytes | None:
    name = frame.f_globals.get("__name__", "").partition(".")[0]
    path = frame.f_code.co_filename
    _own[path] = None if name in ("camber", "numpy") else path.encode(errors="replace")
    return _own[path]


def _place(tape: Tape) -> None:
    """Tells the tape the host's line that is running, where it is another than before."""
    frame: Any = _getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        file = _own[path] if path in _own else _file(frame)
        if file is not None:
            line = frame.f_lineno
            if tape.line != line or tape.file is not file:
                tape.line, tape.file = line, file
                lib.label_from(tape.handle, None, file, line)
            return
        frame = frame.f_back


class _State(threading.local):
    def __init__(self) -> None:
        self.stack: list[Tape] = []
        self.branch: Tape | None = None  # the innermost tape of a branch: what is recorded in it, is recorded on it or further in


state = _State()


class Tape:
    """A core tape with its handle's life. A tape with a parent records the body of a loop, or a branch.

    Attributes
    ----------
    point
        Of a tape recorded with guards: its inputs and their values at the point where it is recorded.
    """

    __slots__ = ("handle", "parent", "depth", "closed", "branch", "before", "point", "own", "held", "layers", "line", "file", "__weakref__")

    def __init__(self, parent: Tape | None = None, branch: bool = False) -> None:
        self.parent = parent
        self.branch = branch
        self.before: Tape | None = None
        self.point: tuple[list[Any], list[Any]] | None = None
        self.depth: int = parent.depth + 1 if parent else 0
        self.closed = False
        self.own = True
        self.held: list[Any] = []  # what derivatives of its nodes need
        self.layers: list[tuple[str, int, bool]] | None = None  # what camber.layer names, where somebody watches
        self.line, self.file = 0, None  # of the host's, as last told to the core
        self.handle: Any = lib.tape_sub(parent.handle) if parent else lib.tape_new()
        if not self.handle:
            if parent:
                parent.fail()
            raise error(-5, "a tape's memory was refused")

    @classmethod
    def borrowed(cls, handle: int) -> Tape:
        """The tape that a callback is lent."""
        tape = cls.__new__(cls)
        tape.parent, tape.depth, tape.closed, tape.handle, tape.own, tape.held = None, 1 << 20, False, handle, False, []
        tape.branch, tape.before, tape.point, tape.layers, tape.line, tape.file = True, None, None, None, 0, None
        return tape

    def __del__(self, free: Any = lib.tape_free) -> None:
        if getattr(self, "handle", None) and self.own:
            free(self.handle)
            self.handle = None

    def __enter__(self) -> Tape:
        state.stack.append(self)
        self.before = state.branch
        if self.branch:
            state.branch = self
        return self

    def __exit__(self, *_: object) -> None:
        state.stack.pop()
        state.branch = self.before
        self.closed = True

    def fail(self) -> NoReturn:
        """Raises the tape's first error and forgets it."""
        tape: Tape | None = self
        while tape is not None:
            status = lib.tape_status(tape.handle)
            if status:
                sentence = lib.tape_message(tape.handle).decode()
                lib.tape_clear(tape.handle)
                raise error(status, sentence)
            tape = tape.parent
        raise NodeError("the operation gave no node and no error")

    def input(self, shape: Shape, code: int) -> int:
        """A fresh input node."""
        return self.check(lib.input(self.handle, code, i64s(shape), len(shape)))

    def check(self, node: int) -> int:
        if node == -1:
            self.fail()
        return node

    def type(self, node: int) -> tuple[Shape, int]:
        """Shape and dtype code of a node."""
        rank = lib.node_rank(self.handle, node)
        if rank < 0:
            raise NodeError("a traced value was used on a tape that it is not part of")
        shape = (ctypes.c_int64 * rank)()
        lib.node_shape(self.handle, node, shape)
        return tuple(shape), lib.node_dtype(self.handle, node)

    @property
    def node_count(self) -> int:
        return int(lib.tape_node_count(self.handle))

    @property
    def bytes(self) -> int:
        return int(lib.tape_bytes(self.handle))


@lru_cache(maxsize=4096)
def i64s(values: Sequence[int]) -> Any:
    """A ctypes array of int64; shared, so never written."""
    return (ctypes.c_int64 * len(values))(*values)


def nodes(values: Iterable[int]) -> Any:
    """A ctypes array of nodes."""
    values = list(values)
    return (ctypes.c_int64 * len(values))(*values)


def current() -> Tape | None:
    """The innermost tape being recorded in this thread."""
    return state.stack[-1] if state.stack else None


# ---- Values --------------------------------------------------------------------------------------------------------------


def array_type() -> Any:
    from ._array import Array

    return Array


def made(tape: Tape, node: int, shape: Shape, code: int) -> Any:
    """The traced value of a node whose type is known."""
    if node == -1:
        tape.fail()
    return array_type()(tape, node, shape, code)


def typed(tape: Tape, node: int) -> Any:
    """The traced value of a node whose type the core tells."""
    tape.check(node)
    return array_type()(tape, node, *tape.type(node))


def tape_of(values: Iterable[Any]) -> Tape:
    """Where an operation on these values is recorded: the innermost of their tapes, else the current one."""
    best: Tape | None = state.branch
    for value in values:
        tape = getattr(value, "_tape", None)
        if tape is None:
            continue
        if tape.closed:
            raise NodeError("a traced value escaped the function it was traced in; return it from the function instead")
        if best is None or tape.depth > best.depth:
            best = tape
    best = best or current()
    if best is None:
        raise NodeError("no function is being traced here")
    _place(best)
    return best


def host(value: Any) -> np.ndarray[Any, Any]:
    """A host value as an array of one of Camber's dtypes; small integers are widened."""
    array = np.asarray(value)
    code = dt.code_of(array.dtype)
    wanted = dt.NUMPY[code]
    if code != dt.BF16 and array.dtype != wanted:
        array = array.astype(wanted)
    return array


def constant(tape: Tape, value: Any, code: int | None = None) -> Any:
    """A host value as a constant of the tape, in the dtype asked for (else its own)."""
    if isinstance(value, (bool, int, float)) or (isinstance(value, np.generic) and value.shape == ()):
        if code is None:
            code = dt.promote([], [type(value)]) if type(value) in (bool, int, float) else dt.code_of(np.asarray(value).dtype)
        if dt.is_float(code) and not (dt.NATIVE_BF16 is False and code == dt.BF16 and isinstance(value, np.generic)):
            return made(tape, lib.constant(tape.handle, code, float(value)), (), code)
        if isinstance(value, (bool, int, np.integer, np.bool_)) and -(2**63) <= int(value) < 2**63:
            return made(tape, lib.integer(tape.handle, code, int(value)), (), code)
    array = host(value)
    given = dt.code_of(array.dtype)
    if code is not None and code != given:
        if code == dt.BF16:
            array = dt.to_bf16(array)
        elif given == dt.BF16:
            array = dt.from_bf16(array).astype(dt.NUMPY[code])
        else:
            array = array.astype(dt.NUMPY[code])
        given = code
    array = np.ascontiguousarray(array).reshape(array.shape)
    return made(tape, lib.array(tape.handle, given, i64s(array.shape), array.ndim, array.ctypes.data), array.shape, given)


def lift(value: Any, tape: Tape | None = None) -> Any:
    """Anything array-like as a traced value; lists may hold traced values."""
    if isinstance(value, array_type()):
        return value
    if isinstance(value, (list, tuple)) and _holds_traced(value):
        from ._dispatch import FUNCTIONS

        return FUNCTIONS[np.stack]([lift(part, tape) for part in value])
    tape = tape or tape_of(())
    return constant(tape, value)


def _holds_traced(value: Any) -> bool:
    kind = array_type()
    return any(isinstance(part, kind) or (isinstance(part, (list, tuple)) and _holds_traced(part)) for part in value)


def cast(x: Any, code: int) -> Any:
    """x in another dtype."""
    if x._code == code:
        return x
    tape = tape_of((x,))
    return made(tape, lib.cast(tape.handle, x._node, code), x.shape, code)


def reshape(x: Any, shape: Shape) -> Any:
    """x's elements in another shape, all entries given."""
    if x.shape == shape:
        return x
    tape = tape_of((x,))
    return made(tape, lib.reshape(tape.handle, x._node, i64s(shape), len(shape)), shape, x._code)


def broadcast(x: Any, shape: Shape) -> Any:
    """x stretched to a shape by NumPy's rule."""
    if x.shape == shape:
        return x
    tape = tape_of((x,))
    return made(tape, lib.broadcast(tape.handle, x._node, i64s(shape), len(shape)), shape, x._code)


def joint(values: Sequence[Any], code: int | None = None) -> tuple[list[Any], int]:
    """Operands as traced values of one dtype: NumPy's promotion, Python scalars weak.

    Returns
    -------
    The values, and the dtype's code: `code` where given.
    """
    kind = array_type()
    if code is None:
        values = [lift(v) if isinstance(v, (list, tuple)) else v for v in values]
        strong: list[int] = []
        weak: list[type] = []
        for value in values:
            if isinstance(value, kind):
                strong.append(value._code) if value._weak is None else weak.append(value._weak)
            elif type(value) in (bool, int, float):
                weak.append(type(value))
            else:
                _host_kind(value, strong, weak)
        code = dt.promote(strong, weak)
    tape = tape_of(values)
    return [cast(v, code) if isinstance(v, kind) else constant(tape, v, code) for v in values], code


def _host_kind(value: Any, strong: list[int], weak: list[type]) -> None:
    dtype = np.asarray(value).dtype
    if dtype == object or dtype.kind in "USV":
        raise DtypeError(f"a value of type {type(value).__name__} cannot be part of a traced computation")
    code = dt.code_of(dtype)
    if code == dt.I32 and dtype.itemsize < 4:
        weak.append(int)  # 8- and 16-bit integers fit f32: pixels times f32 stay f32
    else:
        strong.append(code)


def together(values: Sequence[Any], code: int | None = None) -> tuple[list[Any], int, Shape]:
    """Operands of one dtype and one shape."""
    values, code = joint(values, code)
    shape = common_shape(values)
    return [broadcast(v, shape) for v in values], code, shape


def common_shape(values: Sequence[Any]) -> Shape:
    """The shape that these values broadcast to."""
    shapes = [v.shape for v in values]
    if all(other == shapes[0] for other in shapes):
        return shapes[0]  # type: ignore[no-any-return]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise error(-2, f"shapes {' and '.join(str(list(s)) for s in shapes)} do not broadcast together") from None
