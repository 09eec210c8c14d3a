"""Derivatives of functions: grad, value_and_grad, jvp, hvp, jacobian, hessian. They nest with each other to any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._errors import InvalidError, ShapeError
from ._library import constants
from ._tape import broadcast, cast, constant, lift, nodes, typed
from ._trace import Argnums, Placed, as_argnums, call, derived, is_number, on_tape, recording, scalar
from .function import Function

_MODES = {"auto": constants["CAMBER_AUTO"], "forward": constants["CAMBER_FORWARD"], "reverse": constants["CAMBER_REVERSE"],
          "elimination": constants["CAMBER_ELIMINATION"], "stagewise": constants["CAMBER_STAGEWISE"]}  # fmt: skip


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """A function that gives the value of `f` and its gradient.

    Parameters
    ----------
    f
        Gives a float scalar, or (scalar, aux) with `has_aux`.
    argnums
        The argument, or the tuple of arguments, to differentiate by; each may be a tree.

    Returns
    -------
    (value, gradient), or ((value, aux), gradient). The gradient has the argument's structure; a tuple of them for a tuple.

    >>> import numpy as np, camber as cb
    >>> cb.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        chosen = as_argnums(argnums, args, "grad")
        placed = Placed(args, chosen, fresh, "grad")
        result = f(*placed.args, **kwargs)
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise InvalidError("grad: with has_aux=True the function gives a pair (scalar, aux)")
            result, aux = result
        tape = placed.tape
        out = scalar(result, tape, "grad")
        slopes = call(tape, "grad", out._node, nodes(placed.inputs), len(placed.inputs), count=len(placed.inputs))
        extra, structure = pytree.flatten(aux if has_aux else ())
        extra = [on_tape(leaf, tape) if is_number(leaf) else leaf for leaf in extra]
        traced = [i for i, leaf in enumerate(extra) if isinstance(leaf, Array)]
        back = placed.arrays([out._node, *slopes, *[extra[i]._node for i in traced]])
        for i, leaf in zip(traced, back[1 + len(slopes) :]):
            extra[i] = leaf
        rest = iter(back[1 : 1 + len(slopes)])
        trees = tuple(_fill(tree, rest) for tree in placed.trees)
        gradient = trees[0] if isinstance(argnums, int) else trees
        value = (back[0], pytree.unflatten(structure, extra)) if has_aux else back[0]
        return value, gradient

    return _named(f, inner, "value_and_grad", (argnums if isinstance(argnums, int) else tuple(argnums), has_aux))


def _fill(tree: pytree.Tree, rest: Any) -> Any:
    return pytree.unflatten(tree, (next(rest) for _ in range(tree.size)))


