"""NumPy's own semantics against NumPy: broadcasting, dtypes, axes, keepdims, where=, indexing in full; drawn by hypothesis."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import camber as cb
import camber.numpy as cnp

settings.register_profile("semantics", max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SMALL = settings.get_profile("semantics")
if settings().max_examples > 100:  # a longer profile was asked for: Tests/tools/verify.sh
    SMALL = settings(settings(), derandomize=False)

DTYPES = ["bool", "int32", "int64", "float32", "float64"]
FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -2.25, 3.0, 7.75])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def arrays(shape, dtypes=tuple(DTYPES)):
    def of(dtype):
        kind = np.dtype(dtype).kind
        elements = st.booleans() if kind == "b" else st.integers(-5, 6) if kind == "i" else FLOATS
        return hnp.arrays(dtype, shape, elements=elements)

    return st.sampled_from(list(dtypes)).flatmap(of)


def same(got, want, rtol=1e-6):
    got, want = np.asarray(got), np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=rtol if want.dtype.itemsize < 8 else 1e-12, atol=1e-6 if want.dtype.itemsize < 8 else 1e-12)
    else:
        np.testing.assert_array_equal(got, want)


def agree(f, *args):
    """f traced and plain: the same value, or a refusal by both."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            want = f(*args)
        except (TypeError, ValueError, IndexError) as problem:
            with pytest.raises((TypeError, ValueError, IndexError, cb.Error)):
                cb.function(f)(*args)
            return problem
    got = cb.function(f)(*args)
    for g, w in zip(got, want) if isinstance(want, (tuple, list)) else [(got, want)]:
        same(g, w)
    return None


BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "less", "greater_equal", "logical_and", "logical_xor", "hypot", "arctan2", "fmax"]


@SMALL
@given(st.data())
def test_broadcasting_and_dtypes(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)).input_shapes
    x, y = (data.draw(arrays(s)) for s in shapes)
    name = data.draw(st.sampled_from(BINARY))
    if not (name in ("hypot", "arctan2") and x.dtype == y.dtype == bool):  # float16 in NumPy, f64 here
        agree(getattr(np, name), x, y)


@SMALL
@given(st.data())
def test_shapes_that_do_not_broadcast(data):
    x, y = data.draw(arrays(data.draw(SHAPES))), data.draw(arrays(data.draw(SHAPES)))
    agree(np.add, x, y)


def axes(data, ndim):
    """None, an axis, or a tuple of them; some negative, rarely wrong."""
    if data.draw(st.booleans()) and ndim:
        found = data.draw(st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim))
        return tuple(a - ndim if data.draw(st.booleans()) else a for a in found)
    return data.draw(st.one_of(st.none(), st.integers(-ndim - (data.draw(st.integers(0, 5)) == 0), max(ndim - 1, 0))))


REDUCTIONS = ["sum", "prod", "max", "min", "any", "all", "mean", "var", "std", "ptp", "count_nonzero", "nansum", "nanmean", "median"]


@SMALL
@given(st.data())
def test_reductions(data):
    x = data.draw(arrays(data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))))
    name, axis, keep = data.draw(st.sampled_from(REDUCTIONS)), axes(data, x.ndim), data.draw(st.booleans())
    agree(lambda v: getattr(np, name)(v, axis=axis, keepdims=keep), x)


@SMALL
@given(st.data())
def test_reductions_where(data):
    x = data.draw(arrays(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)), ("float64", "int64", "bool")))
    mask = data.draw(hnp.arrays(bool, x.shape))
    name, axis = data.draw(st.sampled_from(["sum", "prod", "any", "all", "mean", "var"])), axes(data, x.ndim)
    agree(lambda v, m: getattr(np, name)(v, axis=axis, where=m), x, mask)


@SMALL
@given(st.data())
def test_empty_reductions(data):
    x = np.zeros(data.draw(st.sampled_from([(0,), (2, 0), (0, 3), (2, 0, 2)])), data.draw(st.sampled_from(DTYPES)))
    name, axis = data.draw(st.sampled_from(["sum", "prod", "max", "min", "any", "all", "mean", "argmax", "cumsum", "sort", "median"])), data.draw(st.one_of(st.none(), st.integers(0, x.ndim - 1)))
    agree(lambda v: getattr(np, name)(v, axis=axis), x)


@SMALL
@given(st.data())
def test_along_an_axis(data):
    x = data.draw(arrays(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))))
    axis = data.draw(st.one_of(st.none(), st.integers(-x.ndim, x.ndim - 1)))
    name = data.draw(st.sampled_from(["sort", "argsort", "cumsum", "cumprod", "argmax", "argmin"]))
    if name == "argsort":
        agree(lambda v: np.argsort(v, axis=axis, kind="stable"), x)
    else:
        agree(lambda v: getattr(np, name)(v, axis=axis), x)


