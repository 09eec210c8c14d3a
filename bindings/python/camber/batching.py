"""vmap: a function of one example made a function of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import pytree
from ._array import Array
from ._dispatch import FUNCTIONS
from ._errors import InvalidError, ShapeError
from ._tape import lift, nodes, typed
from ._trace import call, derived, is_number, on_tape, recording
from .function import Function


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Function:
    """A function that applies `f` to every slice of its arguments at once.

    Parameters
    ----------
    in_axes
        The axis of each argument that is mapped, None for one that all slices share: one for all, or a tuple with an entry
        an argument (which may be a tree).
    out_axes
        Where the results carry the new axis; one for all, or a tree.

    >>> import numpy as np, camber as cb
    >>> cb.vmap(np.dot, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        tape = recording()
        leaves, tree = pytree.flatten((args, kwargs))
        axes = _axes(in_axes, args, tree)
        size = _size(leaves, axes)
        slices: list[int] = []
        batched: list[int] = []
        single = []
        for leaf, axis in zip(leaves, axes):
            if axis is None or not is_number(leaf):
                single.append(leaf)
                continue
            whole = FUNCTIONS[np.moveaxis](lift(leaf, tape), axis, 0)
            one = Array(tape, tape.input(whole.shape[1:], whole._code), whole.shape[1:], whole._code)
            slices.append(one._node)
            batched.append(whole._node)
            single.append(one)
        inner_args, inner_kwargs = pytree.unflatten(tree, single)
        outs, structure = pytree.flatten(f(*inner_args, **inner_kwargs))
        outs = [on_tape(o, tape) for o in outs]
        results = call(tape, "batch", nodes(o._node for o in outs), len(outs), nodes(slices), nodes(batched), len(slices), size,
                       count=len(outs))  # fmt: skip
        places = pytree.broadcast_prefix(out_axes, structure, "vmap: out_axes")
        moved = [FUNCTIONS[np.moveaxis](typed(tape, node), 0, place) for node, place in zip(results, places)]
        return pytree.unflatten(structure, moved)

    key = ("vmap", repr(in_axes), repr(out_axes))
    return derived(f, key, lambda: Function(f, inner=inner))


def _axes(in_axes: Any, args: tuple[Any, ...], tree: pytree.Tree) -> list[int | None]:
    positional, named = tree.children
    if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
        raise InvalidError(f"vmap: in_axes has {len(in_axes)} entries for {len(args)} arguments")
    given = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else in_axes
    return [*pytree.broadcast_prefix(given, positional, "vmap: in_axes"), *[0] * named.size]


def _size(leaves: list[Any], axes: list[int | None]) -> int:
    sizes = {}
    for leaf, axis in zip(leaves, axes):
        if axis is None or not is_number(leaf):
            continue
        shape = np.shape(leaf)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(f"vmap: axis {axis} of an argument of shape {list(shape)}; in_axes None shares it")
        sizes[shape[axis]] = list(shape)
    if len(sizes) != 1:
        raise ShapeError("vmap: " + ("no argument is mapped" if not sizes else f"the mapped axes have lengths {sorted(sizes)}; they must agree"))
    return int(next(iter(sizes)))
