"""Interpolation against SciPy, mpmath and its own polynomials; derivatives to third order; every policy outside the knots."""

import numpy as np
import pytest
from scipy import interpolate as si
from scipy import ndimage

import camber as cb
from camber import interpolate as ci

rng = np.random.default_rng(3)


def knots(n):
    return np.cumsum(rng.uniform(0.2, 1.5, n)) - 1


@pytest.mark.parametrize("bc", ["not-a-knot", "natural", "clamped", "periodic"])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 9, 40])
def test_cubic_spline_is_scipys(bc, n):
    if bc == "periodic" and n < 3:
        with pytest.raises(ValueError, match="at least 3"):
            ci.CubicSpline(knots(n), np.ones(n), bc_type=bc)(0.0)
        return
    x, y = knots(n), rng.standard_normal((n, 2))
    if bc == "periodic":
        y[-1] = y[0]
    at = np.concatenate([rng.uniform(x[0], x[-1], 20), x, [x[0] - 0.3, x[-1] + 0.4]])
    want, got = si.CubicSpline(x, y, bc_type=bc), ci.CubicSpline(x, y, bc_type=bc)
    scale = max(np.max(abs(want(at, k))) for k in (0, 1))
    assert np.allclose(got(at), want(at), rtol=1e-11, atol=1e-12 * scale)
    inside = at[:20]   # at knots the third derivative jumps
    for k in (1, 2, 3):
        assert np.allclose(got(inside, k), want(inside, k), rtol=1e-9, atol=1e-10 * max(1, np.max(abs(want(inside, k)))))
    outside = ci.CubicSpline(x, y, bc_type=bc, extrapolate=False)
    assert np.isnan(outside(np.array([x[0] - 1, x[-1] + 1]))).all() and np.isfinite(outside(x)).all()


def test_knots_are_hit_exactly():
    x, y = knots(30), rng.standard_normal(30)
    for method in ("nearest", "linear", "cubic"):
        assert np.array_equal(ci.interp(x, x, y, method), y)


def test_linear_is_numpys_and_scipys():
    x, y = knots(12), rng.standard_normal(12)
    at = np.concatenate([rng.uniform(x[0] - 1, x[-1] + 1, 200), x, [np.nan, np.inf, -np.inf]])
    assert np.allclose(ci.interp(at, x, y), np.interp(at, x, y), rtol=1e-13, atol=1e-14, equal_nan=True)
    assert np.allclose(cb.function(lambda a: np.interp(a, x, y))(at), np.interp(at, x, y), rtol=1e-13, atol=1e-14, equal_nan=True)
    assert np.allclose(ci.interp(at[:200], x, y, outside="extrapolate"), si.interp1d(x, y, fill_value="extrapolate")(at[:200]), rtol=1e-12, atol=1e-13)
    assert np.array_equal(np.isnan(ci.interp(at, x, y, outside="nan")), ~((at >= x[0]) & (at <= x[-1])))
    period = x[-1] - x[0]
    assert np.allclose(ci.interp(at[:200] + 3 * period, x, y, outside="wrap"), np.interp((at[:200] - x[0]) % period + x[0], x, y), rtol=1e-11, atol=1e-11)
    with pytest.raises(cb.Error, match="position 1 lies outside"):
        ci.interp(np.array([x[0], x[0] - 1]), x, y, outside="error")
    assert np.array_equal(ci.interp(x[3] + 0.0, x, y), y[3]) and ci.interp(x[3], x, y).shape == ()
    assert ci.interp(np.zeros((0, 2)), x, y).shape == (0, 2)
    single = ci.interp(np.float32(0.5), x.astype(np.float32), y.astype(np.float32))
    assert single.dtype == np.float32 and np.isclose(single, np.interp(0.5, x, y), rtol=1e-5)
    half = ci.interp(np.float16([0.25, 1.75]), np.float16([0, 1, 2]), np.float16([1, 3, 2]))
    assert half.dtype == np.float16 and half.tolist() == [1.5, 2.25]


def grid(dims):
    return [knots(n) for n in dims]


@pytest.mark.parametrize("dims", [(6,), (6, 5), (5, 4, 6)])
@pytest.mark.parametrize("method", ["linear", "nearest", "cubic"])
def test_grids_are_scipys(dims, method):
    g = grid(dims)
    values = rng.standard_normal((*dims, 2))
    at = np.stack([rng.uniform(k[0], k[-1], (7, 3)) for k in g], axis=-1)
    got = ci.interpn(g, values, at, method)
    if method == "cubic":   # the tensor product of splines, one axis after the other
        want = np.empty((7, 3, 2))
        for i in np.ndindex(7, 3):
            v = values
            for a, k in enumerate(g):
                v = si.CubicSpline(k, v)(at[i][a])
            want[i] = v
    else:
        want = si.interpn(g, values, at, method)
    assert np.allclose(got, want, rtol=1e-11, atol=1e-12 * max(1, np.max(abs(want))))
    if method != "nearest":
        v = rng.standard_normal(at.shape)
        t = cb.jvp(lambda a: ci.interpn(g, values, a, method), (at,), (v,))[1]
        h = 1e-6
        assert np.allclose(t, (ci.interpn(g, values, at + h * v, method, "extrapolate") - ci.interpn(g, values, at - h * v, method, "extrapolate")) / (2 * h), atol=2e-5 * max(1, np.max(abs(t))))


