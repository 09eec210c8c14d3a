"""NumPy's reductions and scans along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import ACCUMULATE, FUNCTIONS, REDUCE, implements, own, with_dtype
from .._errors import DtypeError, InvalidError
from .._library import lib
from .._tape import cast, constant, i64s, lift, made, tape_of

Axis = Any


def axes_of(x: Any, axis: Axis, scalars: bool = False) -> tuple[int, ...]:
    """The axes meant, counted from the front and in order. With `scalars` an axis 0 or -1 of a scalar is none, as NumPy's reductions take it.

    Errors
    ------
    numpy.exceptions.AxisError
        For one outside, ValueError for a repeated one.
    """
    if axis is None or (scalars and x.ndim == 0 and axis in (0, -1)):
        return tuple(range(x.ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = tuple(np.lib.array_utils.normalize_axis_index(int(a), x.ndim) for a in given)
    if len(set(found)) != len(found):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(found))


def reduced_shape(x: Any, axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape that a reduction over axes leaves."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def reduce(name: str, x: Any, axis: Axis, keepdims: bool, code: int | None = None) -> Any:
    """One of the core's reductions."""
    axes = axes_of(x, axis, True)
    shape = reduced_shape(x, axes, keepdims)
    if not axes and name not in ("any", "all", "norm"):
        return x
    tape = tape_of((x,))
    node = getattr(lib, name)(tape.handle, x._node, i64s(axes), len(axes), int(keepdims))
    return made(tape, node, shape, x._code if code is None else code)


def _masked(x: Any, where: Any, identity: Any) -> Any:
    return x if where is True or where is np._NoValue else ops.traced("select", where, x, identity)


def _start(out: Any, initial: Any, row: str) -> Any:
    return out if initial is None or initial is np._NoValue else ops.traced(row, out, initial)


def _keep(keepdims: Any) -> bool:
    return keepdims is not np._NoValue and bool(keepdims)


def _whole(x: Any, dtype: Any) -> Any:
    """x in the dtype its sum has: the one asked for; i64 for smaller integers and bool."""
    x = lift(x)
    return with_dtype(x, dtype) if dtype is not None else (cast(x, dt.I64) if x._code in (dt.BOOL, dt.I32) else x)


@implements(np.sum)
def sum(a: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True) -> Any:
    """``np.sum``; the sum of bool counts."""
    return _start(reduce("sum", _masked(_whole(a, dtype), where, 0), axis, _keep(keepdims)), initial, "add")


@implements(np.prod)
def prod(a: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True) -> Any:
    """``np.prod``; its derivative is right where there are zeros."""
    return _start(reduce("prod", _masked(_whole(a, dtype), where, 1), axis, _keep(keepdims)), initial, "mul")


def _extreme(name: str) -> Callable[..., Any]:
    def call(a: Any, axis: Axis = None, keepdims: Any = False, initial: Any = None, where: Any = True) -> Any:
        if where is not True and where is not np._NoValue:
            if initial is None or initial is np._NoValue:
                raise ValueError(f"{name}: where= wants initial=")
            a = ops.traced("select", where, a, initial)
        if (initial is None or initial is np._NoValue) and not math.prod(a.shape[i] for i in axes_of(a, axis, True)):
            raise ValueError(f"zero-size array to reduction operation {name}imum which has no identity")
        if a._code == dt.BOOL:
            return reduce("any" if name == "max" else "all", a, axis, _keep(keepdims))
        return _start(reduce(name, a, axis, _keep(keepdims)), initial, name + "imum")

    call.__name__ = name
    call.__doc__ = f"``np.{name}``; NaN wins, and ties share the gradient."
    return call


max = amax = implements(np.max)(_extreme("max"))
min = amin = implements(np.min)(_extreme("min"))
FUNCTIONS[np.amax], FUNCTIONS[np.amin] = FUNCTIONS[np.max], FUNCTIONS[np.min]


def _test(name: str, neutral: bool) -> Callable[..., Any]:
    def call(a: Any, axis: Axis = None, keepdims: Any = False, *, where: Any = True) -> Any:
        a = _masked(cast(lift(a), dt.BOOL), where, neutral)
        return reduce(name, a, axis, _keep(keepdims)) if axes_of(a, axis, True) else a

    call.__name__ = name
    call.__doc__ = f"``np.{name}``."
    return call


any = implements(np.any)(_test("any", False))
all = implements(np.all)(_test("all", True))


