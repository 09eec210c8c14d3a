"""Branches and loops of unknown length in the program: cond, switch, while_loop, fori_loop, map."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError
from ._library import lib
from ._tape import Tape, cast, constant, current, lift, made, nodes, typed
from ._trace import is_number, recording
from .function import Function
from .loops import scan

_WEAK = (bool, int, float)


def _compiled(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """`call` outside of any trace: as a program of its own."""

    def inner(given: tuple[Any, ...], kwargs: dict[str, Any], fresh: bool) -> Any:
        return call(*given)

    inner.__name__ = name
    return Function(inner, inner=inner)(*args)


def _traced(*trees: Any) -> bool:
    return current() is not None or any_traced(pytree.leaves(trees))


def _input(tape: Tape, like: Any) -> Array:
    return Array(tape, tape.input(like.shape, like._code), like.shape, like._code)


def _is_weak(leaf: Any) -> bool:
    return type(leaf) in _WEAK or (isinstance(leaf, Array) and leaf._weak is not None)


def _code(leaf: Any) -> int:
    if isinstance(leaf, Array):
        return leaf._code
    return dt.promote([], [type(leaf)]) if type(leaf) in _WEAK else dt.code_of(np.asarray(leaf).dtype)


def _placed(leaf: Any, tape: Tape, code: int) -> int:
    """A leaf as a node of `tape`, weak ones in the dtype asked for."""
    if not isinstance(leaf, Array):
        leaf = constant(tape, leaf, code) if type(leaf) in _WEAK else lift(leaf, tape)
    return int(leaf._node) if leaf._code == code else tape.check(lib.cast(tape.handle, leaf._node, code))


# ---- Branches ------------------------------------------------------------------------------------------------------------


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """``true_fun(*operands) if pred else false_fun(*operands)``; both are traced, only the one taken runs.

    Parameters
    ----------
    pred
        A bool scalar. Where it is batched (vmap), both branches run and the results are selected.
    true_fun, false_fun
        Give trees of one structure, shapes and dtypes. They may read traced values from around them.
    operands
        Trees of arrays; leaves that are no numbers are passed as they are.

    >>> import camber as cb
    >>> cb.grad(lambda x: cb.cond(x > 0, lambda v: v * v, lambda v: -v, x))(3.0)
    np.float64(6.0)
    """
    if not _traced(pred, operands):
        return _compiled("cond", lambda p, *x: cond(p, true_fun, false_fun, *x), pred, *operands)
    outer = recording()
    p = lift(pred, outer)
    if p._code != dt.BOOL or p.shape != ():
        kind = DtypeError if p.shape == () else ShapeError
        raise kind(f"cond: the predicate is {dt.NAMES[p._code]}{list(p.shape)}, not a single bool; compare, or reduce with np.any or np.all "
                   "(np.where chooses element by element)")  # fmt: skip
    return _branches("cond", outer, p, [false_fun, true_fun], ["the false branch", "the true branch"], operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``; an index outside takes the nearest branch. Only the branch taken runs.

    >>> import camber as cb
    >>> [float(cb.switch(i, [lambda x: x, lambda x: x * x, lambda x: -x], 3.0)) for i in range(4)]
    [3.0, 9.0, -3.0, -3.0]
    """
    if not _traced(index, operands):
        return _compiled("switch", lambda i, *x: switch(i, branches, *x), index, *operands)
    outer = recording()
    i = lift(index, outer)
    if i._code not in (dt.I32, dt.I64) or i.shape != ():
        kind = DtypeError if i.shape == () else ShapeError
        raise kind(f"switch: the index is {dt.NAMES[i._code]}{list(i.shape)}, not a single i32 or i64")
    if not branches:
        raise InvalidError("switch: needs at least one branch")
    return _branches("switch", outer, i, branches, [f"branch {k}" for k in range(len(branches))], operands)


