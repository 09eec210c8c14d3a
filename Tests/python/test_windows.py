"""Convolutions and pooling against direct loops in long double and SciPy; derivatives of first and second order; the same bits on threads."""

import itertools

import numpy as np
import pytest
from scipy import signal

import camber as cb
from camber import nn

rng = np.random.default_rng(11)


def draw(*shape):
    return rng.standard_normal(shape)


def direct(x, w, stride, low, high, dilation, spread, groups):
    """The definition, element by element, in long double."""
    x, w = x.astype(np.longdouble), w.astype(np.longdouble)
    k = x.ndim - 2
    wide = np.zeros(x.shape[:2] + tuple((n - 1) * b + 1 for n, b in zip(x.shape[2:], spread)), np.longdouble)
    wide[(..., *(slice(None, None, b) for b in spread))] = x
    pads = [(max(a, 0), max(b, 0)) for a, b in zip(low, high)]
    wide = np.pad(wide, [(0, 0), (0, 0), *pads])
    cut = tuple(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, wide.shape[2:]))
    wide = wide[(..., *cut)]
    p = [(n - (m - 1) * d - 1) // s + 1 for n, m, d, s in zip(wide.shape[2:], w.shape[2:], dilation, stride)]
    y = np.zeros((x.shape[0], w.shape[0], *p), np.longdouble)
    og, cg = w.shape[0] // groups, x.shape[1] // groups
    for tap in itertools.product(*map(range, w.shape[2:])):
        at = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilation, p, stride))
        part = wide[(slice(None), slice(None), *at)]
        for g in range(groups):
            y[:, g * og : (g + 1) * og] += np.einsum("oc,nc...->no...", w[(slice(g * og, (g + 1) * og), slice(None), *tap)], part[:, g * cg : (g + 1) * cg])
    return y


# x, w, stride, low, high, dilation, input dilation, groups
CASES = [
    ((2, 3, 9), (4, 3, 3), (1,), (1,), (1,), (1,), (1,), 1),
    ((1, 1, 40), (1, 1, 7), (1,), (0,), (0,), (1,), (1,), 1),
    ((2, 4, 11), (6, 2, 3), (2,), (2,), (1,), (2,), (1,), 2),
    ((1, 2, 5), (3, 2, 4), (1,), (3,), (3,), (1,), (2,), 1),
    ((1, 2, 5), (3, 2, 4), (3,), (2,), (4,), (2,), (3,), 1),
    ((2, 2, 9), (2, 2, 2), (2,), (-1,), (-2,), (1,), (1,), 1),
    ((2, 3, 8, 7), (5, 3, 3, 3), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), 1),
    ((2, 6, 8, 7), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), 6),
    ((1, 4, 12, 20), (8, 1, 3, 3), (2, 2), (1, 0), (0, 1), (1, 1), (1, 1), 4),
    ((1, 3, 6, 6), (4, 3, 1, 1), (1, 1), (0, 0), (0, 0), (1, 1), (1, 1), 1),
    ((3, 8, 5, 5), (40, 8, 5, 5), (1, 1), (0, 0), (0, 0), (1, 1), (1, 1), 1),
    ((1, 40, 10, 10), (70, 40, 3, 3), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), 1),
    ((2, 2, 5, 6), (2, 2, 2, 3), (2, 3), (1, 2), (2, 1), (2, 1), (2, 2), 1),
    ((1, 2, 4, 5, 6), (3, 2, 2, 3, 2), (1, 2, 1), (1, 1, 0), (0, 1, 1), (1, 1, 2), (1, 1, 2), 1),
    ((1, 2, 70, 3), (2, 1, 33, 2), (1, 1), (0, 0), (0, 0), (1, 1), (1, 1), 2),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv_and_its_derivatives_are_the_definition(case):
    xs, ws, stride, low, high, dilation, spread, groups = case
    x, w = draw(*xs), draw(*ws)

    def f(x, w):
        return nn.conv(x, w, stride, tuple(zip(low, high)), dilation, groups, spread)

    want = direct(x, w, stride, low, high, dilation, spread, groups)
    bound = direct(abs(x), abs(w), stride, low, high, dilation, spread, groups)
    depth = int(np.prod(ws[1:]))
    for dtype, unit in ((np.float64, 2.0**-53), (np.float32, 2.0**-24), (np.float16, 2.0**-11)):
        got = f(x.astype(dtype), w.astype(dtype))
        assert got.dtype == dtype and got.shape == want.shape
        inner = unit if dtype != np.float16 else 2.0**-24
        reference = direct(x.astype(dtype), w.astype(dtype), stride, low, high, dilation, spread, groups) if dtype != np.float64 else want
        assert np.all(abs(got - reference) <= (depth + 1) * inner * 1.01 * bound + unit * abs(reference) + 1e-7 * (dtype == np.float16))
    integers = f(np.rint(4 * x).astype(np.int64), np.rint(4 * w).astype(np.int64))
    assert np.array_equal(integers, direct(np.rint(4 * x), np.rint(4 * w), stride, low, high, dilation, spread, groups).astype(np.int64))
    # Bilinear: derivatives are exact against the definition itself.
    ct, dx, dw = draw(*want.shape), draw(*xs), draw(*ws)
    gx, gw = cb.grad(lambda x, w: np.sum(f(x, w) * ct), argnums=(0, 1))(x, w)
    exact = np.sum(direct(dx, w, stride, low, high, dilation, spread, groups) * ct)
    assert abs(np.sum(gx * dx) - exact) <= 1e-11 * max(abs(exact), 1)
    exact = np.sum(direct(x, dw, stride, low, high, dilation, spread, groups) * ct)
    assert abs(np.sum(gw * dw) - exact) <= 1e-11 * max(abs(exact), 1)
    # Second order, through sin: forward over reverse against reverse over reverse.
    def loss(x, w):
        return np.sum(np.sin(f(x, w)) * ct)

    hx = cb.jvp(lambda x, w: cb.grad(loss, argnums=(0, 1))(x, w), (x, w), (dx, dw))[1]
    hr = cb.grad(lambda x, w: sum(np.sum(g * d) for g, d in zip(cb.grad(loss, argnums=(0, 1))(x, w), (dx, dw))), argnums=(0, 1))(x, w)
    for a, b in zip(hx, hr):
        assert np.allclose(a, b, rtol=1e-11, atol=1e-10 * max(1, np.max(abs(b))))
    y, tangent = cb.jvp(f, (x, w), (dx, dw))
    exact = direct(dx, w, stride, low, high, dilation, spread, groups) + direct(x, dw, stride, low, high, dilation, spread, groups)
    assert np.allclose(tangent, exact.astype(float), rtol=1e-12, atol=1e-12 * np.max(abs(exact)))


