"""Where a NaN or an infinity was born: the operator, its operands, the line of the program, and what to do.

>>> import numpy as np, camber as cb
>>> f = lambda x: np.sum(np.log(x) * x)
>>> found = cb.nonfinite(f, np.array([1.0, 0.0]))
>>> found[0].kind, found[0].op, found[0].operands[0], found[0].behind.kind
('0 * inf', 'mul', -inf, 'log of zero')
>>> cb.nonfinite(f, np.array([1.0, 2.0]))
all outputs are finite
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import InvalidError, NodeError, error
from ._library import lib
from ._tape import Tape, nodes, tape_of, typed
from .program import input_array, pointers

SWEEPS = ("", "forward", "reverse")


@dataclass(frozen=True)
class Birth:
    """One operator that made a NaN or an infinity which reaches an output.

    Attributes
    ----------
    op, kind
        The operator's name; what happened, as listed at camber_nonfinite_finding.
    element
        Of its value, counted row by row.
    value, operands
        What it gave, and what it was given.
    input
        The number of the argument (leaf by leaf) that holds the number itself; None where an operator made it.
    sweep, of
        "forward" or "reverse" in a derivative, with the operator that was differentiated.
    steps
        Of the loops around it, outermost first.
    label, file, line
        Where it was recorded.
    behind
        The infinity that a NaN was made of.
    """

    op: str
    kind: str
    element: int
    value: float
    operands: tuple[float, ...]
    input: int | None
    sweep: str
    of: str
    steps: tuple[int, ...]
    label: str
    file: str
    line: int
    sentence: str = field(repr=False)
    remedy: str = field(repr=False)
    behind: Birth | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.sentence


class Nonfinite:
    """What was found, the earliest first; empty, and false, where all outputs are finite or meant to be as they are.

    `kills`: operators that took a NaN or an infinity and gave finite numbers; `suppressed`: products with one that a structural zero left out.
    """

    def __init__(self, findings: list[Birth], text: str, kills: int, suppressed: int, handle: Any = None) -> None:
        self.findings, self._text, self.kills, self.suppressed, self.handle = findings, text, kills, suppressed, handle

    def __del__(self, free: Any = lib.nonfinite_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, i: int) -> Birth:
        return self.findings[i]

    def __iter__(self) -> Iterator[Birth]:
        return iter(self.findings)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def _births(handle: Any) -> list[Birth]:
    total, made = lib.nonfinite_total(handle), {}
    order = list(range(total))
    # Those behind come after the findings: made first.
    for i in reversed(order):
        op, kind, of, text, file = (ctypes.c_char_p() for _ in range(5))
        element, behind, source = (ctypes.c_int64() for _ in range(3))
        sweep, line = ctypes.c_int32(), ctypes.c_int32()
        lib.nonfinite_finding(handle, i, None, ctypes.byref(op), ctypes.byref(kind), ctypes.byref(element), ctypes.byref(behind), ctypes.byref(source))
        lib.nonfinite_origin(handle, i, ctypes.byref(sweep), ctypes.byref(of), ctypes.byref(text), ctypes.byref(file), ctypes.byref(line))
        operands = []
        for k in range(lib.nonfinite_operand_count(handle, i)):
            value = ctypes.c_double()
            lib.nonfinite_operand(handle, i, k, ctypes.byref(value), None, None)
            operands.append(value.value)
        room = (ctypes.c_int64 * 256)()
        steps = tuple(room[: min(lib.nonfinite_steps(handle, i, room, 256), 256)])
        made[i] = (dict(op=_text(op), kind=_text(kind), element=element.value, value=float(lib.nonfinite_value(handle, i)), operands=tuple(operands),
                        input=None if source.value < 0 else source.value, sweep=SWEEPS[sweep.value], of=_text(of), steps=steps, label=_text(text), file=_text(file),
                        line=line.value, sentence=lib.nonfinite_sentence(handle, i).decode(), remedy=lib.nonfinite_remedy(handle, i).decode()), behind.value)  # fmt: skip
    done: dict[int, Birth] = {}

    def birth(i: int) -> Birth:
        if i not in done:
            fields, behind = made[i]
            done[i] = Birth(**fields, behind=birth(behind) if behind >= 0 and behind != i else None)
        return done[i]

    return [birth(i) for i in range(lib.nonfinite_count(handle))]


def _text(p: ctypes.c_char_p) -> str:
    return (p.value or b"").decode()


def result(handle: Any) -> Nonfinite:
    """What a handle's last run found; the result owns the handle."""
    kills, suppressed = ctypes.c_size_t(), ctypes.c_size_t()
    lib.nonfinite_tally(handle, ctypes.byref(kills), ctypes.byref(suppressed))
    return Nonfinite(_births(handle), lib.nonfinite_message(handle).decode(), kills.value, suppressed.value, handle)