def _branches(name: str, outer: Tape, choice: Any, functions: Sequence[Callable[..., Any]], called: list[str], operands: tuple[Any, ...]) -> Any:
    leaves, tree = pytree.flatten(operands)
    leaves = [lift(leaf, outer) if is_number(leaf) else leaf for leaf in leaves]
    tapes: list[Tape] = []
    results: list[list[Any]] = []
    shape: pytree.Tree | None = None
    for function, what in zip(functions, called):
        with Tape(outer, branch=True) as tape:
            own = [Array(tape, lib.capture(tape.handle, v._node), v.shape, v._code, v._weak) if isinstance(v, Array) else v for v in leaves]
            out, structure = pytree.flatten(function(*pytree.unflatten(tree, own)))
            if shape is not None and structure != shape:
                raise InvalidError(f"{name}: {what} gives a tree {structure}, {called[0]} {shape}")
            shape = structure
            results.append([leaf if type(leaf) in _WEAK else lift(leaf, tape) for leaf in out])
        tapes.append(tape)
    count = len(results[0])
    codes = []
    for k in range(count):
        strong = next((r[k] for r in results if not _is_weak(r[k])), None)
        codes.append(_code(strong) if strong is not None else dt.promote([], [r[k]._weak if isinstance(r[k], Array) else type(r[k]) for r in results]))
        for r, what in zip(results, called):
            if not _is_weak(r[k]) and _code(r[k]) != codes[k] or getattr(r[k], "shape", ()) != getattr(results[0][k], "shape", ()):
                first = results[0][k]
                raise (DtypeError if getattr(r[k], "shape", ()) == getattr(first, "shape", ()) else ShapeError)(
                    f"{name}: result {k} is {_type(r[k])} in {what} and {_type(first)} in {called[0]}; they must be of one type")  # fmt: skip
    placed = [[_placed(leaf, tape, code) for leaf, code in zip(r, codes)] for r, tape in zip(results, tapes)]
    out_nodes = (ctypes.c_int64 * max(1, count))()
    if name == "cond":
        status = lib.cond(outer.handle, choice._node, tapes[1].handle, nodes(placed[1]), tapes[0].handle, nodes(placed[0]), count, out_nodes)
    else:
        handles = (ctypes.c_void_p * len(tapes))(*[tape.handle for tape in tapes])
        status = lib.switch(outer.handle, choice._node, len(tapes), handles, nodes([n for p in placed for n in p]), count, out_nodes)
    if status:
        outer.fail()
    assert shape is not None
    return pytree.unflatten(shape, [typed(outer, node) for node in list(out_nodes)[:count]])


def _type(leaf: Any) -> str:
    return f"{dt.NAMES[_code(leaf)]}{list(getattr(leaf, 'shape', ()))}"


