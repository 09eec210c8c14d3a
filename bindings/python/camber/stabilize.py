"""stabilize: a function with the expressions that lose digits replaced by others that do not, and a journal of what was done.

>>> import numpy as np, camber as cb
>>> f = lambda x: np.log(1 + np.exp(x)) + np.sqrt(x + 1) - np.sqrt(x)
>>> g = cb.stabilize(f, 1e12)
>>> f(800.0) > 1e300, float(cb.stabilize(lambda x: np.log(1 + np.exp(x)))(800.0))
(np.True_, 800.0)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import InvalidError, error
from ._library import lib
from ._tape import lift, nodes, typed
from ._trace import recording
from .function import Function
from .program import pointers


@dataclass(frozen=True)
class Rewrite:
    """An expression that was found.

    `rule`: its number (docs/health.md); `before`, `after`: the bits lost at the worst sample (nan: not measured; inf: no number, or no derivative); `made`: whether it was
    replaced; `sentence`: all of that, the place, and the reason.
    """

    rule: int
    before: float
    after: float
    made: bool
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class Stabilized(Function):
    """What `stabilize` gives: a Function. `log` is the journal of the last recording."""

    def __init__(self, f: Callable[..., Any], samples: list[list[np.ndarray[Any, Any]]], ranges: dict[int, tuple[float, float]], options: dict[str, float]) -> None:
        self.log: list[Rewrite] = []
        self.handle: Any = None     # of the last recording, for reports
        self._samples, self._ranges, self._rules = samples, ranges, options
        inner = f._inner if isinstance(f, Function) else (lambda args, kwargs, fresh: f(*args, **kwargs))
        super().__init__(f, inner=lambda args, kwargs, fresh: self._stable(inner, args, kwargs, fresh))

    def __del__(self, free: Any = lib.stabilizer_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _stable(self, inner: Callable[..., Any], args: Any, kwargs: Any, fresh: bool) -> Any:
        result = inner(args, kwargs, fresh)
        leaves, tree = pytree.flatten(result)
        tape = recording()
        values = [lift(leaf, tape) for leaf in leaves]
        inputs = [x for x in pytree.leaves((args, kwargs)) if isinstance(x, Array)]
        distinct = list(dict.fromkeys(x._node for x in inputs))
        outs = [v._node for v in values]
        handle = lib.stabilizer_new(tape.handle, nodes(distinct), len(distinct), nodes(outs), len(outs))
        if not handle:
            tape.fail()
        try:
            self._fill(handle, inputs, distinct)
            out = (ctypes.c_int64 * max(1, len(outs)))()
            self._check(handle, lib.stabilizer_run(handle, out))
            self.log = [self._entry(handle, i) for i in range(lib.stabilizer_count(handle))]
        except Exception:
            lib.stabilizer_free(handle)
            raise
        if self.handle:
            lib.stabilizer_free(self.handle)
        self.handle = handle
        return pytree.unflatten(tree, [typed(tape, out[i]) for i in range(len(outs))])

    def _fill(self, handle: Any, inputs: list[Array], distinct: list[int]) -> None:
        for name, value in self._rules.items():
            self._check(handle, lib.stabilizer_set(handle, name.encode(), float(value)))
        first = [next(i for i, x in enumerate(inputs) if x._node == n) for n in distinct]
        for sample in self._samples:
            if len(sample) == len(inputs) and all(np.shape(v) == x.shape for v, x in zip(sample, inputs)):
                arrays = [np.ascontiguousarray(np.asarray(sample[i], dt.NUMPY[inputs[i]._code])).reshape(inputs[i].shape) for i in first]
                self._check(handle, lib.stabilizer_sample(handle, pointers(arrays)))
        for i, (low, high) in self._ranges.items():
            if not 0 <= i < len(inputs):
                raise InvalidError(f"stabilize: a range for argument {i} of {len(inputs)}")
            self._check(handle, lib.stabilizer_range(handle, distinct.index(inputs[i]._node), float(low), float(high)))

    def _check(self, handle: Any, status: int) -> None:
        if status < 0:
            raise error(status, lib.stabilizer_message(handle).decode())

    def _entry(self, handle: Any, i: int) -> Rewrite:
        rule, made, before, after = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_double(), ctypes.c_double()
        lib.stabilizer_entry(handle, i, ctypes.byref(rule), None, ctypes.byref(before), ctypes.byref(after), ctypes.byref(made))
        return Rewrite(rule.value, before.value, after.value, bool(made.value), lib.stabilizer_sentence(handle, i).decode())


def stabilize(f: Callable[..., Any], *sample: Any, samples: Any = (), ranges: dict[int, tuple[float, float]] | None = None, **options: float) -> Stabilized:
    """`f` with expressions that lose digits, overflow or have wrong derivatives replaced (57 patterns: docs/health.md).

    Parameters
    ----------
    sample
        Arguments at which it is wanted; `samples` are more of them, each a tuple. Without any, only what is better everywhere is replaced.
    ranges
        Or where the arguments' leaves lie, by number: {0: (-50, 50)}.
    options
        threshold (bits that must be gained, 4), slack (bits that may be lost anywhere, 1), rounds.

    >>> import numpy as np, camber as cb
    >>> g = cb.stabilize(lambda x: (1 - np.cos(x)) / x**2, 1e-8)
    >>> round(float(g(1e-8)), 12), [r.rule for r in g.log if r.made]
    (0.5, [20])
    """
    given = []
    for one in ([sample] if sample else []) + [tuple(s) if isinstance(s, (tuple, list)) else (s,) for s in samples]:
        leaves = pytree.leaves((one, {}))
        if any_traced(leaves):
            raise InvalidError("stabilize: samples are numbers, not values being traced")
        given.append([np.asarray(leaf) for leaf in leaves if isinstance(leaf, (bool, int, float, np.ndarray, np.generic)) or hasattr(leaf, "__array__")])
    made = Stabilized(f, given, dict(ranges or {}), options)
    if sample:
        made.program(*sample)
    return made