@SMALL
@given(st.data())
def test_quantiles(data):
    x = data.draw(arrays(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)), ("float64", "int64")))
    if x.dtype == np.float64 and data.draw(st.booleans()):
        x = np.where(data.draw(hnp.arrays(bool, x.shape)), x, np.nan)
    q, axis, keep = data.draw(st.sampled_from([0.0, 0.25, 0.5, 1.0, [0.1, 0.9]])), axes(data, x.ndim), data.draw(st.booleans())
    method = data.draw(st.sampled_from(["linear", "lower", "higher", "nearest", "midpoint", "hazen", "weibull", "median_unbiased"]))
    agree(lambda v: np.quantile(v, q, axis=axis, keepdims=keep, method=method), x)
    agree(lambda v: np.nanquantile(v, q, axis=axis, keepdims=keep), x)
    agree(lambda v: np.nanmedian(v, axis=axis, keepdims=keep), x)


# ---- Indexing


@st.composite
def keys(draw, shape):
    """Any of NumPy's keys: integers, slices of either sign, None, one ellipsis, integer arrays that broadcast, masks."""
    items, axis = [], 0
    common = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    dots = False
    while axis < len(shape):
        kind = draw(st.sampled_from(["slice", "slice", "int", "array", "array", "mask", "none", "dots", "stop"]))
        n = shape[axis]
        if kind == "stop":
            break
        if kind == "none":
            if len(items) < 5:
                items.append(None)
        elif kind == "dots":
            if not dots:
                items.append(Ellipsis)
                axis += draw(st.integers(0, len(shape) - axis))
                dots = True
        elif kind == "slice" or n == 0:
            items.append(draw(st.slices(n)))
            axis += 1
        elif kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
            axis += 1
        elif kind == "array":
            cut = draw(st.integers(0, len(common)))
            some = tuple(1 if draw(st.booleans()) else m for m in common[cut:])
            items.append(draw(hnp.arrays(np.int64, some, elements=st.integers(-n, n - 1))))
            axis += 1
        else:
            items.append(draw(hnp.arrays(bool, (n,))))
            axis += 1
    # An ellipsis stands for the axes after it too where fewer are named: numpy decides.
    return tuple(items) if len(items) != 1 or draw(st.booleans()) else items[0]


@SMALL
@given(st.data())
def test_indexing(data):
    x = np.arange(60.0).reshape(data.draw(st.sampled_from([(60,), (5, 12), (3, 4, 5)])))
    key = data.draw(keys(x.shape))
    agree(lambda v: v[key], x)


@SMALL
@given(st.data())
def test_indexing_with_traced_arrays(data):
    x = np.arange(60.0).reshape(data.draw(st.sampled_from([(60,), (5, 12), (3, 4, 5)])))
    key = data.draw(keys(x.shape))
    items = key if isinstance(key, tuple) else (key,)
    places = [i for i, k in enumerate(items) if isinstance(k, (int, np.ndarray)) and not (isinstance(k, np.ndarray) and k.dtype == bool)]
    if any(isinstance(k, np.ndarray) and k.dtype == bool for k in items):
        return

    def f(v, *traced):
        rest = iter(traced)
        return v[tuple(next(rest) if i in places else k for i, k in enumerate(items))]

    agree(f, x, *[items[i] for i in places])


@SMALL
@given(st.data())
def test_updates(data):
    x = np.arange(60.0).reshape(data.draw(st.sampled_from([(60,), (5, 12), (3, 4, 5)])))
    key = data.draw(keys(x.shape))
    try:
        shape = x[key].shape
    except IndexError:
        return
    value = data.draw(st.sampled_from(["scalar", "full", "column"]))
    v = np.float64(2.5) if value == "scalar" else 1.0 + np.arange(np.prod(shape)).reshape(shape) if value == "full" or not shape else np.ones((*shape[:-1], 1)) * 3
    kind = data.draw(st.sampled_from(["set", "add", "multiply", "min", "max"]))
    want = x.copy()
    if kind == "set":
        want[key] = v
    else:
        {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}[kind].at(want, key, v)
    same(cb.function(lambda a, b: getattr(a.at[key], kind)(b))(x, v), want)
    if kind in ("set", "add") and want.size:
        # Linear in both: the gradient of a weighted sum is the weights, put back where they came from.
        w = np.sin(np.arange(x.size)).reshape(x.shape)
        ga, gb = cb.grad(lambda a, b: np.sum(getattr(a.at[key], kind)(b) * w), argnums=(0, 1))(x, v)
        for g, at, put in ((ga, x, lambda a: (a, v)), (gb, v, lambda b: (x, b))):
            direction = np.cos(np.arange(at.size)).reshape(at.shape)

            def value_of(t, at=at, direction=direction, put=put):
                a, b = put(at + t * direction)
                out = np.array(a)
                if kind == "set":
                    out[key] = b
                else:
                    np.add.at(out, key, b)
                return np.sum(out * w)

            np.testing.assert_allclose(np.sum(g * direction), (value_of(1.0) - value_of(-1.0)) / 2, rtol=1e-9, atol=1e-9)


