"""scan: a loop in the program, its body traced once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError
from ._library import lib
from ._tape import Tape, cast, constant, current, lift, nodes, typed
from ._trace import derived, recording
from .function import Function


def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, slots: int = 0) -> tuple[Any, Any]:
    """``for x in xs: carry, y = f(carry, x)``; gives the last carry and the y's stacked.

    Parameters
    ----------
    f
        The body, traced once. It may read traced values from around it. The carry keeps its structure, shapes and dtypes.
    init
        The first carry, a tree.
    xs
        A tree of arrays with the same leading axis; None to loop `length` times.
    reverse
        From the last to the first; the y's keep their places.
    slots
        How many carries derivatives may keep; the others are computed again by the optimal binomial schedule, to the same
        bits. 0 keeps all.

    >>> import numpy as np, camber as cb
    >>> cb.scan(lambda total, x: (total + x, total), 0.0, np.arange(3.0))
    (np.float64(3.0), array([0., 0., 1.]))
    """
    if current() is None and not any_traced(pytree.leaves((init, xs))):

        def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
            return _scan(f, args[0], args[1], length, reverse, slots)

        return derived(f, ("scan", length, reverse, slots), lambda: Function(f, inner=inner))(init, xs)  # type: ignore[no-any-return]
    return _scan(f, init, xs, length, reverse, slots)


def _scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool, slots: int) -> tuple[Any, Any]:
    if not isinstance(slots, (int, np.integer)) or slots < 0:
        raise InvalidError(f"scan: slots is a whole number, 0 to keep every carry, not {slots!r}")
    outer = recording()
    starts, carry_tree = pytree.flatten(init)
    starts = [lift(leaf, outer) for leaf in starts]
    parts, x_tree = pytree.flatten(xs)
    parts = [lift(leaf, outer) for leaf in parts]
    count = _length(parts, length)
    with Tape(outer) as body:
        carries = [_input(body, v.shape, v._code) for v in starts]
        slices = [_input(body, v.shape[1:], v._code) for v in parts]
        result = f(pytree.unflatten(carry_tree, carries), pytree.unflatten(x_tree, slices))
        if not isinstance(result, tuple) or len(result) != 2:
            raise InvalidError("scan: the body gives a pair (carry, y)")
        ends = _carry(result[0], carry_tree, starts, body)
        ys, y_tree = pytree.flatten(result[1])
        ys = [lift(leaf, body) for leaf in ys]
    total = len(ends) + len(ys)
    out = (ctypes.c_int64 * max(1, total))()
    status = lib.scan_slots(outer.handle, body.handle, nodes(v._node for v in carries + slices), nodes(v._node for v in ends + ys),
                      len(starts), nodes(v._node for v in starts), len(parts), nodes(v._node for v in parts), len(ys),
                      count, int(reverse), int(slots), out)  # fmt: skip
    if status:
        body.fail()
    values = [typed(outer, node) for node in list(out)[:total]]
    return pytree.unflatten(carry_tree, values[: len(ends)]), pytree.unflatten(y_tree, values[len(ends) :])


def _input(tape: Tape, shape: tuple[int, ...], code: int) -> Array:
    return Array(tape, tape.input(shape, code), shape, code)


def _length(parts: list[Any], length: int | None) -> int:
    if any(part.ndim == 0 for part in parts):
        raise ShapeError("scan: xs are arrays with a leading axis, not scalars")
    sizes = {part.shape[0] for part in parts} | ({int(length)} if length is not None else set())
    if len(sizes) != 1:
        raise ShapeError("scan: " + ("length is wanted where xs is None" if not sizes else f"leading axes and length differ: {sorted(sizes)}"))
    return int(sizes.pop())


def _carry(result: Any, tree: pytree.Tree, starts: list[Any], body: Tape) -> list[Any]:
    ends = pytree.same(tree, result, "scan: the new carry")
    for i, (end, start) in enumerate(zip(ends, starts)):
        weak = type(end) in (bool, int, float) or (isinstance(end, Array) and end._weak is not None)
        value = constant(body, end, start._code) if not isinstance(end, Array) and weak else lift(end, body)
        value = cast(value, start._code) if weak else value
        if value._code != start._code:
            raise DtypeError(f"scan: carry {i} begins as {dt.NAMES[start._code]} and the body gives {dt.NAMES[value._code]}; cast one")
        if value.shape != start.shape:
            raise ShapeError(f"scan: carry {i} begins with shape {list(start.shape)} and the body gives {list(value.shape)}")
        ends[i] = value
    return ends