def trace(tape: Tape, inputs: list[int], outputs: list[int], arrays: list[np.ndarray[Any, Any]], masks: tuple[int, ...] = ()) -> Nonfinite:
    """The same for nodes of a tape and arrays of its inputs."""
    handle = lib.nonfinite_new(tape.handle, nodes(inputs), len(inputs), nodes(outputs), len(outputs))
    if not handle:
        tape.fail()
    try:
        for i in masks:
            if lib.nonfinite_set(handle, b"mask", float(i)):
                raise InvalidError(lib.nonfinite_message(handle).decode())
        status = lib.nonfinite_run(handle, pointers(arrays))
        if status < 0:
            raise error(status, lib.nonfinite_message(handle).decode())
    except Exception:
        lib.nonfinite_free(handle)
        raise
    return result(handle)


def nonfinite(f: Callable[..., Any], *args: Any, masks: tuple[int, ...] = (), **kwargs: Any) -> Nonfinite:
    """Runs `f`, or a derivative of a function (``cb.grad(f)``), operator by operator, and says where each number of its results that is not finite was born.

    Infinite constants, and infinities in the arguments whose leaves' numbers are in `masks`, are no findings as long as no NaN comes of them.
    """
    from .function import Fixed, Function, _as_input, leaf_key

    traced = f if isinstance(f, Function) else Function(f)
    if traced._static:
        args = tuple(Fixed(a) if i in traced._static else a for i, a in enumerate(args))
    leaves, tree = pytree.flatten((args, kwargs))
    if any_traced(leaves):
        raise InvalidError("nonfinite: the arguments must be numbers, not values being traced")
    keys = tuple([leaf_key(leaf) for leaf in leaves])
    tape, inputs, places, value = traced._trace(tree, keys, leaves if traced._guards else None)
    outputs = [x._node for x in pytree.leaves(value)]
    arrays = [input_array(_as_input(leaves[i], (x.shape, x._code)) if x.shape or not isinstance(leaves[i], (int, float)) else np.asarray(leaves[i], dt.NUMPY[x._code]),
                          (x.shape, x._code), f"argument {i}") for i, x in zip(places, inputs)]  # fmt: skip
    return trace(tape, [x._node for x in inputs], outputs, arrays, tuple(masks))


explain_nan = nonfinite


def label(x: Any, text: str) -> Any:
    """Calls a traced value, and what is derived from it, `text` in every sentence that names it; gives it back. Numbers stay as they are.

    >>> import camber as cb
    >>> f = cb.grad(lambda x: cb.label(1 / x, "layer3/scale"))
    >>> cb.nonfinite(f, 0.0)[0].label
    'layer3/scale'
    """
    if isinstance(x, Array):
        tape = tape_of((x,))
        if lib.label(tape.handle, x.node, text.encode(), tape.file, tape.line):
            tape.fail()
    return x


def labels(x: Any) -> list[tuple[str, str, int]]:
    """Text, file and line of all labels of a traced value, its own first, then those of the one that it was derived from."""
    tape, found = x.tape, []
    for i in range(lib.label_count(tape.handle, x.node)):
        text, file, line = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_int32()
        lib.label_get(tape.handle, x.node, i, ctypes.byref(text), ctypes.byref(file), ctypes.byref(line))
        found.append((_text(text), _text(file), line.value))
    return found


def origin(x: Any) -> tuple[Any, str]:
    """The traced value that x was derived from, by a derivative or a rewriting, and the sweep: "", "forward" or "reverse"."""
    node, sweep = ctypes.c_int64(), ctypes.c_int32()
    if lib.node_origin(x.tape.handle, x.node, ctypes.byref(node), ctypes.byref(sweep)):
        raise NodeError("origin: the value is not one of its tape")
    return typed(x.tape, node.value), SWEEPS[sweep.value]


def empty(shape: Any, dtype: Any = float) -> np.ndarray[Any, Any]:
    """np.empty, filled with NaNs that `nonfinite` tells from numbers: what is read before it is written shows as uninitialised memory.

    >>> import camber as cb
    >>> cb.nonfinite(lambda x: x + 1, cb.empty(()))[0].kind
    'uninitialised memory in an input'
    """
    array: np.ndarray[Any, Any] = np.empty(shape, dtype)
    if lib.poison(dt.code_of(array.dtype), array.ctypes.data, array.size):
        raise InvalidError(f"empty: dtype {array.dtype}")
    return array