def test_constant_bools_index():
    x = np.arange(6.0).reshape(2, 3)
    for key in (True, False, np.bool_(True), (True, 1), (slice(None), True), (np.array([0, 1]), True), (Ellipsis, False)):
        same(cb.function(lambda v, k=key: v[k])(x), x[key])


def test_traced_masks_update():
    x = np.arange(6.0).reshape(2, 3)
    f = cb.function(lambda v: (v.at[v > 2].set(-1.0), v.at[v[:, 0] > 1].add(np.array([1.0, 2.0, 3.0])), v.at[v > 2].multiply(10)))
    a, b, c = f(x)
    same(a, np.where(x > 2, -1, x))
    same(b, np.where((x[:, :1] > 1), x + [1, 2, 3], x))
    same(c, np.where(x > 2, x * 10, x))
    with pytest.raises(cb.TracedError, match=r"np\.where"):
        cb.function(lambda v: v.at[v > 2].set(np.ones(3)))(x)


def test_update_refusals():
    x = np.ones((2, 3))
    for key, value, what in (((0, 7), 1.0, IndexError), ((slice(None), slice(None), 0), 1.0, IndexError), (0, np.ones(4), cb.ShapeError), (np.array([0.5]), 1.0, IndexError)):
        with pytest.raises(what):
            cb.function(lambda v, k=key, w=value: v.at[k].set(w))(x)


# ---- What NumPy lacks


def test_own_functions():
    x = np.array([[3.0, np.nan, 1.0, 3.0], [2.0, 2.0, -np.inf, 5.0]])
    same(cnp.cummax(x, axis=1), np.maximum.accumulate(x, axis=1))
    same(cnp.cummin(x, axis=1, reverse=True), np.minimum.accumulate(x[:, ::-1], axis=1)[:, ::-1])
    same(cnp.cumlogsumexp(x, axis=1), np.logaddexp.accumulate(x, axis=1))
    same(cnp.cumlogsumexp(np.array([-np.inf, -np.inf, 0.0])), np.array([-np.inf, -np.inf, 0.0]))
    same(cnp.cumargmin(np.array([2, 1, 1, 0])), np.array([0, 1, 1, 3]))
    same(cnp.duplicated(x, axis=1), np.array([[False, False, False, True], [False, True, False, False]]))
    v, i = cnp.top_k(x, 2)
    same(v, np.array([[np.nan, 3.0], [5.0, 2.0]]))
    same(i, np.array([[1, 0], [3, 0]]))
    ids = np.array([1, 0, 1, 1])
    same(cnp.segment_sum(np.arange(4.0), ids, 3), np.array([1.0, 5.0, 0.0]))
    same(cnp.segment_prod(np.arange(4), ids, 3), np.array([1, 0, 1]))
    same(cnp.segment_max(x.T, ids, 2)[0], x[:, 1])
    same(cnp.linear_recurrence(np.full(3, 2.0), np.ones(3), reverse=True), np.array([7.0, 3.0, 1.0]))
    same(cnp.dynamic_slice(np.arange(12.0).reshape(3, 4), (5, -2), (1, 2)), np.array([[10.0, 11.0]]))
    same(cnp.dynamic_update(np.zeros(4), np.ones(2), (3,)), np.array([0.0, 0, 1, 1]))
    same(np.sort(np.array([1.0, 2.0])), cnp.sort(np.array([2.0, 1.0])))


def test_segments_outside():
    with pytest.raises(cb.Error, match="segment_max: index at position 1 lies outside"):
        cb.function(lambda d, s: cnp.segment_max(d, s, 2))(np.ones(2), np.array([0, 2]))


def test_associative_scan():
    x = np.arange(1.0, 8.0).reshape(7, 1)
    a, b = cb.associative_scan(lambda l, r: (l[0] * r[0], l[1] * r[0] + r[1]), (x, x))
    want = [x[0]]
    for i in range(1, 7):
        want.append(want[-1] * x[i] + x[i])
    same(b, np.array(want))
    same(a, np.cumprod(x, axis=0))
    back = cb.associative_scan(lambda l, r: l * 10 + r, x, reverse=True)[0]  # not associative: so much for the order of two
    assert back.shape == (1,)
    m = np.random.default_rng(0).standard_normal((5, 2, 2))
    got = cb.associative_scan(lambda l, r: r @ l, m, reverse=True)
    want = m[4]
    for i in (3, 2, 1, 0):
        want = m[i] @ want
    np.testing.assert_allclose(got[0], want, rtol=1e-12)
    g = cb.grad(lambda v: np.sum(cb.associative_scan(np.multiply, v)))(np.array([2.0, 0.0, 3.0]))
    np.testing.assert_allclose(g, [1, 8, 0])
    with pytest.raises(cb.ShapeError, match="f gives"):
        cb.associative_scan(lambda l, r: l[None] + r, np.ones(4))