# ---- Loops ---------------------------------------------------------------------------------------------------------------


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any, *, max_steps: int | None = None, slots: int = 0) -> Any:
    """``while cond_fun(x): x = body_fun(x)``; both are traced once.

    Parameters
    ----------
    cond_fun
        Gives a bool scalar. Where it is batched (vmap) the loop goes on while any element does; the others stay as they are.
    body_fun
        Keeps the carry's structure, shapes and dtypes.
    max_steps
        Ends the loop after so many steps, whatever cond_fun says.
    slots
        How many carries are kept at once in reverse mode; between them steps are run again by the binomial schedule. 0: as many as seem good.

    >>> import camber as cb
    >>> root = lambda a: cb.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a)
    >>> round(float(root(2.0)), 9), round(float(cb.grad(root)(2.0)), 9)
    (1.414213562, 0.353553391)
    """
    if not _traced(init_val):
        return _compiled("while_loop", lambda x: while_loop(cond_fun, body_fun, x, max_steps=max_steps, slots=slots), init_val)
    outer = recording()
    starts, tree = pytree.flatten(init_val)
    starts = [lift(leaf, outer) for leaf in starts]
    if not starts:
        raise InvalidError("while_loop: needs a carry; without any nothing could end it")
    limit = -1 if max_steps is None else int(max_steps)
    if limit < -1 or (max_steps is not None and limit < 0):
        raise InvalidError(f"while_loop: max_steps {max_steps}; 0 or more are taken")
    with Tape(outer) as body:
        carry = [_input(body, v) for v in starts]
        go = lift(cond_fun(pytree.unflatten(tree, carry)), body)
        if go._code != dt.BOOL or go.shape != ():
            kind = DtypeError if go.shape == () else ShapeError
            raise kind(f"while_loop: cond_fun gives {dt.NAMES[go._code]}{list(go.shape)}, not a single bool; compare, or reduce with np.any or np.all")
        ends = pytree.same(tree, body_fun(pytree.unflatten(tree, carry)), "while_loop: the new carry")
        for i, (end, start) in enumerate(zip(ends, starts)):
            value = constant(body, end, start._code) if type(end) in _WEAK else lift(end, body)
            value = cast(value, start._code) if _is_weak(value) else value
            if value._code != start._code or value.shape != start.shape:
                raise (DtypeError if value.shape == start.shape else ShapeError)(
                    f"while_loop: carry {i} begins as {_type(start)} and the body gives {_type(value)}; a carry keeps its type")
            ends[i] = value
    count = len(starts)
    out = (ctypes.c_int64 * count)()
    status = getattr(lib, "while")(outer.handle, body.handle, nodes(v._node for v in carry), go._node, nodes(v._node for v in ends), count,
                                   nodes(v._node for v in starts), limit, int(slots), out)  # fmt: skip
    if status:
        outer.fail()
    return pytree.unflatten(tree, [made(outer, node, v.shape, v._code) for node, v in zip(out, starts)])


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any, slots: int = 0) -> Any:
    """``for i in range(lower, upper): x = body_fun(i, x)``: a scan where the bounds are known, a while_loop where they are traced. slots as in those.

    >>> import camber as cb
    >>> cb.fori_loop(0, 4, lambda i, x: x * 2, 1.0)
    np.float64(16.0)
    >>> cb.grad(lambda x, n: cb.fori_loop(0, n, lambda i, y: y * x, 1.0))(2.0, 5)
    np.float64(80.0)
    """
    if not isinstance(lower, Array) and not isinstance(upper, Array):
        lower, upper = int(lower), int(upper)
        if upper <= lower:
            return init_val
        return scan(lambda carry, i: (body_fun(i, carry), None), init_val, np.arange(lower, upper), slots=slots)[0]
    outer = recording()
    start, end = (lift(bound, outer) for bound in (lower, upper))
    for value in (start, end):
        if value._code not in (dt.I32, dt.I64) or value.shape != ():
            raise (DtypeError if value.shape == () else ShapeError)(f"fori_loop: a bound is {_type(value)}, not a single i32 or i64")
    code = max(start._code, end._code) if start._code == end._code else dt.I64
    start, end = cast(start, code), cast(end, code)
    return while_loop(lambda c: c[0] < end, lambda c: (c[0] + 1, body_fun(c[0], c[1])), (start, init_val), slots=slots)[1]


def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """`f` of each slice of xs along the leading axes, results stacked.

    Parameters
    ----------
    batch_size
        Slices at once: 1 runs them one after the other, as many as there are all at once as vmap does. None chooses: all at once, in blocks
        where their intermediate results are large; one after the other where f has branches or loops of unknown length.

    >>> import numpy as np, camber as cb
    >>> cb.map(lambda x: x * x, np.arange(3.0))
    array([0., 1., 4.])
    """
    if not _traced(xs):
        return _compiled("map", lambda x: map(f, x, batch_size=batch_size), xs)
    outer = recording()
    parts, tree = pytree.flatten(xs)
    parts = [lift(leaf, outer) for leaf in parts]
    if any(part.ndim == 0 for part in parts) or not parts:
        raise ShapeError("map: xs are arrays with a leading axis" + (", not scalars" if parts else "; there is none"))
    sizes = {part.shape[0] for part in parts}
    if len(sizes) > 1:
        raise ShapeError(f"map: leading axes differ: {sorted(sizes)}")
    if batch_size is not None and int(batch_size) < 1:
        raise InvalidError(f"map: batch_size {batch_size}; 1 or more are taken")
    with Tape(outer) as body:
        slices = [Array(body, body.input(v.shape[1:], v._code), v.shape[1:], v._code) for v in parts]
        ys, structure = pytree.flatten(f(pytree.unflatten(tree, slices)))
        ys = [lift(leaf, body) for leaf in ys]
    out = (ctypes.c_int64 * max(1, len(ys)))()
    status = lib.map(outer.handle, body.handle, nodes(v._node for v in slices), nodes(v._node for v in ys), len(parts),
                     nodes(v._node for v in parts), len(ys), int(batch_size or 0), out)  # fmt: skip
    if status:
        outer.fail()
    return pytree.unflatten(structure, [typed(outer, node) for node in list(out)[: len(ys)]])
