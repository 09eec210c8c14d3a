"""Remedies: each does what it says, against NumPy; verifying changes nothing; what is known of a training is saved and named."""

import numpy as np
import pytest

import camber as cb


def deep(gain, depth=10, width=12, seed=1):
    rng = np.random.default_rng(seed)
    return [gain * rng.standard_normal((width, width)) / np.sqrt(width) for _ in range(depth)]


def chain(params, x, y):
    for i, w in enumerate(params):
        x = cb.layer(np.tanh(x @ w), f"h{i}")
    return np.mean((x - y) ** 2)


def data(n=32, width=12, seed=2):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, width)), 0.3 * rng.standard_normal((n, width))


@pytest.mark.parametrize(("gain", "kind"), [(0.15, "vanish"), (8.0, "explode")])
@pytest.mark.parametrize("remedy", ["normalize", "rescale", "reinitialize"])
def test_each_remedy_of_scales_is_verified(gain, kind, remedy):
    params, batch = deep(gain), data()
    flow = cb.flow(chain)
    flow(params, *batch)
    (found, *_) = flow.findings()
    assert found.kind == kind
    opt = cb.optim.SGD(params, learning_rate=1e-2)
    assert flow.verify(params, *batch, optimizer=opt, steps=5)[0].kind == kind
    flow(params, *batch)
    assert "layers" in flow.prescribe(remedy, params, *batch, place=found.place) or remedy in ("rescale", "reinitialize")
    assert flow.verify(params, *batch, optimizer=opt, steps=5) == []


def test_lsuv_looks_at_what_comes_before_the_activation():
    params, (x, y) = deep(0.15), data()
    flow = cb.flow(chain)
    flow(params, x, y)
    flow.prescribe("lsuv", params, x, y)
    h = x
    for w in params:
        h = np.tanh(h @ w)
        assert 0.9 < np.sqrt(np.mean(h**2)) / 0.6279 < 1.1


def test_verifying_changes_nothing():
    params, batch = deep(1.0), data()
    opt = cb.optim.Adam(params, learning_rate=1e-2)
    flow = cb.flow(chain)
    opt.step(flow(params, *batch)[1])
    before, state = [p.copy() for p in params], opt.state_dict()
    flow.verify(params, *batch, optimizer=opt, steps=7)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(params, before))
    assert all(opt.state_dict()[k].tobytes() == v.tobytes() for k, v in state.items())
    value, _ = flow(params, *batch)
    assert value == cb.function(chain)(params, *batch)


def test_normalised_layers_are_those_of_numpy():
    params, (x, y) = deep(3.0, depth=3), data()
    flow = cb.flow(chain)
    flow.prescribe("normalize", params, x, y)
    h = x
    for i, w in enumerate(params):
        z = h @ w
        d = z - z.mean(-1, keepdims=True)
        h = np.tanh(d / np.sqrt(np.mean(d**2, -1, keepdims=True)))
        np.testing.assert_allclose(flow.layers(f"h{i}", params, x, y), h, rtol=1e-12)
    value, slopes = flow(params, x, y)
    assert value == pytest.approx(np.mean((h - y) ** 2), rel=1e-12)
    step = 1e-6 * np.random.default_rng(0).standard_normal(params[1].shape)
    moved = [params[0], params[1] + step, params[2]]
    lower = [params[0], params[1] - step, params[2]]
    assert np.sum(slopes[1] * step) == pytest.approx((flow(moved, x, y)[0] - flow(lower, x, y)[0]) / 2, rel=1e-4)


def test_images_are_normalised_over_channels_and_places():
    rng = np.random.default_rng(0)
    k, x = [rng.standard_normal((4, 2, 3, 3))], rng.standard_normal((5, 2, 6, 6))
    flow = cb.flow(lambda p, x: np.mean(cb.layer(np.maximum(cb.nn.conv2d(x, p[0], padding=1), 0), "conv") ** 2))
    flow.prescribe("normalize", k, x)
    z = np.asarray(cb.function(lambda x: cb.nn.conv2d(x, k[0], padding=1))(x))
    d = z - z.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(flow.layers("conv", k, x), np.maximum(d / np.sqrt(np.mean(d**2, (1, 2, 3), keepdims=True)), 0), rtol=1e-12)