def _named(f: Callable[..., Any], inner: Callable[..., Any], name: str, key: Any) -> Function:
    return derived(f, (name, key), lambda: Function(f, inner=inner))


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `f`; (gradient, aux) with `has_aux`. See value_and_grad.

    Keep the function that it gives: each is traced once and then runs compiled.

    >>> import numpy as np, camber as cb
    >>> cb.grad(lambda x, y: x * np.sin(y), argnums=(0, 1))(2.0, 0.0)
    (np.float64(0.0), np.float64(2.0))
    """
    both = value_and_grad(f, argnums, has_aux)

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        value, gradient = both._inner(args, kwargs, fresh)
        return (gradient, value[1]) if has_aux else gradient

    return _named(f, inner, "grad", (argnums if isinstance(argnums, int) else tuple(argnums), has_aux))


# ---- Forward -----------------------------------------------------------------------------------------------------------------


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of `f` at `primals` and its derivative along `tangents`.

    Parameters
    ----------
    primals, tangents
        Tuples with one entry an argument, of the same structure. Tangents of integers are None or anything: they count as zero.

    >>> import numpy as np, camber as cb
    >>> cb.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    _pairs(primals, tangents, "jvp")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        points, directions = args
        placed = Placed(points, range(len(points)), fresh, "jvp", floats=False)
        outs, structure = _outputs(f(*placed.args), placed.tape)
        along = tangent_nodes(placed, points, directions)
        real = [o for o in outs if o._code in dt.FLOATS]
        slopes = call(placed.tape, "jvp", nodes(o._node for o in real), len(real), nodes(placed.inputs), nodes(along),
                      len(along), count=len(real))  # fmt: skip
        back = placed.arrays([*[o._node for o in outs], *slopes])
        slope = iter(back[len(outs) :])
        dots = [next(slope) if o._code in dt.FLOATS else broadcast(constant(placed.tape, 0, o._code), o.shape) for o in outs]
        return pytree.unflatten(structure, back[: len(outs)]), pytree.unflatten(structure, dots)

    return _named(f, inner, "jvp", len(primals))(tuple(primals), tuple(tangents))  # type: ignore[no-any-return]


def _pairs(primals: Any, tangents: Any, what: str) -> None:
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise InvalidError(f"{what}: primals and tangents are tuples with one entry an argument, such as (x,), (v,)")
    if len(primals) != len(tangents):
        raise InvalidError(f"{what}: {len(primals)} primals and {len(tangents)} tangents")


def _outputs(result: Any, tape: Any) -> tuple[list[Any], pytree.Tree]:
    leaves, structure = pytree.flatten(result)
    return [on_tape(leaf, tape) for leaf in leaves], structure


def tangent_nodes(placed: Placed, points: Any, directions: Any) -> list[int]:
    """One tangent node for each input that was placed."""
    leaves = pytree.leaves(points)
    given = pytree.broadcast_prefix(directions, pytree.flatten(points)[1], "tangents")
    real = [(p, d) for p, d in zip(leaves, given) if is_number(p) and lift(p, placed.tape)._code in dt.FLOATS]
    return [_like(d, v, placed.tape, "tangent")._node for (_, d), v in zip(real, placed.values)]


def _like(direction: Any, value: Any, tape: Any, what: str) -> Any:
    if direction is None:
        return broadcast(constant(tape, 0, value._code), value.shape)
    direction = constant(tape, direction, value._code) if not isinstance(direction, Array) else cast(direction, value._code)
    if direction.shape != value.shape:
        raise ShapeError(f"{what}: shape {list(direction.shape)} where the value has {list(value.shape)}")
    return direction


def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The transpose of a function that is linear in all its float arguments: cotangents of its result to cotangents of `primals`, whose values do not matter.

    An operator that is not linear is an error that names it.

    >>> import numpy as np, camber as cb
    >>> cb.linear_transpose(np.cumsum, np.zeros(3))(np.array([1.0, 10.0, 100.0]))[0]
    array([111., 110., 100.])
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        points, cotangent = args
        placed = Placed(points, range(len(points)), fresh, "linear_transpose", floats=False)
        outs, structure = _outputs(f(*placed.args), placed.tape)
        given = pytree.broadcast_prefix(cotangent, structure, "cotangents")
        pairs = [(o, _like(c, o, placed.tape, "cotangent")) for o, c in zip(outs, given) if o._code in dt.FLOATS]
        back = call(placed.tape, "linear_transpose", nodes(o._node for o, _ in pairs), nodes(c._node for _, c in pairs), len(pairs), nodes(placed.inputs),
                    len(placed.inputs), count=len(placed.inputs))  # fmt: skip
        rest = iter(placed.arrays(back))
        return tuple(_fill(tree, rest) for tree in placed.trees)

    transposed = _named(f, inner, "linear_transpose", len(primals))
    return lambda cotangent: transposed(tuple(primals), cotangent)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """The Hessian of the scalar `f` at `x` times `v`: forward over reverse.

    Parameters
    ----------
    x, v
        Trees of the same structure; `f` takes x as its one argument.

    >>> import numpy as np, camber as cb
    >>> cb.hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        point, direction = args
        placed = Placed((point,), (0,), fresh, "hvp")
        out = scalar(f(*placed.args), placed.tape, "hvp")
        along = tangent_nodes(placed, point, direction)
        products = call(placed.tape, "hvp", out._node, nodes(placed.inputs), nodes(along), len(along), count=len(along))
        return _fill(placed.trees[0], iter(placed.arrays(products)))

    return _named(f, inner, "hvp", 0)(x, v)


# ---- Dense matrices -----------------------------------------------------------------------------------------------------------