@pytest.mark.parametrize("case", CASES[:9:2], ids=str)
def test_batches_are_loops(case):
    xs, ws, stride, low, high, dilation, spread, groups = case
    x, w = draw(3, *xs), draw(3, *ws)

    def f(x, w):
        return nn.conv(x, w, stride, tuple(zip(low, high)), dilation, groups, spread)

    def g(x, w):
        return cb.grad(lambda x, w: np.sum(np.sin(f(x, w))), argnums=(0, 1))(x, w)

    for axes, pick in (((0, 0), lambda i: (x[i], w[i])), ((0, None), lambda i: (x[i], w[0])), ((None, 0), lambda i: (x[0], w[i]))):
        args = (x if axes[0] == 0 else x[0], w if axes[1] == 0 else w[0])
        got = cb.vmap(f, in_axes=axes)(*args)
        assert np.allclose(got, np.stack([f(*pick(i)) for i in range(3)]), rtol=1e-12, atol=1e-12)
        for a, b in zip(cb.vmap(g, in_axes=axes)(*args), zip(*[g(*pick(i)) for i in range(3)])):
            assert np.allclose(a, np.stack(b), rtol=1e-11, atol=1e-11)
    xx, ww = draw(2, 3, *xs), draw(3, *ws)
    nested = cb.vmap(cb.vmap(f, in_axes=(0, 0)), in_axes=(0, None))(xx, ww)
    assert np.allclose(nested[1, 2], f(xx[1, 2], ww[2]), rtol=1e-12, atol=1e-12)


def test_transpose_is_the_adjoint():
    for (xs, ws), options in (
        (((2, 3, 9, 8), (4, 3, 3, 2)), dict(stride=2, padding=1)), (((1, 4, 10), (6, 2, 4)), dict(stride=3, padding=((1, 2),), dilation=2, groups=2)),
        (((2, 2, 5, 5, 5), (2, 1, 2, 2, 2)), dict(stride=(1, 2, 3), groups=2)),
    ):  # fmt: skip
        x, w = draw(*xs), draw(*ws)
        y = nn.conv(x, w, **options)
        v = draw(*y.shape)
        # The extents that the stride dropped come back by output_padding.
        short = nn.conv_transpose(v, w, **options)
        extra = tuple(n - m for n, m in zip(xs[2:], short.shape[2:]))
        back = nn.conv_transpose(v, w, output_padding=extra, **options)
        assert back.shape == x.shape
        assert np.isclose(np.sum(back * x), np.sum(y * v), rtol=1e-12)
        assert np.allclose(back, cb.grad(lambda x: np.sum(nn.conv(x, w, **options) * v))(x), rtol=1e-12, atol=1e-12)
        g = cb.grad(lambda w: np.sum(nn.conv_transpose(v, w, output_padding=extra, **options) * x))(w)
        assert np.allclose(g, cb.grad(lambda w: np.sum(nn.conv(x, w, **options) * v))(w), rtol=1e-12, atol=1e-12)


