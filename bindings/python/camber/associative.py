"""associative_scan: running results of any associative operation, each level of a tree at once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import ShapeError
from ._library import lib
from ._tape import Tape, current, lift, nodes, typed
from ._trace import derived, recording
from .function import Function
from .loops import _input


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Running results of an associative `f` along an axis of every array of a tree, in some 2 log2 n steps that each do half of what is
    left at once.

    Parameters
    ----------
    f
        ``f(so_far, next)`` of two trees of single elements (the axis taken off) gives a tree of that structure, shapes and dtypes; traced
        once. It may read traced values from around it.
    elems
        A tree of arrays of one length along `axis`.
    reverse
        From the last to the first: so_far then came from the end, as in jax.lax.associative_scan.

    >>> import numpy as np, camber as cb
    >>> cb.associative_scan(np.multiply, np.array([1.0, 2.0, 3.0]))
    array([1., 2., 6.])
    """
    if current() is None and not any_traced(pytree.leaves(elems)):

        def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
            return _associative(f, args[0], reverse, axis)

        return derived(f, ("associative_scan", reverse, axis), lambda: Function(f, inner=inner))(elems)
    return _associative(f, elems, reverse, axis)


def _associative(f: Callable[[Any, Any], Any], elems: Any, reverse: bool, axis: int) -> Any:
    outer = recording()
    leaves, tree = pytree.flatten(elems)
    parts = [lift(leaf, outer) for leaf in leaves]
    shapes = []
    for part in parts:
        if not -part.ndim <= axis < part.ndim:
            raise ShapeError(f"associative_scan: axis {axis} of an element of shape {list(part.shape)}")
        shapes.append(tuple(n for i, n in enumerate(part.shape) if i != axis % part.ndim))
    with Tape(outer) as body:
        left, right = ([_input(body, s, p._code) for s, p in zip(shapes, parts)] for _ in range(2))
        result = f(pytree.unflatten(tree, left), pytree.unflatten(tree, right))
        ends = [lift(leaf, body) for leaf in pytree.same(tree, result, "associative_scan: what f gives")]
        for end, s, p in zip(ends, shapes, parts):
            if (end.shape, end._code) != (s, p._code):
                raise ShapeError(f"associative_scan: f gives {dt.NAMES[end._code]}{list(end.shape)} for elements {dt.NAMES[p._code]}{list(s)}")
    out = (ctypes.c_int64 * max(1, len(parts)))()
    status = lib.associative_scan(outer.handle, body.handle, nodes(v._node for v in left + right), nodes(v._node for v in ends),
                                  nodes(v._node for v in parts), len(parts), axis, int(reverse), out)  # fmt: skip
    if status:
        body.fail()
    return pytree.unflatten(tree, [typed(outer, node) for node in list(out)[: len(parts)]])
