"""Gradient flow: what watches changes nothing, and names the layer."""

import numpy as np
import pytest

import camber as cb


def mlp(params, x, y):
    for i, (w, b) in enumerate(params):
        x = x @ w + b
        if i + 1 < len(params):
            x = cb.layer(np.tanh(x), f"h{i}")
    return np.mean((x - y) ** 2)


def network(scale, depth=12, width=16, dtype=np.float64, only=None):
    rng = np.random.default_rng(1)
    gains = [scale if only is None or i == only else 1.0 for i in range(depth)]
    return [((g * rng.standard_normal((width, width)) / np.sqrt(width)).astype(dtype), np.zeros(width, dtype)) for g in gains]


def batch(dtype=np.float64, width=16):
    rng = np.random.default_rng(2)
    return rng.standard_normal((32, width)).astype(dtype), rng.standard_normal((32, width)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_watching_changes_nothing(dtype):
    params, data = network(1.0, dtype=dtype), batch(dtype)
    value, slopes = cb.flow(mlp)(params, *data)
    plain, expected = cb.value_and_grad(mlp)(params, *data)
    assert value == plain
    for a, b in zip(cb.pytree.leaves(slopes), cb.pytree.leaves(expected)):
        assert a.tobytes() == b.tobytes()


def test_statistics_are_those_of_numpy():
    params, (x, y) = network(1.0, depth=4), batch()
    flow = cb.flow(mlp)
    flow(params, x, y)
    h = x
    for i, (w, b) in enumerate(params[:3]):
        h = np.tanh(h @ w + b)
        assert flow.levels[i] == f"h{i}"
        np.testing.assert_allclose(flow.statistic("value_rms")[i], np.sqrt(np.mean(h**2)), rtol=1e-12)
        np.testing.assert_allclose(flow.statistic("value_max")[i], np.max(np.abs(h)), rtol=1e-12)
        np.testing.assert_allclose(flow.statistic("saturated")[i], np.mean(np.abs(h) >= 0.97), rtol=1e-12)

    def tail(h, i):
        for k, (w, b) in enumerate(params[i + 1 :]):
            h = h @ w + b
            h = np.tanh(h) if k + i + 2 < len(params) else h
        return np.mean((h - y) ** 2)

    g = cb.grad(lambda h: tail(h, 2))(h)
    np.testing.assert_allclose(flow.statistic("gradient_rms")[2], np.sqrt(np.mean(g**2)), rtol=1e-12)
    np.testing.assert_allclose(flow.statistic("weight_rms")[0], np.sqrt(np.mean(params[0][0] ** 2)), rtol=1e-12)


def test_names_where_gradients_vanish():
    flow = cb.flow(mlp)
    flow(network(0.2), *batch())
    assert [f.kind for f in flow.findings()][0] == "vanish"
    assert flow.slope < -0.5


def test_an_exploding_layer_is_named_and_healed_in_one_call():
    params, data = network(60.0, only=5), batch()
    flow = cb.flow(mlp)
    flow(params, *data)
    (found, *_) = flow.findings()
    assert (found.kind, found.place, found.severity) == ("explode", "h5", "error")
    assert abs(np.log2(found.numbers["factor"]) - np.log2(60)) < 0.5
    assert "times" in flow.prescribe(found, params, *data)
    flow(params, *data)
    assert flow.findings() == []
    np.testing.assert_allclose(np.sqrt(np.mean(params[5][0] ** 2)), 1 / 4, rtol=1e-12)


def test_overflow_is_projected_from_the_slope():
    flow = cb.flow(mlp)
    params = [(3 * w, b) for w, b in network(1.0, depth=20, dtype=np.float32)]
    linear = lambda p, x, y: np.mean((_chain(p, x) - y) ** 2)  # noqa: E731
    flow = cb.flow(linear)
    flow(params, *batch(np.float32))
    found = flow.findings()[0]
    assert found.kind == "explode"
    # e^s a layer: what is left to f32's largest number.
    top = np.log(3.4028235e38) - np.log(flow.statistic("gradient_rms").max())
    assert abs(found.numbers["layers_to_overflow"] - top / flow.slope) < 1e-6 * top
    assert abs(flow.slope - np.log(3)) < 0.15


def _chain(params, x):
    for i, (w, b) in enumerate(params):
        x = cb.layer(x @ w + b, f"h{i}")
    return x


def test_time_steps_are_levels():
    def loss(w, x, z):
        def step(h, inputs):
            u, e = inputs
            h = np.tanh(h @ w + u) + e
            return h, h

        last, all_ = cb.scan(step, np.zeros((4, 8)), (x, cb.layer(z, "h", steps=True)))
        return np.sum(last**2)

    rng = np.random.default_rng(0)
    w, x, z = 0.05 * rng.standard_normal((8, 8)), rng.standard_normal((12, 4, 8)), np.zeros((12, 4, 8))
    flow = cb.flow(lambda p, x: loss(p[0], x, p[1]))
    flow([w, z], x)
    g = cb.grad(lambda z: loss(w, x, z))(z)
    assert flow.levels == [f"h[{t}]" for t in range(12)]
    np.testing.assert_allclose(flow.statistic("gradient_rms"), np.sqrt(np.mean(g**2, axis=(1, 2))), rtol=1e-12)
    assert flow.slope < -1
    assert flow.findings()[0].kind == "vanish"


def test_layers_are_found_by_themselves():
    flow = cb.flow(lambda p, x: np.mean(np.maximum(np.maximum(x @ p[0] + p[1], 0) @ p[2], 0) ** 2))
    flow([np.ones((3, 4)), np.zeros(4), np.ones((4, 2))], np.ones((5, 3)))
    assert flow.levels == ["layer 1", "layer 2"]


def test_dead_units():
    flow = cb.flow(lambda p, x: np.mean(cb.layer(np.maximum(x @ p[0] + p[1], 0), "hidden") ** 2))
    b = np.zeros(4)
    b[1:] = -100
    p = [np.eye(3, 4), b]
    for _ in range(25):
        flow(p, np.abs(np.random.default_rng(1).standard_normal((5, 3))) + 0.1)
    np.testing.assert_array_equal(flow.statistic("dead"), [0.75])
    assert flow.findings()[0].kind == "dead"


def test_f16_gradients_below_its_range():
    def loss(p, x):
        return 1e-9 * np.mean(cb.layer(np.tanh(x @ p), "h") ** 2)

    p, x = np.eye(4, dtype=np.float32), np.ones((8, 4), np.float32)
    flow = cb.flow(loss, compute=np.float16, loss_scale=1.0)
    flow(p, x)
    assert flow.findings()[0].kind == "f16 underflow"
    assert flow.statistic("gradient_zeros")[0] == 1


@pytest.mark.parametrize("clip", ["agc", "zclip"])
def test_clipping_holds_a_spike(clip):
    p = [np.ones((3, 2)), np.ones(2)]
    opt = cb.optim.SGD(p, learning_rate=0.1, **{clip: 0.01 if clip == "agc" else 2.5})
    rng = np.random.default_rng(0)
    for _ in range(30):
        opt.step([0.01 * (1 + 0.1 * rng.standard_normal((3, 2))), np.zeros(2)])
    before = p[0].copy()
    opt.step([np.full((3, 2), 1e6), np.zeros(2)])
    assert np.max(np.abs(p[0] - before)) < 0.02


def test_agc_is_the_rule_of_its_paper():
    rng = np.random.default_rng(3)
    w, g = rng.standard_normal((5, 4)), 10 * rng.standard_normal((5, 4))
    p = [w.copy()]
    cb.optim.SGD(p, learning_rate=1.0, agc=0.05).step([g])
    limit = 0.05 * np.maximum(np.linalg.norm(w, axis=0), 1e-3)
    norms = np.linalg.norm(g, axis=0)
    np.testing.assert_allclose(w - p[0], g * np.minimum(1, limit / np.maximum(norms, 1e-6)), rtol=1e-12)


def test_compensation_loses_no_update_of_bf16():
    wide, narrow = [np.full(64, 1.0, np.float32)], [cb.to_bf16(np.full(64, 1.0, np.float32))]
    a, b = cb.optim.SGD(wide, learning_rate=1e-4), cb.optim.SGD(narrow, learning_rate=1e-4, compensate=1)
    for _ in range(200):
        a.step([np.ones(64, np.float32)])
        b.step([cb.to_bf16(np.ones(64, np.float32))])
    assert np.all(np.abs(cb.from_bf16(narrow[0]) - wide[0]) <= 2.0**-8)
    assert np.all(cb.from_bf16(narrow[0]) < 1)


@pytest.mark.parametrize(("method", "deviation"), [("he", np.sqrt(2 / 300)), ("lecun", np.sqrt(1 / 300)), ("xavier", np.sqrt(2 / 500)), ("orthogonal", np.sqrt(1 / 300))])
def test_initial_weights(method, deviation):
    w = cb.initialize(method, np.empty((300, 200)), seed=5)
    assert abs(np.std(w) / deviation - 1) < 0.02
    assert abs(np.mean(w)) < 5 * deviation / np.sqrt(w.size)
    np.testing.assert_array_equal(w, cb.initialize(method, np.empty((300, 200)), seed=5))
    if method == "orthogonal":
        np.testing.assert_allclose(w.T @ w, np.eye(200), atol=1e-12)


def test_lsuv_gives_unit_variance():
    params, data = network(0.1, depth=6), batch()
    flow = cb.flow(lambda p, x, y: np.mean((_chain(p, x) - y) ** 2))
    flow(params, *data)
    flow.prescribe("lsuv", params, *data)
    flow(params, *data)
    assert np.all(np.abs(flow.statistic("value_rms") - 1) <= 0.101)


def test_standardised_inputs():
    rng = np.random.default_rng(0)
    x = 100 + 5 * rng.standard_normal((64, 6))
    loss = lambda w, x: np.mean(cb.layer(np.tanh(x @ w), "h") ** 2)  # noqa: E731
    w = rng.standard_normal((6, 3)) / np.sqrt(6)
    flow = cb.flow(loss)
    flow(w, x)
    found = flow.findings()[0]
    assert found.kind == "inputs"
    flow.prescribe(found, w, x)
    value, slope = flow(w, x)
    mean, factor = flow.standard(0)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(factor, 1 / x.std(axis=0), rtol=1e-12)
    expected, g = cb.value_and_grad(loss)(w, (x - mean) * factor)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, g, rtol=1e-10)