def test_scipy_and_shapes():
    x, w = draw(13, 17), draw(4, 5)
    assert np.allclose(nn.conv(x[None], w[None, None])[0], signal.correlate2d(x, w, "valid"), rtol=1e-12, atol=1e-12)
    assert np.allclose(nn.conv2d(x[None], w[None, None], padding=((3, 3), (4, 4)))[0], signal.correlate2d(x, w, "full"), rtol=1e-12, atol=1e-12)
    assert nn.conv(x[None, None], w[None, None], padding="same").shape == (1, 1, 13, 17)
    assert nn.conv(x[None, None], w[None, None], padding="SAME", stride=2).shape == (1, 1, 7, 9)
    assert nn.conv(np.zeros((0, 3, 5)), np.zeros((2, 3, 3))).shape == (0, 2, 3)
    assert np.array_equal(nn.conv(np.zeros((2, 0, 5)), np.zeros((2, 0, 3))), np.zeros((2, 2, 3)))
    assert nn.conv(np.ones((1, 1, 0)), np.ones((1, 1, 2)), padding=1).tolist() == [[[0.0]]]


def test_structural_zeros():
    """What a mask leaves out contributes nothing, though the weights are infinite."""
    w = np.array([[[np.inf, 1.0, 2.0]]])
    x = np.arange(1.0, 9.0)

    def f(x):
        kept = np.where(np.arange(8) > 3, np.log(x), 0.0)
        return nn.conv(kept[None, None], w)[0, 0]

    tangent = cb.jvp(f, (x,), (np.ones(8),))[1]
    assert np.array_equal(np.isfinite(tangent), [True] * 4 + [False] * 2)
    assert np.allclose(tangent[:4], [0, 0, 2 / 5, 1 / 5 + 2 / 6][:2] + [2 / 5, 1 / 5 + 2 / 6])
    g = cb.grad(lambda x: np.sum(np.where(np.arange(6) < 2, nn.conv(x[None, None], w)[0, 0], 0.0)))(np.ones(8))
    assert np.array_equal(g[4:], np.zeros(4)) and np.all(np.isinf(g[:2]))


def test_16_bit_and_wide_ranges():
    x, w = np.full((1, 1, 300), 300.0, np.float16), np.ones((1, 1, 128), np.float16)
    assert nn.conv(x, w)[0, 0, 0] == np.float16(300.0 * 128)
    assert nn.avg_pool(x, 300)[0, 0, 0] == 300   # the sum alone would overflow


def pooled(x, window, stride, low, high, dilation, function, fill):
    k = len(window)
    wide = np.pad(x, [(0, 0)] * (x.ndim - k) + list(zip(low, high)), constant_values=fill)
    p = [(n - (w - 1) * d - 1) // s + 1 for n, w, d, s in zip(wide.shape[-k:], window, dilation, stride)]
    parts = [wide[(..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilation, p, stride)))] for tap in itertools.product(*map(range, window))]
    return function(np.stack(parts), axis=0)


POOLS = [((2, 3, 10), (2,), (2,), (0,), (0,), (1,)), ((2, 3, 10), (3,), (2,), (1,), (2,), (2,)), ((2, 2, 7, 9), (3, 2), (2, 1), (1, 0), (1, 1), (1, 1)),
         ((1, 2, 5, 6, 7), (2, 3, 2), (1, 2, 2), (0, 1, 1), (1, 1, 0), (1, 1, 2)), ((70, 80), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))]  # fmt: skip


