"""rounding: how far results lie from what exact arithmetic would give. check_derivatives: derivatives held against differences.

>>> import numpy as np, camber as cb
>>> r = cb.rounding(lambda x: np.sqrt(x + 1) - np.sqrt(x))(1e12)
>>> bool(r.bits_lost > 20), bool(abs(r.corrected - 4.999999999998750e-07) < 1e-19), r.ranking[0].op
(True, True, 'sqrt')
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, error
from ._library import lib
from ._tape import nodes
from ._trace import Placed, call, derived, scalar
from .function import Function, leaf_key
from .program import input_array, pointers

LEVELS = ("exact", "weighted bound", "measured", "unbounded")
VERDICTS = ("right", "wrong", "kink", "undecided")
_FIGURES = ("value", "bound", "weighted_bound", "statistical", "estimate", "remainder", "corrected", "first_order", "condition", "input_sensitivity", "bits_lost", "digits")


@dataclass(frozen=True)
class Member:
    """One operator of a contribution: its part of the error, and its place, or that of the operator that it is a derivative of."""

    op: str
    node: int
    error: float
    text: str
    file: str
    line: int


@dataclass(frozen=True)
class Contribution:
    """What one recorded operator contributes: `error`, its signed part of the first-order error; `bound`, its part of the weighted bound; `share` of
    all; `condition`, the largest condition number in one operand (NaN: none). `members` has more than one where roundings cancel and only together they are
    to blame: all of one operator with its derivatives, all of one kind, or two of these.
    """

    op: str
    node: int
    error: float
    bound: float
    share: float
    condition: float
    members: tuple[Member, ...]

    @property
    def place(self) -> str:
        """What the largest member is called, and where it stands in the program: "layer 3, model.py:12"."""
        m = self.members[0]
        return ", ".join(s for s in (m.text, f"{m.file}:{m.line}" if m.file else "") if s)


@dataclass(frozen=True)
class Unstable:
    """A comparison whose outcome rounding turns, or may turn: `other` is the result if it went the other way (NaN: not computed)."""

    op: str
    node: int
    elements: int
    turns: bool
    other: float


@dataclass(frozen=True)
class Rounding:
    """The rounding error of a function's results at one point.

    Every figure has the structure of the results. `bound`: never below the error; infinite where none can be given. `estimate`: the error itself, value
    minus exact, off by at most `remainder`. `corrected`: the value without it. `level`: what the bound comes from, a word or two of `LEVELS`.
    `weighted_bound`, `statistical`, `first_order`, `condition`, `input_sensitivity`, `bits_lost` and `digits` are explained at camber_rounding_figure in
    camber_health.h. `ranking` and `unstable` are those of the element that lost most.
    """

    value: Any
    bound: Any
    weighted_bound: Any
    statistical: Any
    estimate: Any
    remainder: Any
    corrected: Any
    first_order: Any
    condition: Any
    input_sensitivity: Any
    bits_lost: Any
    digits: Any
    level: Any
    ranking: list[Contribution]
    unstable: list[Unstable]
    text: str
    source: Any = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<rounding: value {self.value!r}, bound {self.bound!r}>"


def _recorded(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], what: str) -> tuple[Any, list[Any], list[Any], list[Any], Any]:
    """Tape, inputs, their arrays, the float outputs, and the structure of all."""
    leaves, tree = pytree.flatten((args, kwargs))
    if any_traced(leaves):
        raise InvalidError(f"{what}: the arguments must be numbers, not values being traced")
    traced = f if isinstance(f, Function) else Function(f)
    tape, inputs, places, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in leaves]), leaves)
    data = [input_array(np.asarray(leaves[p], dt.NUMPY[x._code]), (x.shape, x._code), f"{what}: argument {i}") for i, (p, x) in enumerate(zip(places, inputs))]
    outputs, structure = pytree.flatten(result)
    for i, y in enumerate(outputs):
        if y._code not in dt.FLOATS:
            raise DtypeError(f"{what}: result {i} is {dt.NAMES[y._code]}; floats are asked about")
    return tape, inputs, data, outputs, structure


class _Handle:
    """A rounding's or check's handle."""

    def __init__(self, kind: str, tape: Any, outputs: list[Any], inputs: list[Any], options: dict[str, float]) -> None:
        self.kind = kind
        self.free = getattr(lib, f"{kind}_free")
        self.handle = getattr(lib, f"{kind}_new")(tape.handle, nodes(y._node for y in outputs), len(outputs), nodes(x._node for x in inputs), len(inputs))
        if not self.handle:
            tape.fail()
        for name, value in options.items():
            self.check(getattr(lib, f"{kind}_set")(self.handle, name.encode(), float(value)))

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.free(self.handle)

    def check(self, status: int) -> int:
        if status < 0:
            raise error(status, getattr(lib, f"{self.kind}_message")(self.handle).decode())
        return status


def rounding(f: Callable[..., Any], *, weights: Any = None, limit: int = 4096, **options: float) -> Callable[..., Rounding]:
    """A function that tells how far the results of `f` lie from what exact arithmetic would give from the same arguments.

    Parameters
    ----------
    f
        Gives floats: values, or derivatives (``cb.rounding(cb.grad(f))``). Python's own branches go as they go at the arguments.
    weights
        Ask about the sum of all results' elements with these weights (a tree like the results) instead of each element.
    limit
        So many elements are asked about one by one; more are refused: each costs a reverse sweep.
    options
        memory_limit, node_limit, wide, top, branches: see camber_rounding_new in camber_health.h.

    >>> import camber as cb
    >>> r = cb.rounding(lambda a, b: a * a - b * b)(1e8 + 1, 1e8)
    >>> float(r.value), float(r.estimate), r.level
    (200000000.0, -1.0, 'measured')
    """

    def ask(*args: Any, **kwargs: Any) -> Rounding:
        tape, inputs, data, outputs, structure = _recorded(f, args, kwargs, "rounding")
        h = _Handle("rounding", tape, outputs, inputs, options)
        h.check(lib.rounding_run(h.handle, pointers(data)))
        if weights is not None:
            return _along(h, outputs, weights)
        counts = [int(np.prod(y.shape, dtype=np.int64)) for y in outputs]
        if sum(counts) > limit:
            raise InvalidError(f"rounding: {sum(counts)} elements, each of which costs a reverse sweep; give weights, or a limit above {limit}")
        figures = [{name: np.empty(y.shape) for name in _FIGURES} for y in outputs]
        levels = [np.empty(y.shape, object) for y in outputs]
        worst, ranking, unstable, text, where = -1.0, [], [], "", (0, 0)
        for k, y in enumerate(outputs):
            for i in range(counts[k]):
                h.check(lib.rounding_at(h.handle, k, i))
                numbers = _numbers(h)
                for name, number in numbers.items():
                    figures[k][name].flat[i] = number
                levels[k].flat[i] = LEVELS[lib.rounding_level(h.handle)]
                lost = _badness(numbers)
                if lost > worst:
                    worst, ranking, unstable, where = lost, _ranking(h), _unstable(h), (k, i)
                    text = lib.rounding_report(h.handle).decode()
        trees = {name: pytree.unflatten(structure, [_plain(figures[k][name]) for k in range(len(outputs))]) for name in _FIGURES}
        return Rounding(**trees, level=pytree.unflatten(structure, [_plain(a) for a in levels]), ranking=ranking, unstable=unstable, text=text, source=(h, where))

    return ask


def _plain(a: Any) -> Any:
    return a[()] if a.ndim == 0 else a


def _badness(numbers: dict[str, float]) -> float:
    value, bound = abs(numbers["value"]), numbers["bound"]
    if not np.isfinite(bound) or not np.isfinite(value):
        return np.inf
    return bound / value if value else bound and np.inf


def _numbers(h: _Handle) -> dict[str, float]:
    return {name: lib.rounding_figure(h.handle, name.encode()) for name in _FIGURES}


def _along(h: _Handle, outputs: list[Any], weights: Any) -> Rounding:
    given = pytree.leaves(weights)
    if len(given) != len(outputs):
        raise InvalidError(f"rounding: {len(given)} arrays of weights for {len(outputs)} results")
    arrays = [input_array(np.asarray(w, np.float64), (y.shape, dt.F64), f"rounding: weights {i}") for i, (w, y) in enumerate(zip(given, outputs))]
    h.check(lib.rounding_along(h.handle, pointers(arrays)))
    return Rounding(**_numbers(h), level=LEVELS[lib.rounding_level(h.handle)], ranking=_ranking(h), unstable=_unstable(h), text=lib.rounding_report(h.handle).decode(), source=(h, None))


def _ranking(h: _Handle) -> list[Contribution]:
    node, op, numbers = ctypes.c_int64(), ctypes.c_char_p(), (ctypes.c_double * 4)()
    places = [ctypes.cast(ctypes.byref(numbers, 8 * i), ctypes.POINTER(ctypes.c_double)) for i in range(4)]
    found = []
    for i in range(lib.rounding_contributions(h.handle)):
        h.check(lib.rounding_contribution(h.handle, i, ctypes.byref(node), ctypes.byref(op), *places))
        found.append(Contribution((op.value or b"").decode(), node.value, *numbers, members=_members(h, i)))
    return found


def _members(h: _Handle, i: int) -> tuple[Member, ...]:
    node, op, part, text, file, line = ctypes.c_int64(), ctypes.c_char_p(), ctypes.c_double(), ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_int32()
    found: list[Member] = []
    while lib.rounding_member(h.handle, i, len(found), *[ctypes.byref(p) for p in (node, op, part, text, file, line)]) == 0:
        found.append(Member((op.value or b"").decode(), node.value, part.value, (text.value or b"").decode(), (file.value or b"").decode(), line.value))
    return tuple(found)


def _unstable(h: _Handle) -> list[Unstable]:
    node, op, elements, turns, other = ctypes.c_int64(), ctypes.c_char_p(), ctypes.c_size_t(), ctypes.c_int32(), ctypes.c_double()
    found = []
    for i in range(lib.rounding_unstables(h.handle)):
        h.check(lib.rounding_unstable(h.handle, i, *[ctypes.byref(p) for p in (node, op, elements, turns, other)]))
        found.append(Unstable((op.value or b"").decode(), node.value, elements.value, turns.value == 1, other.value))
    return found


@dataclass(frozen=True)
class Comparison:
    """One derivative held against differences: `kind` is jvp, vjp or hvp; `error` is what `difference` may be off by; `slope` that of the Taylor remainder
    (2, of an hvp 3; NaN where it vanishes), whose `steps` and `remainders` stand beside it.
    """

    argument: int
    kind: str
    verdict: str
    derivative: float
    difference: float
    error: float
    slope: float
    steps: np.ndarray[Any, Any]
    remainders: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Check:
    """What check_derivatives found: `verdict` is right, wrong, kink or undecided; `message` says it in words; `entries` hold each comparison."""

    verdict: str
    message: str
    entries: list[Comparison]
    source: Any = field(default=None, repr=False, compare=False)

    @property
    def right(self) -> bool:
        """Whether every derivative is right."""
        return self.verdict == "right"

    def __str__(self) -> str:
        return self.message


def check_derivatives(f: Callable[..., Any], **options: float) -> Callable[..., Check]:
    """A function that holds the derivatives of `f` against differences: jvp, vjp and Hessian products in each argument.

    A custom rule that is wrong is named; a kink is told from a wrong derivative. Options: directions, seed, tolerance, order, locate: see camber_check_new in
    camber_health.h.

    >>> import numpy as np, camber as cb
    >>> cb.check_derivatives(lambda x: np.sin(x) * x)(0.7).verdict
    'right'
    """

    def ask(*args: Any, **kwargs: Any) -> Check:
        tape, inputs, data, outputs, _ = _recorded(f, args, kwargs, "check_derivatives")
        h = _Handle("check", tape, outputs, inputs, options)
        h.check(lib.check_run(h.handle, pointers(data)))
        message = lib.check_message(h.handle).decode()
        which, kinds, numbers = ctypes.c_size_t(), (ctypes.c_int32 * 2)(), (ctypes.c_double * 4)()
        places = [ctypes.cast(ctypes.byref(kinds, 4 * i), ctypes.POINTER(ctypes.c_int32)) for i in range(2)]
        places += [ctypes.cast(ctypes.byref(numbers, 8 * i), ctypes.POINTER(ctypes.c_double)) for i in range(4)]  # type: ignore[misc]
        entries = []
        for i in range(lib.check_entries(h.handle)):
            h.check(lib.check_entry(h.handle, i, ctypes.byref(which), *places))
            n = lib.check_remainders(h.handle, i, 0, None, None)
            steps, rest = np.empty(n), np.empty(n)
            lib.check_remainders(h.handle, i, n, *[a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (steps, rest)])
            entries.append(Comparison(which.value, ("jvp", "vjp", "hvp")[kinds[0]], VERDICTS[kinds[1]], *numbers, steps, rest))
        return Check(VERDICTS[lib.check_verdict(h.handle)], message, entries, h)

    return ask


def rounding_bound(f: Callable[..., Any], estimate: bool = False) -> Function:
    """A function that gives the value of `f`, a float scalar, and a first-order bound on its rounding error, compiled into one program.

    With `estimate`: (value, bound, estimate, remainder): the error of + - * / and roots, signed, and a bound on that of the other operators. Cheap enough for
    every step of a loop; `rounding` says more and takes loops and branches. Gradients are asked about by a component or a weighted sum of theirs.

    >>> import numpy as np, camber as cb
    >>> value, bound = cb.rounding_bound(lambda x: np.sum(x * x))(np.ones(100))
    >>> float(value), bool(0 < bound < 1e-11)
    (100.0, True)
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        placed = Placed(args, range(len(args)), fresh, "rounding_bound", floats=False)
        out = scalar(f(*placed.args, **kwargs), placed.tape, "rounding_bound")
        ids = nodes(placed.inputs)
        if estimate:
            found = call(placed.tape, "rounding_estimate", out._node, ids, len(placed.inputs), count=3)
        else:
            found = [lib.rounding_bound(placed.tape.handle, out._node, ids, len(placed.inputs))]
            if found[0] < 0:
                placed.tape.fail()
        return tuple(placed.arrays([out._node, *found]))

    return derived(f, ("rounding_bound", estimate), lambda: Function(f, inner=inner))
