"""Convolutions and pooling, as networks use them: arrays are [batch, channels, spatial...], with one to three spatial axes.

>>> import numpy as np, camber as cb
>>> x, w = np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3))
>>> cb.nn.conv(x, w, padding="same").astype(int)[0, 0, 0]
array([4, 6, 6, 4])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._dispatch import own
from ._errors import ShapeError
from ._library import lib
from ._tape import i64s, joint, lift, reshape, tape_of, typed

__all__ = ["avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv", "conv1d", "conv2d", "conv3d", "conv_transpose", "conv_transpose1d",
           "conv_transpose2d", "conv_transpose3d", "max_pool", "max_pool1d", "max_pool2d", "max_pool3d"]  # fmt: skip


def _numbers(value: Any, count: int, what: str) -> tuple[int, ...]:
    numbers = (value,) * count if not hasattr(value, "__len__") else tuple(value)
    if len(numbers) != count:
        raise ShapeError(f"{what}: {len(numbers)} entries for {count} spatial axes")
    return tuple(int(n) for n in numbers)


def _paddings(value: Any, count: int, what: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Low and high ends: a number, one an axis, or a pair an axis."""
    if not hasattr(value, "__len__"):
        return (int(value),) * count, (int(value),) * count
    if len(value) != count:
        raise ShapeError(f"{what}: {len(value)} paddings for {count} spatial axes")
    pairs = [(int(p[0]), int(p[1])) if hasattr(p, "__len__") else (int(p), int(p)) for p in value]
    return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)