def test_polynomials_come_back_exactly():
    """A bicubic polynomial is its own not-a-knot spline: value, gradient and Hessian are known."""
    g = grid((7, 6))
    f = lambda x, y: (x**3 - 2 * x + 1) * (0.5 * y**3 + y * y)
    values = f(*np.meshgrid(*g, indexing="ij"))
    p = np.array([0.5 * (g[0][0] + g[0][-1]), 0.3 * g[1][0] + 0.7 * g[1][-1]])
    s = lambda p: ci.interpn(g, values, p, "cubic")
    want = lambda p: f(p[0], p[1])
    assert np.allclose(s(p), want(p), rtol=1e-11)
    assert np.allclose(cb.grad(s)(p), cb.grad(want)(p), rtol=1e-10)
    assert np.allclose(cb.hessian(s)(p), cb.hessian(want)(p), rtol=1e-9, atol=1e-9)


def test_derivatives_in_values_and_knots():
    x, y, at, h = knots(8), rng.standard_normal(8), rng.uniform(0, 3, 9), 1e-6
    for method in ("linear", "cubic"):
        for bc in ("not-a-knot", "natural", "clamped", "periodic"):
            f = lambda at, x, y: ci.interp(at, x, y, method, "extrapolate", bc)
            for i in range(3):
                d = [np.zeros_like(v) for v in (at, x, y)]
                d[i] = rng.standard_normal(d[i].shape)
                args = (at, x, y)
                t = cb.jvp(f, args, tuple(d))[1]
                up, down = (f(*[a + s * h * e for a, e in zip(args, d)]) for s in (1, -1))
                assert np.allclose(t, (up - down) / (2 * h), rtol=1e-5, atol=1e-6 * max(1, np.max(abs(t))))
                ct = rng.standard_normal(at.shape)
                g = cb.grad(lambda *a: np.sum(f(*a) * ct), argnums=i)(*args)
                assert np.isclose(np.sum(g * d[i]), np.sum(t * ct), rtol=1e-9)
    batch = rng.standard_normal((4, 8))
    got = cb.vmap(lambda y: ci.interp(at, x, y, "cubic"))(batch)
    assert np.allclose(got, np.stack([ci.interp(at, x, b, "cubic") for b in batch]), rtol=1e-12, atol=1e-12)
    many = cb.vmap(lambda x, y, a: ci.interp(a, x, y, "linear"))(np.stack([x, x + 0.1]), batch[:2], np.stack([at, at]))
    assert np.allclose(many[1], np.interp(at, x + 0.1, batch[1]), rtol=1e-12)


def test_regular_grid_interpolator_and_map_coordinates():
    g = grid((5, 6))
    v = rng.standard_normal((5, 6))
    at = np.stack([rng.uniform(k[0] - 0.5, k[-1] + 0.5, 30) for k in g], axis=-1)
    for fill in (np.nan, None):
        want = si.RegularGridInterpolator(g, v, bounds_error=False, fill_value=fill)(at)
        assert np.allclose(ci.RegularGridInterpolator(g, v, bounds_error=False, fill_value=fill)(at), want, rtol=1e-11, atol=1e-12, equal_nan=True)
    with pytest.raises(cb.Error, match="outside"):
        ci.RegularGridInterpolator(g, v)(at)
    c = rng.uniform(-3, 9, (2, 40))
    for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
        for order in (0, 1):
            name = "grid-wrap" if mode == "wrap" else "grid-constant" if mode == "constant" else mode
            want = ndimage.map_coordinates(v, c, order=order, mode=name, cval=0.25)
            assert np.allclose(ci.map_coordinates(v, c, order, mode, 0.25), want, rtol=1e-12, atol=1e-12), (mode, order)
    t = cb.grad(lambda c: np.sum(ci.map_coordinates(v, c, 1, "nearest")))(c)
    assert t.shape == c.shape and np.isfinite(t).all()


def test_searchsorted():
    k = np.sort(rng.integers(0, 20, 15)).astype(float)
    x = np.concatenate([np.arange(-1, 22, 0.5), [np.nan, np.inf, -np.inf]])
    for side in ("left", "right"):
        assert np.array_equal(cb.function(lambda k, x: np.searchsorted(k, x, side))(k, x), np.searchsorted(k, x, side))
        assert np.array_equal(cb.function(lambda k, x: np.searchsorted(k, x, side))(k.astype(np.int64), x[:-3].astype(np.int64)), np.searchsorted(k.astype(int), x[:-3].astype(int), side))


@pytest.mark.parametrize("call, word", [
    (lambda: ci.interp(0.5, np.array([0.0, 1, 1]), np.ones(3)), "knot 2"), (lambda: cb.function(lambda x: ci.interp(x, np.array([0.0, 1, 1]), np.ones(3)))(0.5), "knot 2"), (lambda: ci.interp(0.5, np.array([0.0]), np.ones(1)), "at least 2"),
    (lambda: ci.interp(0.5, np.arange(3.0), np.ones(4)), "knots of shape"), (lambda: ci.interp(0.5, np.arange(3.0), np.ones(3), "quadratic"), "quadratic"),
    (lambda: ci.interpn([np.arange(3.0)], np.ones((3, 3)), np.ones((2, 2))), "grid of 1"), (lambda: ci.CubicSpline(np.arange(4.0), np.ones(4), bc_type="free"), "free"),
    (lambda: ci.map_coordinates(np.ones(3), np.ones((1, 2)), 3), "order 3"),
])  # fmt: skip
def test_bad_input_is_a_sentence(call, word):
    with pytest.raises(ValueError) as caught:
        call()
    assert word in str(caught.value)
