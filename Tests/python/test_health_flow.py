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
