"""linearize and vjp: the point part once, any number of products after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import InvalidError, error
from ._library import lib
from ._tape import Tape, broadcast, constant, current, lift, nodes
from ._trace import Placed, call, is_number, on_tape
from .function import Function, leaf_key
from .program import input_array, pointers
from .transforms import _like, _outputs, tangent_nodes


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Any]:
    """The value of `f` at `primals`, and its derivative there as a linear function.

    Returns
    -------
    (y, lin): ``lin(*tangents)`` gives the tangent of y, ``lin.T(cotangent)`` the tuple of the primals' cotangents. Neither
    runs `f` again.

    >>> import numpy as np, camber as cb
    >>> y, lin = cb.linearize(np.sin, 0.0)
    >>> lin(2.0), lin.T(3.0)
    (np.float64(2.0), (np.float64(3.0),))
    """
    if current() is not None or any_traced(pytree.leaves(primals)):
        traced = _Traced(f, primals)
        return traced.value, traced
    held = _Held(f, primals)
    return held.value, held


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `f` at `primals`, and its pullback: ``pullback(cotangent)`` gives the tuple of the primals' cotangents.

    With `has_aux`, f gives (y, aux) and the result is (y, pullback, aux).

    >>> import numpy as np, camber as cb
    >>> y, pullback = cb.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pullback(1.0)
    (np.float64(3.0), np.float64(2.0))
    """
    if has_aux:
        aux: list[Any] = []

        def main(*args: Any) -> Any:
            y, extra = f(*args)
            aux.append(extra)
            return y

        if current() is None and not any_traced(pytree.leaves(primals)):
            y, lin = linearize(main, *primals)
            return y, lin.T, Function(lambda *args: f(*args)[1])(*primals)
        placed = _Traced(main, primals)
        leaves, tree = pytree.flatten(aux[0])
        back = placed.placed.arrays([on_tape(leaf, placed.placed.tape)._node for leaf in leaves])
        return placed.value, placed.T, pytree.unflatten(tree, back)
    y, lin = linearize(f, *primals)
    return y, lin.T


class _Traced:
    """A linear function on the tape being recorded."""

    def __init__(self, f: Callable[..., Any], primals: tuple[Any, ...]) -> None:
        self.primals = primals
        self.placed = Placed(primals, range(len(primals)), False, "linearize", floats=False)
        self.outs, self.tree = _outputs(f(*self.placed.args), self.placed.tape)
        self.real = [o for o in self.outs if o._code in dt.FLOATS]
        self.value = pytree.unflatten(self.tree, self.placed.arrays([o._node for o in self.outs]))

    def __call__(self, *tangents: Any) -> Any:
        placed = self.placed
        along = tangent_nodes(placed, self.primals, tangents)
        slopes = call(placed.tape, "jvp", nodes(o._node for o in self.real), len(self.real), nodes(placed.inputs), nodes(along),
                      len(along), count=len(self.real))  # fmt: skip
        rest = iter(placed.arrays(slopes))
        return pytree.unflatten(self.tree, [next(rest) if o._code in dt.FLOATS else _zero(placed.tape, o) for o in self.outs])

    def T(self, cotangents: Any) -> Any:
        """The transpose: cotangents of the primals, a tuple."""
        placed = self.placed
        given = pytree.broadcast_prefix(cotangents, self.tree, "cotangents")
        backs = [_like(c, o, placed.tape, "cotangent")._node for c, o in zip(given, self.outs) if o._code in dt.FLOATS]
        slopes = call(placed.tape, "vjp", nodes(o._node for o in self.real), nodes(backs), len(backs), nodes(placed.inputs),
                      len(placed.inputs), count=len(placed.inputs))  # fmt: skip
        return _as_primals(self.primals, iter(placed.arrays(slopes)), lambda leaf: _zero(placed.tape, lift(leaf, placed.tape)))


def _zero(tape: Tape, like: Any) -> Any:
    return broadcast(constant(tape, 0, like._code), like.shape)


def _is_real(leaf: Any) -> bool:
    if isinstance(leaf, Array):
        return leaf._code in dt.FLOATS
    return is_number(leaf) and dt.code_of(np.asarray(leaf).dtype) in dt.FLOATS


def _as_primals(primals: tuple[Any, ...], rest: Any, zero: Callable[[Any], Any]) -> Any:
    leaves, tree = pytree.flatten(primals)
    return pytree.unflatten(tree, [next(rest) if _is_real(leaf) else (zero(leaf) if is_number(leaf) else None) for leaf in leaves])


class _Held:
    """A linear function held by the core: its own workspace keeps what the products need."""

    def __init__(self, f: Callable[..., Any], primals: tuple[Any, ...]) -> None:
        self.primals = primals
        points, tree = pytree.flatten((primals, {}))
        traced = f if isinstance(f, Function) else Function(f)
        keys = tuple([leaf_key(leaf) for leaf in points])
        tape, inputs, places, result = traced._trace(tree, keys)
        outs, self.tree = pytree.flatten(result)
        self.types = [(o.shape, o._code) for o in outs]
        self.real = [i for i, o in enumerate(outs) if o._code in dt.FLOATS]
        floating = [k for k, x in enumerate(inputs) if x._code in dt.FLOATS]
        if len(floating) != len(inputs):
            raise InvalidError("linearize: integer and bool arguments belong in a closure: f = lambda x: g(x, indices)")
        self.inputs = [(x.shape, x._code) for x in inputs]
        self.handle = lib.linear_new(tape.handle, nodes(x._node for x in inputs), len(inputs), nodes(o._node for o in outs), len(outs))
        if not self.handle:
            tape.fail()
        values = self._run(lib.linear_at, [points[i] for i in places], self.inputs, self.types)
        self.value = pytree.unflatten(self.tree, values)

    def __del__(self, free: Any = lib.linear_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _run(self, entry: Any, given: list[Any], kinds: list[Any], results: list[Any]) -> list[Any]:
        arrays = [_exact(a, kind) for a, kind in zip(given, kinds)]
        out = [np.empty(shape, dt.NUMPY[code]) for shape, code in results]
        status = entry(self.handle, pointers(arrays), pointers(out))
        if status < 0:
            raise error(status, lib.linear_message(self.handle).decode())
        return [a[()] if a.ndim == 0 else a for a in out]

    def __call__(self, *tangents: Any) -> Any:
        points, tree = pytree.flatten(self.primals)
        given = [d for d, p in zip(pytree.broadcast_prefix(tangents, tree, "tangents"), points) if is_number(p)]
        given = [np.zeros(s, dt.NUMPY[c]) if g is None else g for g, (s, c) in zip(given, self.inputs)]
        return pytree.unflatten(self.tree, self._run(lib.linear_jvp, given, self.inputs, self.types))

    def T(self, cotangents: Any) -> Any:
        """The transpose: cotangents of the primals, a tuple."""
        given = pytree.broadcast_prefix(cotangents, self.tree, "cotangents")
        given = [np.zeros(s, dt.NUMPY[c]) if g is None else g for g, (s, c) in zip(given, self.types)]
        back = self._run(lib.linear_vjp, given, self.types, self.inputs)
        return _as_primals(self.primals, iter(back), lambda leaf: None)


def _exact(value: Any, kind: tuple[tuple[int, ...], int]) -> Any:
    shape, code = kind
    array = np.asarray(value)
    if code in dt.FLOATS and code != dt.BF16 and array.dtype != dt.NUMPY[code] and array.ndim == 0:
        array = array.astype(dt.NUMPY[code])
    return input_array(array, kind, "argument")