def jacobian(f: Callable[..., Any], argnums: Argnums = 0, mode: str = "auto", has_aux: bool = False, *, method: str | None = None) -> Function:
    """A function that gives the Jacobian of `f`.

    Parameters
    ----------
    argnums
        As in grad.
    mode
        'forward' (a sweep for each input element), 'reverse' (one for each output element), 'auto': whichever are fewer, 'elimination':
        the vertices of the function's graph are eliminated in the cheapest order found, for straight-line functions of up to some
        thousand scalars (see elimination_cost), or 'stagewise': cut where few values cross, each stage in its cheaper direction.
    method
        'auto': the planner chooses at the first arguments of each kind, where it may run methods that are near each other; 'accurate': the
        method with the least predicted rounding error; or a method of cb.plan's table: mode's, and 'compressed_forward',
        'compressed_reverse', 'star_bicoloring'.

    Returns
    -------
    Blocks of shape output.shape + input.shape: the output's tree, each leaf replaced by the argument's tree of blocks.

    >>> import numpy as np, camber as cb
    >>> cb.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if method is not None:
        return _by_method(f, argnums, has_aux, "jacobian", method)
    if mode not in _MODES:
        raise InvalidError(f"jacobian: mode '{mode}' is none of {', '.join(_MODES)}")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        chosen = as_argnums(argnums, args, "jacobian")
        placed = Placed(args, chosen, fresh, "jacobian")
        result = f(*placed.args, **kwargs)
        result, aux = result if has_aux else (result, ())
        outs, structure = _outputs(result, placed.tape)
        count = len(placed.inputs)
        blocks = call(placed.tape, "jacobian", nodes(o._node for o in outs), len(outs), nodes(placed.inputs), count, _MODES[mode],
                      count=len(outs) * count)  # fmt: skip
        extras, extra = _outputs(aux, placed.tape)
        back = placed.arrays([*blocks, *[e._node for e in extras]])
        out = pytree.unflatten(structure, [_row(placed, back[i * count : (i + 1) * count], argnums) for i in range(len(outs))])
        return (out, pytree.unflatten(extra, back[len(blocks) :])) if has_aux else out

    return _named(f, inner, "jacobian", (argnums if isinstance(argnums, int) else tuple(argnums), mode, has_aux))


def _by_method(f: Callable[..., Any], argnums: Argnums, has_aux: bool, kind: str, method: str) -> Function:
    from .planner import METHODS, Planned, blocks_by

    chosen_by = argnums if isinstance(argnums, int) else tuple(argnums)
    plain = hessian(f, argnums) if kind == "hessian" else jacobian(f, argnums, "auto", has_aux)
    if method in ("auto", "accurate"):
        if has_aux:
            raise InvalidError(f"{kind}: method '{method}' takes no aux")
        return derived(f, (kind, method, chosen_by), lambda: Planned(f, argnums, kind == "hessian", method == "accurate", lambda m: _by_method(f, argnums, False, kind, m), plain))
    if method not in METHODS:
        raise InvalidError(f"{kind}: method '{method}' is none of auto, accurate, {', '.join(METHODS)}")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        chosen = as_argnums(argnums, args, kind)
        placed = Placed(args, chosen, fresh, kind)
        result = f(*placed.args, **kwargs)
        result, aux = result if has_aux else (result, ())
        outs, structure = _outputs(result, placed.tape) if kind == "jacobian" else ([scalar(result, placed.tape, kind)], None)
        count = len(placed.inputs)
        blocks = blocks_by(placed, kind, method, [o._node for o in outs])
        extras, extra = _outputs(aux, placed.tape)
        back = placed.arrays([*blocks, *[e._node for e in extras]])
        rows = [_row(placed, back[i * count : (i + 1) * count], argnums) for i in range(len(blocks) // max(count, 1))]
        if structure is None:
            return _row(placed, rows, argnums)
        out = pytree.unflatten(structure, rows)
        return (out, pytree.unflatten(extra, back[len(blocks) :])) if has_aux else out

    return _named(f, inner, kind, (chosen_by, has_aux, method))


def _row(placed: Placed, blocks: list[Any], argnums: Argnums) -> Any:
    rest = iter(blocks)
    trees = tuple(_fill(tree, rest) for tree in placed.trees)
    return trees[0] if isinstance(argnums, int) else trees


def jacfwd(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """`jacobian` in forward mode."""
    return jacobian(f, argnums, "forward", has_aux)


def jacrev(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """`jacobian` in reverse mode."""
    return jacobian(f, argnums, "reverse", has_aux)


def hessian(f: Callable[..., Any], argnums: Argnums = 0, *, method: str | None = None) -> Function:
    """A function that gives the Hessian of `f`: a tree of trees of blocks of shape (output.shape +) x.shape + x.shape.

    `method`, for a scalar `f`: 'auto' (the planner chooses, see cb.plan), 'accurate', 'forward', 'reverse', 'star' or 'elimination'.

    >>> import numpy as np, camber as cb
    >>> cb.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    if method is not None:
        return _by_method(f, argnums, False, "hessian", method)
    whole = jacobian(jacobian(f, argnums, "reverse"), argnums, "forward")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        chosen = as_argnums(argnums, args, "hessian")
        placed = Placed(args, chosen, fresh, "hessian")
        result = f(*placed.args, **kwargs)
        if not isinstance(result, Array) or result.shape != () or result._code not in dt.FLOATS:
            return whole._inner(args, kwargs, fresh)
        count = len(placed.inputs)
        blocks = call(placed.tape, "hessian", result._node, nodes(placed.inputs), count, count=count * count)
        back = placed.arrays(blocks)
        rows = [_row(placed, back[i * count : (i + 1) * count], argnums) for i in range(count)]
        return _row(placed, rows, argnums)

    return _named(f, inner, "hessian", argnums if isinstance(argnums, int) else tuple(argnums))