def _count(a: Any, axis: Axis, where: Any) -> Any:
    if where is True or where is np._NoValue:
        return math.prod(a.shape[i] for i in axes_of(a, axis, True))
    shape = FUNCTIONS[np.broadcast_to](where, a.shape) if hasattr(where, "_tape") else np.broadcast_to(where, a.shape)
    return np.sum(shape, axis=tuple(axes_of(a, axis)))


def _float(a: Any, dtype: Any = None) -> Any:
    a = lift(a)
    return with_dtype(a, dtype) if dtype is not None else (a if a._code in dt.FLOATS else cast(a, dt.F64))


@implements(np.mean)
def mean(a: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, *, where: Any = True) -> Any:
    """``np.mean``."""
    a = _float(a, dtype)
    axes_of(a, axis)  # a scalar has none, other than for a sum
    return _mean(a, axis, keepdims, where)


def _mean(a: Any, axis: Axis, keepdims: Any, where: Any) -> Any:
    if where is True or where is np._NoValue:
        return reduce("mean", a, axis, _keep(keepdims))
    total = sum(a, axis=axis, keepdims=_keep(keepdims), where=where)
    count = np.sum(FUNCTIONS[np.broadcast_to](where, a.shape) if hasattr(where, "_tape") else np.broadcast_to(where, a.shape),
                   axis=axes_of(a, axis, True), keepdims=_keep(keepdims))  # fmt: skip
    return total / (cast(count, a._code) if hasattr(count, "_tape") else constant(a._tape, count, a._code))


@implements(np.var)
def var(
    a: Any, axis: Axis = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, *, where: Any = True, mean: Any = None, correction: Any = None
) -> Any:
    """``np.var``: two passes."""
    a = _float(a, dtype)
    ddof = correction if correction not in (None, np._NoValue) else ddof
    center = mean if mean is not None and mean is not np._NoValue else FUNCTIONS[np.mean](a, axis=axis, keepdims=True, where=where)
    spread = ops.traced("square", a - center)
    count = _count(a, axis, where)
    total = sum(spread, axis=axis, keepdims=_keep(keepdims), where=where)
    if isinstance(count, int):
        return total / float(count - ddof) if count > ddof else total / 0.0
    return total / cast(lift(count - ddof), a._code)


@implements(np.std)
def std(a: Any, axis: Axis = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, **rest: Any) -> Any:
    """``np.std``; the gradient where all are equal is 0."""
    a = _float(a, dtype)
    correction = rest.get("correction")
    extra = correction if correction not in (None, np._NoValue) else ddof
    if rest.get("where", True) is not True:
        return ops.traced("sqrt", var(a, axis, None, ddof, keepdims, **rest))
    center = rest.get("mean")
    center = FUNCTIONS[np.mean](a, axis=axis, keepdims=True) if center is None or center is np._NoValue else center
    return norm(a - center, axis, _keep(keepdims)) / math.sqrt(_count(a, axis, True) - extra)