def _same(sizes: Any, window: Any, stride: Any, dilation: Any) -> tuple[tuple[int, int], ...]:
    """Padding that gives ceil(n / stride) places; the odd one at the high end."""
    out = []
    for n, w, s, d in zip(sizes, window, stride, dilation):
        total = max((-(-n // s) - 1) * s + (w - 1) * d + 1 - n, 0)
        out.append((total // 2, total - total // 2))
    return tuple(out)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if hasattr(value, "__len__") and not isinstance(value, str) else value


def _operands(x: Any, w: Any, what: str) -> tuple[Any, Any, int, bool]:
    (x, w), _ = joint([x, w])
    rank = w.ndim - 2
    if rank not in (1, 2, 3) or x.ndim not in (rank + 1, rank + 2):
        raise ShapeError(f"{what}: x of shape {list(x.shape)} and weights of shape {list(w.shape)}; two axes and then one to three spatial ones")
    single = x.ndim == rank + 1
    return reshape(x, (1, *x.shape)) if single else x, w, rank, single


def _conv(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int, input_dilation: Any) -> Any:
    x, w, k, single = _operands(x, w, "conv")
    s, d, b = (_numbers(v, k, f"conv: {n}") for v, n in ((stride, "stride"), (dilation, "dilation"), (input_dilation, "input_dilation")))
    if isinstance(padding, str):
        if padding.lower() not in ("same", "valid"):
            raise ValueError(f'conv: padding "{padding}"; there are "same", "valid", a number, one an axis, or a pair an axis')
        sizes = [(n - 1) * e + 1 for n, e in zip(x.shape[2:], b)]
        padding = _same(sizes, w.shape[2:], s, d) if padding.lower() == "same" else 0
    low, high = _paddings(padding, k, "conv")
    tape = tape_of((x, w))
    y = typed(tape, lib.conv(tape.handle, x._node, w._node, i64s(s), i64s(low), i64s(high), i64s(d), i64s(b), int(groups)))
    return reshape(y, y.shape[1:]) if single else y


def _conv_transpose(x: Any, w: Any, stride: Any, padding: Any, output_padding: Any, dilation: Any, groups: int) -> Any:
    x, w, k, single = _operands(x, w, "conv_transpose")
    s, d, e = (_numbers(v, k, f"conv_transpose: {n}") for v, n in ((stride, "stride"), (dilation, "dilation"), (output_padding, "output_padding")))
    low, high = _paddings(padding, k, "conv_transpose")
    tape = tape_of((x, w))
    y = typed(tape, lib.conv_transpose(tape.handle, x._node, w._node, i64s(s), i64s(low), i64s(high), i64s(e), i64s(d), int(groups)))
    return reshape(y, y.shape[1:]) if single else y


def _pool(kind: str, x: Any, window: Any, stride: Any, padding: Any, dilation: Any, *rest: Any) -> Any:
    x = lift(x)
    k = len(window) if hasattr(window, "__len__") else x.ndim - 2
    if k < 1 or x.ndim < k:
        raise ShapeError(f"{kind}: a window over {k} axes of shape {list(x.shape)}; give the window one number an axis")
    w = _numbers(window, k, f"{kind}: window")
    s = w if stride is None else _numbers(stride, k, f"{kind}: stride")
    d = _numbers(dilation, k, f"{kind}: dilation")
    if isinstance(padding, str):
        if padding.lower() not in ("same", "valid"):
            raise ValueError(f'{kind}: padding "{padding}"; there are "same", "valid", a number, one an axis, or a pair an axis')
        padding = _same(x.shape[-k:], w, s, d) if padding.lower() == "same" else 0
    low, high = _paddings(padding, k, kind)
    tape = tape_of((x,))
    return typed(tape, getattr(lib, kind)(tape.handle, x._node, i64s(w), i64s(s), i64s(low), i64s(high), i64s(d), k, *rest))


def _max_pool(x: Any, window: Any, stride: Any, padding: Any, dilation: Any, return_index: bool) -> Any:
    y = _pool("max_pool", x, window, stride, padding, dilation)
    return (y, _pool("max_pool_index", x, window, stride, padding, dilation)) if return_index else y


def _avg_pool(x: Any, window: Any, stride: Any, padding: Any, dilation: Any, count_include_pad: bool) -> Any:
    return _pool("avg_pool", x, window, stride, padding, dilation, int(bool(count_include_pad)))


_conv_either, _transpose_either, _max_either, _avg_either = own(_conv), own(_conv_transpose), own(_max_pool), own(_avg_pool)


def conv(x: Any, w: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, input_dilation: Any = 1) -> Any:
    """Cross-correlation of x [batch, channels, spatial...] (or without batch) with w [outputs, channels / groups, spatial...].

    `padding` is a number, one an axis, a (low, high) pair an axis, "valid" or "same". As many groups as channels: depthwise.
    """
    return _conv_either(x, w, *map(_frozen, (stride, padding, dilation, groups, input_dilation)))


def conv_transpose(x: Any, w: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """The transpose of `conv` in x with the same arguments: w [channels, outputs / groups, spatial...]."""
    return _transpose_either(x, w, *map(_frozen, (stride, padding, output_padding, dilation, groups)))


def max_pool(x: Any, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_index: bool = False) -> Any:
    """The largest element of each window; NaN wins, the first of equals has the derivative.

    `window` is one number for all axes but the first two, or one for each of the last axes; `stride` is the window where it is not given.
    With `return_index`, also where the elements stand, in the last axes taken as one.
    """
    return _max_either(x, *map(_frozen, (window, stride, padding, dilation)), bool(return_index))


def avg_pool(x: Any, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, count_include_pad: bool = True) -> Any:
    """The mean of each window; padding counts as zeros, or (``count_include_pad=False``) not at all."""
    return _avg_either(x, *map(_frozen, (window, stride, padding, dilation)), bool(count_include_pad))


def _of_rank(function: Callable[..., Any], rank: int) -> Callable[..., Any]:
    pools = "pool" in function.__name__

    def call(x: Any, w: Any, *args: Any, **kwargs: Any) -> Any:
        if pools:
            w = _numbers(w, rank, call.__name__)
        elif len(getattr(w, "shape", ())) != rank + 2:
            raise ShapeError(f"{call.__name__}: weights of shape {list(getattr(w, 'shape', ()))}; two axes and then {rank}")
        return function(x, w, *args, **kwargs)

    call.__name__ = call.__qualname__ = f"{function.__name__}{rank}d"
    call.__doc__ = f"`{function.__name__}` with {rank} spatial axes."
    return call


conv1d, conv2d, conv3d = (_of_rank(conv, k) for k in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (_of_rank(conv_transpose, k) for k in (1, 2, 3))
max_pool1d, max_pool2d, max_pool3d = (_of_rank(max_pool, k) for k in (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = (_of_rank(avg_pool, k) for k in (1, 2, 3))
