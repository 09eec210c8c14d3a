"""Vertex elimination: Jacobians of straight-line programs from fewer products than forward or reverse mode needs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

from . import pytree
from ._array import Array
from ._errors import InvalidError
from ._library import lib
from ._tape import nodes
from ._trace import Placed, derived, on_tape
from .function import Function, leaf_key

ORDERS = ("best", "forward", "reverse", "markowitz", "relative_markowitz", "min_fill", "annealing")


class EliminationCost(NamedTuple):
    """What eliminating the vertices of a function's graph costs in one order."""

    vertices: int
    edges: int
    products: int
    sums: int


def elimination_cost(f: Callable[..., Any], *args: Any, order: str = "best", every: bool = False) -> EliminationCost:
    """The operations that accumulate the Jacobian of `f` by vertex elimination.

    Parameters
    ----------
    args
        Arguments of the kinds that `f` will have; the Jacobian is by all floats among them. Their values do not matter.
    order
        'forward', 'reverse', 'markowitz', 'relative_markowitz', 'min_fill', 'annealing', or 'best' of them.
    every
        Products with +-1 and of constants count, too, as in published figures.

    >>> import numpy as np, camber as cb
    >>> cb.elimination_cost(lambda x, y: np.sin(x * y) * x, 1.0, 2.0).products
    3
    """
    if order not in ORDERS:
        raise InvalidError(f"elimination_cost: order '{order}' is none of {', '.join(ORDERS)}")
    traced = f if isinstance(f, Function) else Function(f)
    leaves, tree = pytree.flatten((args, {}))
    tape, inputs, _, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in leaves]))
    wrt = [x._node for x in inputs if x._code in (0, 1, 2, 3)]
    outs = [o._node for o in pytree.leaves(result)]
    costs = (ctypes.c_int64 * 4)()
    if lib.elimination_cost(tape.handle, nodes(outs), len(outs), nodes(wrt), len(wrt), order.encode(), int(every), costs):
        tape.fail()
    return EliminationCost(*costs)


def edge_pushing_cost(f: Callable[..., Any], *args: Any) -> EliminationCost:
    """The operations that give the Hessian of the scalar `f` by all floats among `args` by edge pushing (Gower and Mello 2012).

    `cb.sparse_hessian(f, method="edge_pushing")` and `cb.hessian(f, method="edge_pushing")` do it.

    >>> import numpy as np, camber as cb
    >>> cb.edge_pushing_cost(lambda x: np.sin(x[0] * x[1]) + x[1] ** 2, np.ones(2)).products
    5
    """
    traced = f if isinstance(f, Function) else Function(f)
    leaves, tree = pytree.flatten((args, {}))
    tape, inputs, _, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in leaves]))
    wrt = [x._node for x in inputs if x._code in (0, 1, 2, 3)]
    outs = [on_tape(o, tape)._node for o in pytree.leaves(result)]
    if len(outs) != 1:
        raise InvalidError(f"edge_pushing_cost: the function gives {len(outs)} values; one scalar is wanted")
    costs = (ctypes.c_int64 * 4)()
    if lib.edge_pushing_cost(tape.handle, outs[0], nodes(wrt), len(wrt), costs):
        tape.fail()
    return EliminationCost(*costs)


def preaccumulate(f: Callable[..., Any]) -> Function:
    """`f`, whose derivatives multiply by its Jacobian, accumulated once, rather than going through each of its operators.

    It pays for functions of many scalar operators that read and give few numbers, above all as the body of a loop or under `vmap`.
    Loops inside get the Jacobian of a step. Values do not change.

    >>> import numpy as np, camber as cb
    >>> f = cb.preaccumulate(lambda x, y: (np.sin(x) * y + x * y, np.exp(x * y)))
    >>> cb.jacobian(lambda x: f(x, 2.0)[0])(0.0)
    np.float64(4.0)
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        placed = Placed(args, range(len(args)), False, "preaccumulate", floats=False)
        leaves, structure = pytree.flatten(f(*placed.args, **kwargs))
        outs = [on_tape(leaf, placed.tape) for leaf in leaves]
        made = (ctypes.c_int64 * max(1, len(outs)))()
        if lib.preaccumulate(placed.tape.handle, nodes(o._node for o in outs), len(outs), nodes(placed.inputs), len(placed.inputs), made):
            placed.tape.fail()
        back = placed.arrays(list(made)[: len(outs)])
        return pytree.unflatten(structure, [b if isinstance(b, Array) else o for b, o in zip(back, outs)])

    return derived(f, ("preaccumulate",), lambda: Function(f, inner=inner))