def norm(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Euclidean length along axes, scaled against overflow; the gradient at 0 is 0."""
    a = _float(a)
    return reduce("norm", a, axis, keepdims) if axes_of(a, axis, True) else ops.traced("abs", a)


@own
def logsumexp(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """log(sum(exp(a))), shifted by the maximum; all -inf gives -inf with gradient 0."""
    return reduce("logsumexp", _float(a), axis, keepdims)


def _place(name: str) -> Callable[..., Any]:
    def call(a: Any, axis: int | None = None, *, keepdims: Any = False) -> Any:
        flat = a.reshape(-1) if axis is None else a
        (at,) = axes_of(flat, 0 if axis is None else axis)
        flat = cast(flat, dt.I32) if flat._code == dt.BOOL else flat
        tape = tape_of((flat,))
        out = made(tape, getattr(lib, name)(tape.handle, flat._node, at), flat.shape[:at] + flat.shape[at + 1 :], dt.I64)
        return out.reshape(reduced_shape(a, axes_of(a, axis), True)) if _keep(keepdims) else out

    call.__name__ = name
    call.__doc__ = f"``np.{name}``: the first place; NaN wins. Derivative zero."
    return call


argmax = implements(np.argmax)(_place("argmax"))
argmin = implements(np.argmin)(_place("argmin"))


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """``np.cumsum``."""
    return running_sum(_whole(a, dtype), axis, False)


def running_sum(a: Any, axis: int | None, reverse: bool) -> Any:
    """The sum so far, from the front or from the end."""
    a = a.reshape(-1) if axis is None else a
    (at,) = axes_of(a, 0 if axis is None else axis)
    tape = tape_of((a,))
    return made(tape, lib.cumsum(tape.handle, a._node, at, int(reverse)), a.shape, a._code)


@implements(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """``np.cumprod``; its derivative is right where there are zeros."""
    return running("cumprod", _whole(a, dtype), axis)


def running(name: str, a: Any, axis: int | None) -> Any:
    """One of the core's running results, from the front."""
    a = a.reshape(-1) if axis is None else a
    (at,) = axes_of(a, 0 if axis is None else axis)
    tape = tape_of((a,))
    return made(tape, getattr(lib, name)(tape.handle, a._node, at, 0), a.shape, a._code)


@implements(np.cumulative_sum)
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """``np.cumulative_sum``."""
    out = cumsum(x, 0 if axis is None else axis, dtype)
    if not include_initial:
        return out
    (at,) = axes_of(out, 0 if axis is None else axis)
    start = FUNCTIONS[np.zeros_like](FUNCTIONS[np.take](out, np.array([0]), axis=at))
    return FUNCTIONS[np.concatenate]([start, out], axis=at)


def _nan(name: str, identity: float) -> Callable[..., Any]:
    def call(a: Any, axis: Axis = None, keepdims: Any = False, **rest: Any) -> Any:
        if a._code not in dt.FLOATS:
            return FUNCTIONS[getattr(np, name)](a, axis=axis, keepdims=keepdims, **rest)
        return FUNCTIONS[getattr(np, name)](ops.traced("select", ops.traced("isnan", a), identity, a), axis=axis, keepdims=keepdims, **rest)

    call.__name__ = f"nan{name}"
    call.__doc__ = f"``np.nan{name}``."
    return call


nansum = implements(np.nansum)(_nan("sum", 0.0))
nanprod = implements(np.nanprod)(_nan("prod", 1.0))
nanmax = implements(np.nanmax)(_nan("max", -math.inf))
nanmin = implements(np.nanmin)(_nan("min", math.inf))


@implements(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """``np.nancumsum``."""
    return cumsum(FUNCTIONS[np.nan_to_num](a, nan=0.0, posinf=math.inf, neginf=-math.inf), axis, dtype)


@implements(np.nanmean)
def nanmean(a: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False) -> Any:
    """``np.nanmean``."""
    a = lift(a)
    if a._code not in dt.FLOATS:
        return mean(a, axis, dtype, keepdims)
    return _mean(_float(a, dtype), axis, keepdims, ops.traced("logical_not", ops.traced("isnan", a)))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Axis = None, *, keepdims: Any = False) -> Any:
    """``np.count_nonzero``."""
    return sum(cast(lift(a), dt.BOOL), axis=axis, keepdims=keepdims)


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, keepdims: Any = False) -> Any:
    """``np.ptp``: largest less smallest."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@implements(np.average)
def average(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """``np.average``."""
    a = _float(a)
    if weights is None:
        if returned:
            raise InvalidError("average: returned=True wants weights")
        return mean(a, axis=axis, keepdims=keepdims)
    weights = lift(weights)
    if weights.shape != a.shape:
        (at,) = axes_of(a, axis)
        weights = weights.reshape(tuple(n if i == at else 1 for i, n in enumerate(a.shape)))
        weights = FUNCTIONS[np.broadcast_to](weights, a.shape)
    total = sum(weights, axis=axis, keepdims=keepdims)
    out = sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (out, total) if returned else out


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """``np.array_equal``, as a traced bool."""
    if np.shape(a1) != np.shape(a2):
        return False
    same = ops.traced("eq", a1, a2)
    if equal_nan:
        same = ops.traced("logical_or", same, ops.traced("logical_and", ops.traced("isnan", a1), ops.traced("isnan", a2)))
    return all(same)


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """``np.allclose``, as a traced bool."""
    return all(FUNCTIONS[np.isclose](a, b, rtol, atol, equal_nan))


def _only_floats(x: Any, name: str) -> None:
    if x._code not in dt.FLOATS:
        raise DtypeError(f"{name}: takes floats, not {dt.NAMES[x._code]}")


REDUCE.update({np.add: sum, np.multiply: prod, np.maximum: FUNCTIONS[np.max], np.minimum: FUNCTIONS[np.min],
               np.logical_and: all, np.logical_or: any, np.logaddexp: logsumexp})  # fmt: skip
ACCUMULATE.update({np.add: lambda a, axis=0, **_: cumsum(a, axis), np.multiply: lambda a, axis=0, **_: cumprod(a, axis),
                   np.maximum: lambda a, axis=0, **_: running("cummax", a, axis),
                   np.minimum: lambda a, axis=0, **_: running("cummin", a, axis)})  # fmt: skip