@pytest.mark.parametrize("f", [
    np.sort, lambda v: np.sort(v, axis=0)[::-1] * np.arange(3.0)[:, None], lambda v: np.median(v, axis=0), lambda v: np.quantile(v, [0.2, 0.7], axis=1),
    lambda v: np.cumprod(v, axis=1), lambda v: cnp.cumlogsumexp(v, axis=0), lambda v: cnp.cummax(v, axis=1), lambda v: cnp.top_k(v, 2)[0],
    lambda v: cnp.segment_prod(v, np.array([0, 1, 0]), 2), lambda v: cnp.segment_min(v, np.array([0, 1, 0]), 2), lambda v: np.std(v, axis=0, ddof=1),
    lambda v: cnp.linear_recurrence(np.tanh(v), v, axis=0), lambda v: v.at[np.array([1, 1, 0]), 2].multiply(v[:, 0]), lambda v: v.at[:, 1].set(v[:, 0] ** 2),
    lambda v: np.histogram(np.arange(12.0), 3, range=(0.0, 12.0), weights=np.ravel(v))[0], lambda v: np.polyfit(np.arange(3.0), v, 1), lambda v: np.linspace(v[0], v[1], 5),
])  # fmt: skip
def test_derivatives(f):
    """First and second derivatives against central differences."""
    x = np.random.default_rng(3).uniform(0.5, 2.0, (3, 4))
    w = np.random.default_rng(4).standard_normal(x.shape)
    g = cb.function(lambda v: np.sum(np.sin(f(v))))
    h = 1e-5
    np.testing.assert_allclose(np.sum(cb.grad(g)(x) * w), (g(x + h * w) - g(x - h * w)) / (2 * h), rtol=1e-7, atol=1e-8)
    slope = cb.grad(g)
    np.testing.assert_allclose(cb.hvp(g, x, w), (slope(x + h * w) - slope(x - h * w)) / (2 * h), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cb.vmap(slope)(np.stack([x, x * 1.1])), np.stack([slope(x), slope(x * 1.1)]), rtol=1e-12, atol=1e-13)


def test_what_looking_longer_found():
    """Cases of the properties above that only thousands of examples reach (Tests/tools/verify.sh python)."""
    for name in ("fmax", "fmin", "maximum", "minimum"):
        for code in (bool, np.int32, np.int64, np.float32, np.float64):
            agree(getattr(np, name), np.array([0, 1, 1, 0], code), np.array([0, 0, 1, 1], code))
            agree(getattr(np, name), np.array(1, code), np.array([True, False]))
    for name in REDUCTIONS:
        for axis in (0, -1, 1, (0,), None, ()):
            for keep in (False, True):
                agree(lambda v, name=name, axis=axis, keep=keep: getattr(np, name)(v, axis=axis, keepdims=keep), np.array(1.5))
    # Sums over axes that do not lie together, of nothing.
    for shape in ((0, 1, 12), (3, 0, 4), (0, 2, 0), (2, 3, 0), (0, 5, 2)):
        for name in ("sum", "prod", "any", "all"):
            agree(lambda v, name=name: getattr(np, name)(v, axis=(0, 2)), np.ones(shape))
    # An ellipsis that stands for no axis parts integer arrays all the same.
    x, none = np.arange(60.0).reshape(3, 4, 5), np.zeros(4, bool)
    some = np.array([1, 0, 1, 1], bool)
    for key in ((slice(None), none, ..., 0), (slice(None), some, ..., 0), (slice(0, 2), [[1, 2]], ..., 0), (None, 1, ..., some, 2), (None, 1, some, 2, ...), (slice(None), some, 0, ...), (..., some, 0)):
        agree(lambda v, key=key: v[key], x)
        want, value = x.copy(), np.cos(np.arange(x[key].size)).reshape(x[key].shape)
        want[key] = value
        same(cb.function(lambda a, b, key=key: a.at[key].set(b))(x, value), want)
    x, w, key = np.arange(60.0).reshape(5, 12), np.sin(np.arange(60.0)).reshape(5, 12), (np.zeros(5, bool), None, Ellipsis)
    a, b = cb.grad(lambda a, b: np.sum(a.at[key].set(b) * w), argnums=(0, 1))(x, np.float64(2.5))
    assert np.array_equal(a, w) and b == 0