# ---- Policies ------------------------------------------------------------------------------------------------------------------


def stop_gradient(tree: Any) -> Any:
    """The same values, through which no derivative flows.

    >>> import camber as cb
    >>> cb.grad(lambda x: x * cb.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    from .ops import traced

    return pytree.map(lambda x: traced("stop_gradient", x) if isinstance(x, Array) and x._code != dt.BOOL else x, tree)


_KEEP = {"nothing": constants["CAMBER_KEEP_NOTHING"], "products": constants["CAMBER_KEEP_PRODUCTS"]}


def checkpoint(f: Callable[..., Any], keep: str = "nothing") -> Function:
    """f, whose derivatives do not keep what it computes but compute it again from its arguments.

    Parameters
    ----------
    f
        A function of trees of arrays. What it reads beside its arguments is kept as usual.
    keep
        "nothing", or "products": results of matrix products are kept, the rest is computed again.

    >>> import numpy as np, camber as cb
    >>> layer = cb.checkpoint(lambda x: np.sin(np.exp(x)))
    >>> cb.grad(lambda x: layer(layer(x)))(0.0) == cb.grad(lambda x: np.sin(np.exp(np.sin(np.exp(x)))))(0.0)
    np.True_
    """
    if keep not in _KEEP:
        raise InvalidError(f"checkpoint: keep is one of {', '.join(_KEEP)}, not {keep!r}")

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        tape = recording()
        inputs = [lift(leaf, tape) for leaf in pytree.leaves((args, kwargs)) if isinstance(leaf, Array)]
        leaves, tree = pytree.flatten(f(*args, **kwargs))
        at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Array)]
        values = [lift(leaves[i], tape) for i in at]
        made = call(tape, "checkpoint", nodes(v._node for v in values), len(values), nodes(v._node for v in inputs), len(inputs), _KEEP[keep], count=len(values))
        for i, node in zip(at, made):
            leaves[i] = typed(tape, node)
        return pytree.unflatten(tree, leaves)

    return _named(f, inner, "checkpoint", keep)


def precision(f: Callable[..., Any], compute: str = "bf16", output: str = "f32") -> Function:
    """`f` with its arguments in the dtypes they have, its operators in `compute` and its results in `output`.

    >>> import numpy as np, camber as cb
    >>> float(cb.precision(lambda x: x / 3, compute="f16")(np.float32(1)))
    0.333251953125
    """
    codes = dt.code_of(compute), dt.code_of(output)

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        placed = Placed(args, range(len(args)), fresh, "precision", floats=False)
        outs, structure = _outputs(f(*placed.args, **kwargs), placed.tape)
        results = call(placed.tape, "precision", nodes(o._node for o in outs), len(outs), nodes(placed.inputs),
                       len(placed.inputs), *codes, count=len(outs))  # fmt: skip
        return pytree.unflatten(structure, placed.arrays(results))

    return _named(f, inner, "precision", codes)


def simplify(f: Callable[..., Any]) -> Function:
    """`f` from fewer nodes: constants folded, common parts shared; the same bits."""

    def inner(args: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        tape = Placed((), (), True, "simplify").tape
        outs, structure = _outputs(f(*args, **kwargs), tape)
        results = call(tape, "simplify", nodes(o._node for o in outs), len(outs), count=len(outs))
        return pytree.unflatten(structure, [typed(tape, node) for node in results])

    return _named(f, inner, "simplify", 0)


