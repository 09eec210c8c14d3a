"""Taylor mode: coefficients along a curve, derivatives of mixed order along directions."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import FUNCTIONS
from ._errors import InvalidError, ShapeError
from ._tape import broadcast, cast, constant, nodes
from ._trace import Placed, call, is_number
from .transforms import _named, _outputs, _pairs, tangent_nodes


def taylor(f: Callable[..., Any], primals: Any, series: Any, order: int) -> Any:
    """The Taylor coefficients of `f` along a curve, to `order`, in one pass whose cost is quadratic in the order.

    Parameters
    ----------
    primals
        A tuple with one entry an argument: where the curve is at t = 0.
    series
        A tuple of the same structure. Each leaf is either of its argument's shape, a direction: x + v t; or has one more, leading,
        axis: the coefficients of t, t**2, ... of the curve. None is a constant.
    order
        Of the highest coefficient, 1 to 64.

    Returns
    -------
    The structure of f's value with a new leading axis of length order + 1 in each leaf: the coefficients of t**0, t**1, ... They are
    derivatives over factorials.

    >>> import numpy as np, camber as cb
    >>> cb.taylor(np.exp, (0.0,), (1.0,), order=4) * [1, 1, 2, 6, 24]
    array([1., 1., 1., 1., 1.])
    """
    _pairs(primals, series, "taylor")
    order = _order(order)

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        points, curves = args
        placed = Placed(points, range(len(points)), fresh, "taylor", floats=False)
        outs, structure = _outputs(f(*placed.args), placed.tape)
        given = _coefficients(placed, points, curves, order)
        real = [o for o in outs if o._code in dt.FLOATS]
        made = call(placed.tape, "taylor", nodes(o._node for o in real), len(real), nodes(placed.inputs), nodes(given), len(placed.inputs), order,
                    count=len(real) * order)  # fmt: skip
        back = placed.arrays([*[o._node for o in outs], *made])
        rest, stacks = iter(back[len(outs) :]), []
        for o, value in zip(outs, back):
            zero = None if o._code in dt.FLOATS else broadcast(constant(placed.tape, 0, o._code), o.shape)
            stacks.append(FUNCTIONS[np.stack]([value, *[next(rest) if zero is None else zero for _ in range(order)]]))
        return pytree.unflatten(structure, stacks)

    return _named(f, inner, "taylor", (len(primals), order))(tuple(primals), tuple(series))


def _order(order: Any) -> int:
    if not isinstance(order, (int, np.integer)) or isinstance(order, bool):
        raise InvalidError(f"taylor: order is a number, not {type(order).__name__}")
    return int(order)


def _coefficients(placed: Placed, points: Any, curves: Any, order: int) -> list[int]:
    """Coefficient nodes of each placed input, -1 where there is none."""
    leaves = pytree.leaves(points)
    given = pytree.broadcast_prefix(curves, pytree.flatten(points)[1], "series")
    found: list[int] = []
    values = iter(placed.values)
    for leaf, curve in zip(leaves, given):
        if not is_number(leaf):
            continue
        value = _placed(leaf, values)
        if value is None:
            continue
        row = [] if curve is None else _terms(curve, value, placed.tape, order)
        found += row + [-1] * (order - len(row))
    return found


def _placed(leaf: Any, values: Any) -> Any:
    code = leaf._code if isinstance(leaf, Array) else (dt.F64 if isinstance(leaf, float) else dt.code_of(np.asarray(leaf).dtype))
    return next(values) if code in dt.FLOATS else None


def _terms(curve: Any, value: Any, tape: Any, order: int) -> list[int]:
    curve = constant(tape, curve, value._code) if not isinstance(curve, Array) else cast(curve, value._code)
    if curve.shape == value.shape:
        return [curve._node]
    if curve.shape[1:] != value.shape or not curve.shape:
        raise ShapeError(f"taylor: a series of shape {list(curve.shape)} where the value has {list(value.shape)}: give a direction of that shape, or coefficients along a new first axis")
    if curve.shape[0] > order:
        raise ShapeError(f"taylor: {curve.shape[0]} coefficients for order {order}")
    return [curve[k]._node for k in range(curve.shape[0])]


def jet(f: Callable[..., Any], primals: Sequence[Any], series: Sequence[Sequence[Any]]) -> tuple[Any, Any]:
    """`jax.experimental.jet`: derivatives along a curve from derivatives of the curve, without the factorials of `taylor`.

    Parameters
    ----------
    series
        For each primal, an array, the list of the curve's derivatives of order 1, 2, ...

    Returns
    -------
    (value, [first, second, ... derivative]); lists in the structure of the value.

    >>> import numpy as np, camber as cb
    >>> cb.jet(np.sin, (0.0,), ([1.0, 0.0, 0.0],))
    (np.float64(0.0), [np.float64(1.0), np.float64(0.0), np.float64(-1.0)])
    """
    _pairs(primals, series, "jet")
    order = max((len(s) for s in series), default=0)
    scaled = []
    for point, terms in zip(primals, series):
        terms = [t / math.factorial(k + 1) if isinstance(t, Array) else np.asarray(t) / math.factorial(k + 1) for k, t in enumerate(terms)]
        stack = FUNCTIONS[np.stack] if any(isinstance(t, Array) for t in terms) else np.stack
        scaled.append(stack(terms) if terms else None)
    result = taylor(f, tuple(primals), tuple(scaled), max(order, 1))
    value = pytree.map(lambda c: c[0], result)
    return value, pytree.map(lambda c: [c[k] * math.factorial(k) for k in range(1, order + 1)], result)


def directional(f: Callable[..., Any], x: Any, directions: Sequence[Any], orders: Any) -> Any:
    """Derivatives of `f` at `x` of mixed order along directions.

    Parameters
    ----------
    x
        The one argument of f, a tree of floats.
    directions
        A list of trees like x.
    orders
        How often to differentiate along each direction, such as (2, 1); or a list of such tuples.

    Returns
    -------
    The derivative, of f's structure; a list of them for a list.

    >>> import numpy as np, camber as cb
    >>> e = np.eye(2)
    >>> round(float(cb.directional(lambda x: x[0]**2 * x[1]**3, np.array([1.0, 2.0]), [e[0], e[1]], (2, 1))), 9)
    24.0
    """
    single = len(orders) > 0 and isinstance(orders[0], (int, np.integer))
    wanted = [tuple(int(k) for k in o) for o in ([orders] if single else orders)]
    if not directions or not wanted:
        raise InvalidError("directional: give at least one direction and one tuple of orders")
    for o in wanted:
        if len(o) != len(directions):
            raise InvalidError(f"directional: orders {list(o)} for {len(directions)} directions")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        point, along = args
        placed = Placed((point,), (0,), fresh, "directional")
        outs, structure = _outputs(f(*placed.args), placed.tape)
        vectors = [n for v in along for n in tangent_nodes(placed, (point,), (v,))]
        flat = (ctypes.c_int32 * (len(wanted) * len(along)))(*[k for o in wanted for k in o])
        made = call(placed.tape, "directional", nodes(o._node for o in outs), len(outs), nodes(placed.inputs), len(placed.inputs), nodes(vectors), len(along),
                    flat, len(wanted), count=len(outs) * len(wanted))  # fmt: skip
        back = placed.arrays(made)
        trees = [pytree.unflatten(structure, back[w * len(outs) : (w + 1) * len(outs)]) for w in range(len(wanted))]
        return trees[0] if single else trees

    return _named(f, inner, "directional", (len(directions), single, tuple(wanted)))(x, list(directions))