@pytest.mark.parametrize("case", POOLS, ids=str)
def test_pooling(case):
    shape, window, stride, low, high, dilation = case
    pads = tuple(zip(low, high))
    for dtype in (np.float64, np.float32, np.float16, np.int64, np.int32):
        x = (4 * draw(*shape)).astype(dtype)
        fill = -np.inf if dtype(0.5) else np.iinfo(dtype).min
        y, index = nn.max_pool(x, window, stride, pads, dilation, return_index=True)
        assert y.dtype == dtype and np.array_equal(y, pooled(x, window, stride, low, high, dilation, np.max, fill))
        k = len(window)
        flat = x.reshape(*shape[:-k], -1)
        assert np.array_equal(np.take_along_axis(flat, index.reshape(*shape[:-k], -1), -1).reshape(y.shape), y)
    x = draw(*shape)
    counts = pooled(np.ones(shape), window, stride, low, high, dilation, np.sum, 0)
    sums = pooled(x, window, stride, low, high, dilation, np.sum, 0)
    assert np.allclose(nn.avg_pool(x, window, stride, pads, dilation), sums / np.prod(window), rtol=1e-13, atol=1e-14)
    assert np.allclose(nn.avg_pool(x, window, stride, pads, dilation, count_include_pad=False), sums / counts, rtol=1e-13, atol=1e-14)
    v, h = draw(*shape), 1e-6
    for f in (lambda x: nn.max_pool(x, window, stride, pads, dilation), lambda x: nn.avg_pool(x, window, stride, pads, dilation, False)):
        y, t = cb.jvp(f, (x,), (v,))
        ct = draw(*y.shape)
        assert np.allclose(t, (f(x + h * v) - f(x - h * v)) / (2 * h), atol=1e-7)
        assert np.isclose(np.sum(cb.grad(lambda x: np.sum(f(x) * ct))(x) * v), np.sum(ct * t), rtol=1e-11)
    stacked = draw(3, *shape)
    assert np.array_equal(cb.vmap(lambda x: nn.max_pool(x, window, stride, pads, dilation))(stacked), np.stack([nn.max_pool(a, window, stride, pads, dilation) for a in stacked]))


def test_ties_and_nan():
    x = np.array([[[1.0, 1.0, 0.0, np.nan, 5.0, np.nan, 2.0, 2.0]]])
    y, i = nn.max_pool(x, 2, return_index=True)
    assert np.array_equal(y, [[[1, np.nan, np.nan, 2]]], equal_nan=True) and i.tolist() == [[[0, 3, 5, 6]]]
    assert cb.grad(lambda x: np.sum(nn.max_pool(x, 2)[..., ::3]))(x).tolist() == [[[1, 0, 0, 0, 0, 0, 1, 0]]]
    everywhere = np.full((1, 1, 4), -np.inf)
    assert np.array_equal(nn.max_pool(everywhere, 3, 1, 1), np.full((1, 1, 4), -np.inf))


def test_threads_give_the_same_bits(monkeypatch):
    made = cb.Program.__init__

    def threads(n):
        def init(self, *args, **kwargs):
            made(self, *args, **kwargs)
            self.set("threads", n)

        monkeypatch.setattr(cb.Program, "__init__", init)
        return n

    for dtype in (np.float32, np.float64, np.float16):
        x, w, d = draw(4, 16, 40, 40).astype(dtype), draw(24, 16, 3, 3).astype(dtype), draw(16, 1, 3, 3).astype(dtype)

        def f(x, w, d):
            y = nn.conv(nn.conv(x, d, padding=1, groups=16), w, padding=1, stride=2)
            return np.sum(nn.max_pool(y, 2) ** 2)

        run = cb.value_and_grad(f, argnums=(0, 1, 2))
        results = [cb.function(lambda *a, n=n: run(*a))(x, w, d) for n in map(threads, (1, 2, 5))]
        for other in results[1:]:
            assert other[0].tobytes() == results[0][0].tobytes()
            assert all(a.tobytes() == b.tobytes() for a, b in zip(other[1], results[0][1]))


@pytest.mark.parametrize("call, word", [
    (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 4, 3))), "3 channels"), (lambda: nn.conv(np.ones((1, 3, 2)), np.ones((2, 3, 3))), "window of 3 over 2"),
    (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), groups=2), "2 groups"), (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), stride=0), "stride 0"),
    (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), stride=(1, 1)), "2 entries"), (lambda: nn.conv(np.ones(5), np.ones((2, 3, 3))), "spatial"),
    (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), padding="full"), "full"), (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), groups=0), "0 groups"),
    (lambda: nn.conv(np.ones((1, 3, 5)), np.ones((2, 3, 3)), dilation=2**40), "dilation"), (lambda: nn.max_pool(np.ones((1, 1, 5)), 6), "window of 6"),
    (lambda: nn.max_pool(np.ones((1, 1, 5)), 2, padding=2), "padding 2"), (lambda: nn.max_pool(np.ones((1, 1, 1)), 2, 1, 1, 2), "nothing but padding"),
    (lambda: nn.avg_pool(np.ones((1, 1, 5), int), 2), "float"), (lambda: nn.conv_transpose(np.ones((1, 3, 5)), np.ones((3, 2, 3)), output_padding=1), "more places"),
    (lambda: nn.conv2d(np.ones((1, 3, 5)), np.ones((3, 2, 3))), "conv2d"),
])  # fmt: skip
def test_bad_input_is_a_sentence(call, word):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert word in str(caught.value)