def test_residual_branches_are_scaled():
    def loss(p, x):
        for i, w in enumerate(p):
            x = cb.layer(x + np.tanh(x @ w), f"block {i}")
        return np.mean(x**2)

    params, (x, _) = deep(1.0, depth=4), data()
    flow = cb.flow(loss)
    assert flow.prescribe("residual", params, x).startswith("4 residual branches")
    h = x
    for i, w in enumerate(params):
        h = h + np.tanh(h @ w) / np.sqrt(8)
        np.testing.assert_allclose(flow.layers(f"block {i}", params, x), h, rtol=1e-12)
    assert flow(params, x)[0] == pytest.approx(np.mean(h**2), rel=1e-12)
    with pytest.raises(cb.InvalidError, match="no branch"):
        cb.flow(chain).prescribe("residual", params, *data())


def test_whitened_inputs_are_uncorrelated():
    rng = np.random.default_rng(5)
    mix = rng.standard_normal((6, 6)) * 10.0 ** np.arange(-2, 4)
    batches = [(rng.standard_normal((64, 6)) @ mix + 5).astype(np.float64) for _ in range(4)]
    params = [np.eye(6)]
    flow = cb.flow(lambda p, x: np.mean(cb.layer(x @ p[0], "x") ** 2))
    for b in batches:
        flow(params, b)
    assert "decorrelated" in flow.prescribe("whiten", params, batches[0])
    out = np.concatenate([flow.layers("x", params, b) for b in batches])
    assert np.linalg.cond(np.cov(np.concatenate(batches).T)) > 1e6
    assert np.linalg.cond(np.cov(out.T)) < 10
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-9)
    mean, factor = flow.standard()
    np.testing.assert_allclose(mean, np.concatenate(batches).mean(0), rtol=1e-10)
    assert factor.shape == (6,)


def test_gradient_penalty():
    params, (x, y) = deep(1.0, depth=3), data()
    flow = cb.flow(chain)
    assert "gradient by the data" in flow.prescribe("gradient_penalty", params, x, y)
    g, h = cb.grad(chain, argnums=(1, 2))(params, x, y)
    assert flow(params, x, y)[0] == pytest.approx(chain(params, x, y) + 0.005 * (np.sum(g**2) + np.sum(h**2)), rel=1e-12)

    def penalised(w, x):
        return cb.optim.gradient_penalty(np.sum(np.tanh(x @ w) ** 2), x)

    w = params[0]
    g = cb.grad(lambda x: np.sum(np.tanh(x @ w) ** 2))(x)
    assert cb.function(penalised)(w, x) == pytest.approx(np.sum(g**2) / 2, rel=1e-12)
    assert cb.check_derivatives(penalised)(w[:3, :3], x[:2, :3]).right
    with pytest.raises(cb.Error):
        cb.function(lambda x: cb.optim.gradient_penalty(x, x))(x)


@pytest.mark.parametrize("shape", [(8, 5), (6, 3, 2, 2)])
def test_spectral_norm_is_held(shape):
    rng = np.random.default_rng(3)
    p = [5 * rng.standard_normal(shape), rng.standard_normal(5)]
    opt = cb.optim.SGD(p, learning_rate=0.01)
    opt.step([np.zeros(shape), np.zeros(5)])
    opt.set(spectral_norm=1.5)
    for _ in range(200):
        opt.step([0.1 * rng.standard_normal(shape), np.zeros(5)])
    assert 1.3 < np.linalg.norm(p[0].reshape(shape[0], -1), 2) < 1.52
    assert [v.shape for k, v in opt.state_dict().items() if k.endswith("direction")] == [(int(np.prod(shape[1:])),)]
    small = [0.01 * np.eye(3)]
    cb.optim.SGD(small, learning_rate=0.1, spectral_norm=1.0).step([np.zeros((3, 3))])
    np.testing.assert_array_equal(small[0], 0.01 * np.eye(3))


def test_zclip_goes_on_from_a_saved_state():
    rng = np.random.default_rng(0)
    gradients = [0.01 * (1 + 0.1 * rng.standard_normal(4)) for _ in range(60)]
    gradients[40] = np.full(4, 50.0)
    whole = [np.ones(4)]
    opt = cb.optim.Adam(whole, learning_rate=0.1, zclip=2.5)
    for g in gradients:
        opt.step([g])
    half = [np.ones(4)]
    first = cb.optim.Adam(half, learning_rate=0.1, zclip=2.5)
    for g in gradients[:35]:
        first.step([g])
    again = cb.optim.Adam(half, learning_rate=0.1, zclip=2.5)
    again.load_state_dict(first.state_dict())
    for g in gradients[35:]:
        again.step([g])
    assert half[0].tobytes() == whole[0].tobytes()
    # What nobody would write there is no harm.
    state = first.state_dict()
    for bad in (np.nan, 1e300, -1.0):
        state["zclip"][:] = bad
        again.load_state_dict(state)
        assert again.step([gradients[0]])


