"""NumPy's sorting, searching, counting and order statistics, and what Camber has beside them."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _dtypes as dt
from .. import ops
from .._dispatch import FUNCTIONS, implements, own
from .._errors import DtypeError
from .._indexing import gather
from .._library import lib
from .._tape import broadcast, cast, constant, joint, lift, made, tape_of
from .._tape import reshape as _reshape
from .reductions import _float, _keep, axes_of, reduced_shape
from .shapes import _axis, _part, moveaxis, ravel

# ---- Sorting ---------------------------------------------------------------------------------------------------------------


def _along(name: str, a: Any, axis: int, flag: bool, code: int | None = None) -> Any:
    tape = tape_of((a,))
    return made(tape, getattr(lib, name)(tape.handle, a._node, axis, int(flag)), a.shape, a._code if code is None else code)


def _line(a: Any, axis: int | None) -> tuple[Any, int]:
    a = lift(a)
    return (ravel(a), 0) if axis is None else (a, _axis(axis, a.ndim))


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: bool = False) -> Any:
    """``np.sort``: NaN last. `descending` is Camber's own: the exact reverse."""
    return _along("sort", *_line(a, axis), descending)


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: bool = False) -> Any:
    """``np.argsort``, always stable. Derivative zero."""
    return _along("argsort", *_line(a, axis), descending, dt.I64)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """``np.partition``: sorted altogether, which is a partition everywhere."""
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """``np.argpartition``: that of the whole order."""
    return argsort(a, axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """``np.lexsort``: the last key first in rank."""
    keys = [lift(k) for k in keys] if isinstance(keys, (list, tuple)) else [keys[i] for i in range(keys.shape[0])]
    at = argsort(keys[0], axis)
    for key in keys[1:]:
        at = FUNCTIONS[np.take_along_axis](at, argsort(FUNCTIONS[np.take_along_axis](key, at, axis), axis), axis)
    return at


@own
def top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The k largest (smallest) along an axis, best first, and where they stand.

    >>> import numpy as np, camber.numpy as cnp
    >>> cnp.top_k(np.array([3.0, 9.0, 4.0]), 2)
    (array([9., 4.]), array([1, 2]))
    """
    x = lift(x)
    at, tape = _axis(axis, x.ndim), tape_of((x,))
    values, places = ctypes.c_int64(), ctypes.c_int64()
    if lib.top_k(tape.handle, x._node, int(k), at, int(largest), ctypes.byref(values), ctypes.byref(places)):
        tape.fail()
    shape = (*x.shape[:at], int(k), *x.shape[at + 1 :])
    return made(tape, values.value, shape, x._code), made(tape, places.value, shape, dt.I64)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """``np.searchsorted``. Derivative zero."""
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right' (got {side!r})")
    (a, v), _ = joint([a, v])
    if a.ndim != 1:
        raise ValueError("object too deep for desired array")
    if sorter is not None:
        a = FUNCTIONS[np.take](a, sorter)
    tape = tape_of((a, v))
    return made(tape, lib.searchsorted(tape.handle, a._node, v._node, int(side == "right")), v.shape, dt.I64)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """``np.digitize``. Bins that are constants may fall; traced ones rise."""
    if not hasattr(bins, "_tape"):
        bins = np.asarray(bins)
        steps = np.diff(bins)
        if (steps < 0).any():
            if (steps > 0).any():
                raise ValueError("bins must be monotonically increasing or decreasing")
            return len(bins) - searchsorted(bins[::-1].copy(), x, "right" if right else "left")
    return searchsorted(bins, x, "left" if right else "right")


@implements(np.isin)
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None) -> Any:
    """``np.isin``: NaN equals nothing."""
    (x, wanted), _ = joint([element, test_elements])
    tape = tape_of((x, wanted))
    out = made(tape, lib.isin(tape.handle, x._node, wanted._node), x.shape, dt.BOOL)
    return ops.traced("logical_not", out) if invert else out


@own
def duplicated(x: Any, axis: int | None = None) -> Any:
    """Which elements equal an earlier one along an axis (None: of the whole): np.unique's work in a shape that is known.

    >>> import numpy as np, camber.numpy as cnp
    >>> cnp.duplicated(np.array([3, 1, 3, 3]))
    array([False, False,  True,  True])
    """
    x = lift(x)
    line, at = _line(x, axis)
    tape = tape_of((line,))
    return _reshape(made(tape, lib.duplicated(tape.handle, line._node, at), line.shape, dt.BOOL), x.shape)


# ---- Order statistics ------------------------------------------------------------------------------------------------------


def _lines(a: Any, axis: Any, keepdims: bool) -> tuple[Any, tuple[int, ...]]:
    """The axes as one, last; and the shape that stays."""
    axes = axes_of(a, axis)
    rest = [i for i in range(a.ndim) if i not in axes]
    moved = FUNCTIONS[np.transpose](a, rest + list(axes))
    lead = tuple(a.shape[i] for i in rest)
    return _reshape(moved, (*lead, math.prod(a.shape[i] for i in axes))), reduced_shape(a, axes, keepdims)


_METHODS: dict[str, Callable[[float, int], float]] = {
    "linear": lambda q, n: q * (n - 1), "lower": lambda q, n: math.floor(q * (n - 1)), "higher": lambda q, n: math.ceil(q * (n - 1)),
    "midpoint": lambda q, n: (math.floor(q * (n - 1)) + math.ceil(q * (n - 1))) / 2, "nearest": lambda q, n: float(np.round(q * (n - 1))),
    "hazen": lambda q, n: n * q - 0.5, "weibull": lambda q, n: (n + 1) * q - 1,
    "median_unbiased": lambda q, n: (n + 1 / 3) * q - 2 / 3, "normal_unbiased": lambda q, n: (n + 0.25) * q - 0.625,
    "interpolated_inverted_cdf": lambda q, n: n * q - 1,
}  # fmt: skip


def _mixed(s: Any, low: Any, t: Any) -> Any:
    """Between neighbours of a sorted last axis, at constants."""
    a = gather(s, low, s.ndim - 1)
    if not np.any(t):
        return a
    b = gather(s, np.minimum(low + 1, s.shape[-1] - 1), s.ndim - 1)
    weight = constant(s._tape, t, s._code)
    # As NumPy: from the nearer end.
    near = ops.traced("add", a, ops.traced("mul", ops.traced("sub", b, a), weight))
    far = ops.traced("sub", b, ops.traced("mul", ops.traced("sub", b, a), ops.traced("sub", 1.0, weight)))
    return ops.traced("select", t >= 0.5, far, near)


def _quantile(a: Any, q: Any, axis: Any, method: str, keepdims: bool, ignore: bool) -> Any:
    a = lift(a)
    whole = a._code in dt.INTEGERS and method in ("lower", "higher", "nearest") and not ignore
    a = a if whole else _float(a)
    if hasattr(q, "_tape"):
        raise TypeError("quantile: q is a constant; traced quantiles are not taken")
    if method not in _METHODS:
        raise TypeError(f"quantile: method {method!r} is not traced; {', '.join(_METHODS)} are")
    q = np.asarray(q, np.float64)
    if (q < 0).any() or (q > 1).any():
        raise ValueError("Quantiles must be in the range [0, 1]")
    x, shape = _lines(a, axis, keepdims)
    n = x.shape[-1]
    if n == 0:
        return broadcast(constant(x._tape, math.nan, x._code), (*q.shape, *shape))
    s = sort(x)
    if ignore:
        out = _counted(s, q.reshape(-1), method)
    else:
        at = np.clip([_METHODS[method](float(v), n) for v in q.reshape(-1)], 0, n - 1)
        low = np.floor(at).astype(np.int64)
        out = _mixed(s, low, at - low)
        if whole:
            return _reshape(moveaxis(out, -1, 0), (*q.shape, *shape))
        bad = ops.traced("isnan", gather(s, np.array([n - 1]), s.ndim - 1))  # a NaN comes last
        out = ops.traced("select", bad, math.nan, out)
    return _reshape(moveaxis(out, -1, 0), (*q.shape, *shape))


def _counted(s: Any, q: Any, method: str) -> Any:
    """Of lines that end in NaNs, as if these were not there."""
    if method != "linear":
        raise TypeError(f"nanquantile: method {method!r} is not traced; linear is")
    live = FUNCTIONS[np.sum](ops.traced("logical_not", ops.traced("isnan", s)), axis=-1, keepdims=True)
    top = ops.traced("maximum", live - 1, 0)
    at = ops.traced("mul", constant(s._tape, q, s._code), cast(top, s._code))
    low = cast(ops.traced("floor", at), dt.I64)
    t = ops.traced("sub", at, cast(low, s._code))
    take = FUNCTIONS[np.take_along_axis]
    a, b = take(s, low, -1), take(s, ops.traced("minimum", low + 1, top), -1)
    step = ops.traced("sub", b, a)
    near = ops.traced("add", a, ops.traced("mul", step, t))
    far = ops.traced("sub", b, ops.traced("mul", step, ops.traced("sub", 1.0, t)))
    return ops.traced("select", ops.traced("ge", t, 0.5), far, near)


def _statistic(name: str, scale: float, ignore: bool) -> Callable[..., Any]:
    def call(a: Any, q: Any, axis: Any = None, overwrite_input: bool = False, method: str = "linear", keepdims: Any = False, *, weights: Any = None) -> Any:
        if weights is not None:
            raise TypeError(f"{name}: weights= is not traced")
        return _quantile(a, q if hasattr(q, "_tape") else np.true_divide(q, scale), axis, method, _keep(keepdims), ignore)

    call.__name__ = name
    call.__doc__ = f"``np.{name}`` for constant q; the derivative goes to the elements between which it lies."
    return call


quantile = implements(np.quantile)(_statistic("quantile", 1, False))
percentile = implements(np.percentile)(_statistic("percentile", 100, False))
nanquantile = implements(np.nanquantile)(_statistic("nanquantile", 1, True))
nanpercentile = implements(np.nanpercentile)(_statistic("nanpercentile", 100, True))


@implements(np.median)
def median(a: Any, axis: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """``np.median``: NaN where there is one."""
    x, shape = _lines(_float(a), axis, _keep(keepdims))
    n = x.shape[-1]
    if n == 0:
        return broadcast(constant(x._tape, math.nan, x._code), shape)
    s = sort(x)
    middle = FUNCTIONS[np.mean](_part(s, s.ndim - 1, (n - 1) // 2, n // 2 + 1), axis=-1)
    bad = ops.traced("isnan", FUNCTIONS[np.take](s, n - 1, axis=-1))
    return _reshape(ops.traced("select", bad, math.nan, middle), shape)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """``np.nanmedian``."""
    return _quantile(a, 0.5, axis, "linear", _keep(keepdims), True)


# ---- Counting --------------------------------------------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Any:
    """``np.bincount``. The length must be known: `length`, else minlength, which then no element may reach."""
    x = lift(x)
    size = length if length is not None else int(minlength)
    if size <= 0:
        raise TypeError("bincount: the result's length depends on x; give minlength= (larger than every element)")
    if x._code not in dt.INTEGERS:
        raise TypeError("Cannot cast array data to int64: bincount takes integers")
    tape = tape_of((x, weights))
    w = None if weights is None else cast(lift(weights), dt.F64)
    return made(tape, lib.bincount(tape.handle, x._node, -1 if w is None else w._node, size), (size,), dt.I64 if w is None else dt.F64)


def _edges(bins: Any, low_high: Any, name: str) -> Any:
    if hasattr(bins, "_tape"):
        return bins
    if np.ndim(bins) == 0:
        if low_high is None or isinstance(bins, str):
            raise TypeError(f"{name}: the edges would depend on the data; give bins as edges, or a count with range=(low, high)")
        return np.linspace(float(low_high[0]), float(low_high[1]), int(bins) + 1)
    return np.asarray(bins)


def _cells(x: Any, edges: Any) -> tuple[Any, Any]:
    """The bin of each element, and which are in one; the last bin has its upper edge."""
    last = edges.shape[0] - 1
    at = searchsorted(edges, x, "right") - 1
    inside = ops.traced("logical_and", ops.traced("ge", x, edges[0]), ops.traced("le", x, edges[last]))
    return ops.traced("clamp", at, 0, max(last - 1, 0)), inside


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any]:  # noqa: A002
    """``np.histogram`` with edges that do not depend on a. Linear in the weights, derivative zero in a."""
    counts, (edges,) = _histogram([ravel(lift(a))], [_edges(bins, range, "histogram")], density, None if weights is None else ravel(lift(weights)))
    return counts, edges


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any, Any]:  # noqa: A002
    """``np.histogram2d``, likewise."""
    pair = list(bins) if isinstance(bins, (list, tuple)) and len(bins) == 2 else [bins, bins]
    edges = [_edges(b, None if range is None else range[i], "histogram2d") for i, b in enumerate(pair)]
    counts, edges = _histogram([lift(x), lift(y)], edges, density, weights)
    return cast(counts, dt.F64), edges[0], edges[1]


def _histogram(parts: list[Any], edges: list[Any], density: Any, weights: Any) -> tuple[Any, list[Any]]:
    sizes = [e.shape[0] - 1 for e in edges]
    total: Any = None
    fits: Any = None
    for x, e, size in zip(parts, edges, sizes):
        at, inside = _cells(x, e)
        total = at if total is None else total * size + at
        fits = inside if fits is None else ops.traced("logical_and", fits, inside)
    if weights is None:
        w = cast(fits, dt.I64)
    else:
        weights = lift(weights)
        w = ops.traced("select", fits, weights, constant(tape_of((weights, fits)), 0, weights._code))
    tape = tape_of((total, w))
    count = math.prod(sizes)
    out = made(tape, lib.bincount(tape.handle, total._node, w._node, count), (count,), w._code)
    out = _reshape(out, tuple(sizes))
    if density:
        area: Any = 1.0
        for i, e in enumerate(edges):
            widths = np.diff(e) if not hasattr(e, "_tape") else FUNCTIONS[np.diff](e)
            area = area * widths.reshape(tuple(-1 if i == j else 1 for j, _ in enumerate(edges)))
        out = cast(out, dt.F64) / FUNCTIONS[np.sum](cast(out, dt.F64)) / area
    return out, edges


# ---- Running results and segments -------------------------------------------------------------------------------------------


def _running(name: str, text: str, code: int | None = None) -> Callable[..., Any]:
    def call(x: Any, axis: int | None = None, reverse: bool = False) -> Any:
        x = lift(x)
        if name == "cumlogsumexp":
            x = _float(x)
        return _along(name, *_line(x, axis), reverse, code)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = text
    return own(call)


cummax = _running("cummax", "The largest so far along an axis (None: of the whole); NaN wins. The first of equals has the gradient.")
cummin = _running("cummin", "The smallest so far.")
cumargmax = _running("cumargmax", "Where the largest so far stands.", dt.I64)
cumargmin = _running("cumargmin", "Where the smallest so far stands.", dt.I64)
cumlogsumexp = _running("cumlogsumexp", "log(cumsum(exp(x))), shifted by the largest so far.")


@own
def linear_recurrence(a: Any, b: Any, axis: int = -1, reverse: bool = False) -> Any:
    """h[0] = b[0], h[i] = a[i] h[i-1] + b[i] along an axis; where a[i] is 0 it begins anew.

    >>> import numpy as np, camber.numpy as cnp
    >>> cnp.linear_recurrence(np.array([2.0, 2.0, 0.0]), np.ones(3))
    array([1., 3., 1.])
    """
    (a, b), code = joint([a, b])
    if code == dt.BOOL:
        raise DtypeError("linear_recurrence: takes numbers, not bool")
    a, b = FUNCTIONS[np.broadcast_arrays](a, b)
    tape = tape_of((a, b))
    return made(tape, lib.linear_recurrence(tape.handle, a._node, b._node, _axis(axis, b.ndim), int(reverse)), b.shape, code)


def _segment(name: str, what: str) -> Callable[..., Any]:
    def call(data: Any, segments: Any, count: int) -> Any:
        data = lift(data, tape_of((data, segments)))
        segments = lift(segments, data._tape)
        data = cast(data, dt.I64) if data._code == dt.BOOL else data
        tape = tape_of((data, segments))
        node = getattr(lib, f"segment_{name}")(tape.handle, data._node, segments._node, int(count))
        return made(tape, node, (int(count), *data.shape[segments.ndim :]), data._code)

    call.__name__ = call.__qualname__ = f"segment_{name}"
    call.__doc__ = f"The {what} of the rows of data in each of `count` segments."
    return own(call)


segment_sum = _segment("sum", "sums")
segment_prod = _segment("prod", "products")
segment_max = _segment("max", "maxima (of none: -inf)")
segment_min = _segment("min", "minima (of none: inf)")


@own
def dynamic_slice(x: Any, start: Any, sizes: Any) -> Any:
    """The block of these sizes that begins at `start` (traced integers, one an axis), moved inside where it would stick out.

    >>> import numpy as np, camber.numpy as cnp
    >>> cnp.dynamic_slice(np.arange(5.0), (4,), (2,))
    array([3., 4.])
    """
    x = lift(x, tape_of((x, *start)) if isinstance(start, (list, tuple)) else None)
    at = _start(start, x)
    sizes = tuple(int(n) for n in sizes)
    tape = tape_of((x, at))
    from .._tape import i64s

    return made(tape, lib.dynamic_slice(tape.handle, x._node, at._node, i64s(sizes), len(sizes)), sizes, x._code)


@own
def dynamic_update(x: Any, update: Any, start: Any) -> Any:
    """x with the block `update` written at `start`, moved inside where it would stick out."""
    x = lift(x, tape_of((x, update, *start)) if isinstance(start, (list, tuple)) else None)
    update, at = cast(lift(update, x._tape), x._code), _start(start, x)
    tape = tape_of((x, update, at))
    return made(tape, lib.dynamic_update(tape.handle, x._node, update._node, at._node), x.shape, x._code)


def _start(start: Any, x: Any) -> Any:
    if isinstance(start, (list, tuple)):
        if not any(hasattr(s, "_tape") for s in start):
            return constant(x._tape, np.asarray(start, np.int64))
        return FUNCTIONS[np.stack]([cast(lift(s, x._tape), dt.I64) for s in start])
    return lift(start, x._tape)

