"""Functions met while tracing: their float arguments set apart as fresh inputs, and put back after a transform.

Differentiating by a node that the function also reads through its closure would count both uses. So a transform calls the
function on inputs of its own, transforms the nodes that come out, and substitutes the true arguments at the end.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._errors import DtypeError, InvalidError
from ._library import lib
from ._tape import Tape, constant, current, lift, nodes, typed
from .function import Function

Argnums = int | Sequence[int]


def recording() -> Tape:
    """The tape being recorded."""
    tape = current()
    if tape is None:
        raise InvalidError("a traced value is used outside the function that it belongs to")
    return tape


def is_number(leaf: Any) -> bool:
    """Whether a leaf is a number or an array."""
    return isinstance(leaf, (Array, bool, int, float, np.ndarray, np.generic)) or hasattr(leaf, "__array__")


class Placed:
    """Arguments as traced values on the current tape, those that matter replaced by fresh inputs.

    Attributes
    ----------
    args
        Arguments to call the function with.
    inputs
        The fresh inputs' nodes, one for each leaf of the chosen arguments.
    """

    def __init__(self, args: tuple[Any, ...], chosen: Sequence[int], fresh: bool, what: str, floats: bool = True) -> None:
        self.tape = recording()
        self.fresh = fresh
        self.inputs: list[int] = []
        self.values: list[Any] = []
        self.trees: list[pytree.Tree] = []
        self.floating: list[bool] = []
        replaced = list(args)
        for i in chosen:
            leaves, tree = pytree.flatten(args[i])
            self.trees.append(tree)
            replaced[i] = pytree.unflatten(tree, [self._place(leaf, f"{what}: argument {i}", floats) for leaf in leaves])
        self.args = tuple(replaced)

    def _place(self, leaf: Any, what: str, floats: bool) -> Any:
        if not is_number(leaf):
            return leaf
        value = lift(leaf, self.tape)
        real = value._code in dt.FLOATS
        if floats and not real:
            raise DtypeError(f"{what} is {dt.NAMES[value._code]}; derivatives are taken by floats (give 2.0 rather than 2)")
        if not real:
            return value
        made = value if self.fresh else Array(self.tape, self.tape.input(value.shape, value._code), value.shape, value._code)
        self.values.append(value)
        self.inputs.append(made._node)
        return made

    def back(self, results: Sequence[int]) -> list[int]:
        """These nodes with the true arguments in the inputs' places."""
        results = list(results)
        if self.fresh or not self.inputs or not results:
            return results
        out = (ctypes.c_int64 * len(results))()
        status = lib.substitute(self.tape.handle, nodes(results), len(results), nodes(self.inputs),
                                nodes(v._node for v in self.values), len(self.inputs), out)  # fmt: skip
        if status:
            self.tape.fail()
        return list(out)

    def arrays(self, results: Sequence[int]) -> list[Any]:
        """`back` as traced values."""
        return [typed(self.tape, node) for node in self.back(results)]


def call(tape: Tape, name: str, *args: Any, count: int) -> list[int]:
    """A core transform whose last parameter receives `count` nodes."""
    out = (ctypes.c_int64 * max(1, count))()
    if getattr(lib, name)(tape.handle, *args, out):
        tape.fail()
    return list(out)[:count]


def as_argnums(argnums: Argnums, args: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """The positions meant, from the front."""
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in chosen:
        if not -len(args) <= i < len(args):
            raise InvalidError(f"{what}: argnums {i} where {len(args)} positional arguments are given")
    return tuple(i % len(args) for i in chosen)


def on_tape(value: Any, tape: Tape) -> Any:
    """A result leaf as a traced value."""
    return value if isinstance(value, Array) else constant(tape, value)


def scalar(out: Any, tape: Tape, what: str) -> Any:
    """The one float that a gradient is of."""
    if not is_number(out):
        raise InvalidError(f"{what}: the function gives a {type(out).__name__}; it must give one scalar (has_aux=True for more)")
    out = on_tape(out, tape)
    if out.shape != ():
        raise InvalidError(f"{what}: the function gives shape {list(out.shape)}; it must give a scalar; use cb.jacobian or cb.vjp for more")
    if out._code not in dt.FLOATS:
        raise DtypeError(f"{what}: the function gives {dt.NAMES[out._code]}; it must give a float")
    return out


def derived(f: Callable[..., Any], key: Any, make: Callable[[], Function]) -> Function:
    """A transform of f; kept with f where f is a cb.function, so that it is traced once."""
    if not isinstance(f, Function):
        return make()
    if key not in f.derived:
        f.derived[key] = make()
    return f.derived[key]  # type: ignore[no-any-return]