def test_bad_arguments_are_sentences():
    flow = cb.flow(mlp)
    with pytest.raises(cb.Error, match="no option is called nonsense"):
        flow.set("nonsense", 1)
        flow(network(1.0, depth=2), *batch())
    flow = cb.flow(mlp)
    params, data = network(1.0, depth=2), batch()
    flow(params, *data)
    with pytest.raises(cb.Error, match="no statistic is called x"):
        flow.statistic("x")
    with pytest.raises(cb.Error, match="no remedy is called prayer"):
        flow.prescribe("prayer", params, *data)
    with pytest.raises(cb.Error, match="optimizer"):
        flow.prescribe("agc", params, *data)
    with pytest.raises(cb.Error, match="other shapes"):
        flow(network(1.0, depth=3), *data)
    with pytest.raises(cb.Error, match="no array of floats"):
        cb.flow(lambda p: np.sum(p * 1.0))(np.arange(3))
    with pytest.raises(cb.Error, match="gain"):
        cb.initialize("he", np.empty(3), gain=-1)


def test_lyapunov_exponents_of_the_logistic_map_and_of_a_product():
    # At r = 4 the exponent is log 2; the orbit is long enough for two digits.
    got = cb.lyapunov_exponents(lambda x: 4 * x * (1 - x), np.array([0.3]), steps=20000)
    assert abs(got[0] - np.log(2)) < 0.01
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 5))
    want = np.sort(np.log(np.abs(np.linalg.eigvals(a))))[::-1]
    for transposed in (False, True):
        got = cb.lyapunov_exponents(lambda x, a: a @ x, np.zeros(5), (a,), steps=4000, count=5, transposed=transposed)
        np.testing.assert_allclose(got, want, atol=2e-3)
    with pytest.raises(cb.Error, match="iterated"):
        cb.lyapunov_exponents(lambda x: x[:2], np.zeros(3))


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_extreme_singular_values(shape):
    a = np.random.default_rng(1).standard_normal(shape)
    s = np.linalg.svd(a, compute_uv=False)
    got = cb.singular_values(lambda x, a: np.tanh(a @ x), np.zeros(shape[1]), (a,))
    np.testing.assert_allclose([got.largest, got.smallest], [s[0], s[-1]], rtol=1e-9)


def test_singular_values_bound_what_they_have_not_found():
    d = np.linspace(0.1, 3, 200)
    got = cb.singular_values(lambda x: x * d, np.zeros(200), steps=8)
    assert np.min(np.abs(d - got.largest)) <= got.largest_error
    assert np.min(np.abs(d - got.smallest)) <= got.smallest_error
    assert 2.5 < got.largest <= 3 + 1e-12


def test_mean_field_is_known():
    q, chi, depth = cb.mean_field("tanh", 1.0)
    assert q < 1e-2 and 0.95 < chi < 1
    q, chi, _ = cb.mean_field("tanh", 2.5, 0.1)
    assert chi > 1
    z, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    np.testing.assert_allclose(q, 2.5**2 * np.sum(w * np.tanh(np.sqrt(q) * z) ** 2) + 0.01, rtol=1e-4)
    np.testing.assert_allclose(chi, 2.5**2 * np.sum(w * (1 - np.tanh(np.sqrt(q) * z) ** 2) ** 2), rtol=1e-4)
    with pytest.raises(cb.Error, match="there are"):
        cb.mean_field("swish", 1)