def test_damping_is_adams_epsilon():
    params, batch = deep(1.0, depth=2), data()
    opt, flow = cb.optim.Adam(params), cb.flow(chain)
    for _ in range(3):
        opt.step(flow(params, *batch)[1])
    assert "epsilon" in flow.prescribe("damping", params, *batch, optimizer=opt)
    opt.step(flow(params, *batch)[1])
    with pytest.raises(cb.InvalidError, match="epsilon"):
        flow.prescribe("damping", params, *batch, optimizer=cb.optim.SGD(params))


def test_the_noise_scale_is_its_definition():
    rng = np.random.default_rng(4)
    params, flow = [rng.standard_normal((5, 1))], cb.flow(lambda p, x, y: np.mean((x @ p[0] - y) ** 2))
    batches = [(rng.standard_normal((16, 5)), rng.standard_normal((16, 1))) for _ in range(6)]
    for b in batches:
        flow(params, *b)
    slopes = [2 * x.T @ (x @ params[0] - y) / 16 for x, y in batches]
    small, large = np.mean([np.sum(g**2) for g in slopes]), np.sum(np.mean(slopes, 0) ** 2)
    g2, s = (96 * large - 16 * small) / 80, (small - large) / (1 / 16 - 1 / 96)
    np.testing.assert_allclose(flow.noise(params, *batches[0]), (s / g2, g2, s), rtol=1e-10)
    with pytest.raises(cb.InvalidError, match="two are needed"):
        cb.flow(chain).noise(deep(1.0), *data())


def test_a_solver_out_of_steps_gets_more():
    f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    s = cb.Solver("minimize", f, np.zeros(2), method="newton-cg", steps=2)
    s.run(np.zeros(2))
    (found,) = s.findings()
    assert (found.kind, found.remedy) == ("out of steps", "steps")
    assert s.prescribe(found) == "at most 20 steps" and s.prescribe("steps") == "at most 200 steps"
    assert s.run(np.zeros(2)).success and s.findings() == []
    assert "0.1 long" in s.prescribe("damping")
    with pytest.raises(cb.InvalidError, match="no damping"):
        cb.Solver("minimize", f, np.zeros(2), method="lbfgs").prescribe("damping")
    with pytest.raises(cb.InvalidError, match="there are damping, steps"):
        s.prescribe("rest")


def test_labels_are_layers():
    def loss(p, x):
        x = cb.label(np.tanh(x @ p[0]), "encoder")
        return np.mean(cb.label(np.tanh(x @ p[1]), "decoder") ** 2)

    flow = cb.flow(loss)
    flow([np.eye(3), np.eye(3)], np.ones((2, 3)))
    assert flow.levels == ["encoder", "decoder"]
    found = cb.nonfinite(cb.grad(lambda x: np.sum(cb.layer(np.sqrt(x), "root"))), np.zeros(3))
    assert found[0].label == "root"


def test_labels_are_kept_in_files(tmp_path):
    def f(x):
        y = cb.label(np.log(x), "layer3/log")
        return np.sum(y * cb.label(np.exp(x), "layer4"))

    x = np.array([1.0, 2.0])
    plain = lambda x: np.sum(np.log(x) * np.exp(x))  # noqa: E731
    cb.save(tmp_path / "f.camber", f, x)
    cb.save(tmp_path / "g.camber", plain, x)
    raw = (tmp_path / "f.camber").read_bytes()
    assert raw[8] == 2 and b"LABL" in raw and b"layer3/log" in raw and b"test_prescriptions" not in raw
    assert (tmp_path / "g.camber").read_bytes()[8] == 1
    loaded = cb.load(tmp_path / "f.camber")
    assert loaded.value(x) == f(x)
    born = cb.nonfinite(lambda x: loaded.value(x), np.array([0.0, 1.0]))
    assert born[0].behind is None and born[0].label == "layer3/log" or born[0].behind.label == "layer3/log"
