"""Random numbers, optimizers, schedules, loss scaling and files."""

import math

import numpy as np
import pytest

import camber as cb
import camber.special as csp

# ---- Random ------------------------------------------------------------------------------------------------------------------


def test_random_numbers():
    k = cb.random.key(42)
    u = cb.random.uniform(k, (50000,))
    assert u.dtype == np.float64 and 0 <= u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01 and abs(u.var() - 1 / 12) < 0.005
    n = cb.random.normal(k, (50000,))
    assert abs(n.mean()) < 0.02 and abs(n.std() - 1) < 0.02 and abs((n**4).mean() - 3) < 0.2
    assert cb.random.normal(k, (4,), "f32").dtype == np.float32
    np.testing.assert_array_equal(cb.random.uniform(k, 5), cb.random.uniform(k, (5,)))
    assert not np.array_equal(cb.random.uniform(cb.random.fold(k, 1), 5), cb.random.uniform(cb.random.fold(k, 2), 5))
    assert len(set(cb.random.split(k, 100).tolist())) == 100
    low = cb.random.uniform(k, (100,), low=-2.0, high=-1.0)
    assert -2 <= low.min() and low.max() < -1
    assert abs(cb.random.bernoulli(k, 0.3, (20000,)).mean() - 0.3) < 0.02


def test_random_traced():
    f = cb.function(lambda k, x: cb.random.normal(cb.random.fold(k, 3), x.shape) * x)
    k = cb.random.key(1)
    np.testing.assert_array_equal(f(k, np.ones(4)), cb.random.normal(cb.random.fold(k, 3), (4,)))
    noise = cb.random.normal(cb.random.fold(k, 3), (4,))
    np.testing.assert_array_equal(cb.grad(lambda x: f(k, x).sum())(np.ones(4)), noise)


def test_dropout():
    k, x = cb.random.key(5), np.ones(10000)
    y = cb.random.dropout(x, k, 0.25)
    assert set(np.unique(y)) == {0.0, 1 / 0.75} and abs((y == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(cb.grad(lambda x: np.sum(cb.random.dropout(x, k, 0.25)))(x), y)
    with pytest.raises(cb.Error):
        cb.random.dropout(x, k, 1.5)


# ---- Optimizers, against their papers' formulas --------------------------------------------------------------------------------


def reference(method, p, grads, lr=1e-2, momentum=0.0, nesterov=0, decay=0.0, b1=0.9, b2=0.999, eps=1e-8):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        if method == "sgd":
            g = g + decay * p
            m = momentum * m + g
            p = p - lr * ((g + momentum * m if nesterov else m) if momentum else g)
            continue
        if method == "adam":
            g = g + decay * p
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        step = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        p = p - lr * step - (lr * decay * p if method == "adamw" else 0)
    return p


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("cls", "options", "given"),
    [
        (cb.optim.SGD, {}, {}),
        (cb.optim.SGD, {"momentum": 0.9}, {"momentum": 0.9}),
        (cb.optim.SGD, {"momentum": 0.9, "nesterov": 1}, {"momentum": 0.9, "nesterov": 1}),
        (cb.optim.SGD, {"momentum": 0.8, "weight_decay": 0.1}, {"momentum": 0.8, "decay": 0.1}),
        (cb.optim.Adam, {}, {}),
        (cb.optim.Adam, {"weight_decay": 0.1, "beta1": 0.8}, {"decay": 0.1, "b1": 0.8}),
        (cb.optim.AdamW, {"weight_decay": 0.1}, {"decay": 0.1}),
        (cb.optim.AdamW, {}, {"decay": 0.01}),
    ],
)
def test_optimizers(cls, options, given, dtype):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal((3, 2)), rng.standard_normal(5)]
    grads = [[rng.standard_normal((3, 2)), rng.standard_normal(5)] for _ in range(7)]
    params = {"w": start[0].astype(dtype), "b": [start[1].astype(dtype)]}
    w = params["w"]
    opt = cls(params, learning_rate=1e-2, **options)
    for g in grads:
        assert opt.step({"w": g[0].astype(dtype), "b": [g[1].astype(dtype)]})
    assert params["w"] is w and opt.steps == 7
    tolerance = 1e-12 if dtype == np.float64 else 3e-6
    for got, p, i in ((params["w"], start[0], 0), (params["b"][0], start[1], 1)):
        np.testing.assert_allclose(got, reference(cls.__name__.lower(), p, [g[i] for g in grads], **given), rtol=tolerance, atol=tolerance)
    norm = math.sqrt(sum(float(np.sum(g**2)) for g in grads[-1]))
    assert opt.gradient_norm == pytest.approx(norm, rel=1e-5)


def test_clipping():
    for option, want in (("clip_value", [0.5, -0.5]), ("clip_norm", [0.3, -0.4]), ("clip_global_norm", [0.3, -0.4])):
        p = np.zeros(2)
        cb.optim.SGD([p], learning_rate=1.0, **{option: 0.5}).step([np.array([3.0, -4.0])])
        np.testing.assert_allclose(p, -np.array(want), rtol=1e-12)
    clipped = cb.function(lambda g: cb.optim.clip_by_global_norm(g, 1.0))({"a": np.array([3.0]), "b": np.array([4.0])})
    np.testing.assert_allclose([clipped["a"][0], clipped["b"][0]], [0.6, 0.8])
    assert cb.grad(lambda t: cb.optim.l2_penalty(t))([np.array([3.0]), 2.0])[0].tolist() == [3.0]
    assert cb.function(lambda t: cb.optim.l1_penalty(t))([np.array([-3.0]), 2.0]) == 5.0


def test_nonfinite_gradients_change_nothing():
    p = np.ones(3)
    opt = cb.optim.Adam([p])
    before = opt.state_dict()
    assert not opt.step([np.array([1.0, np.nan, 0.0])])
    assert p.tolist() == [1, 1, 1] and opt.steps == 0
    assert all(np.array_equal(before[k], v) for k, v in opt.state_dict().items())


def test_state(tmp_path):
    rng = np.random.default_rng(2)
    grads = [[rng.standard_normal(4)] for _ in range(6)]
    whole = [np.ones(4)]
    opt = cb.optim.AdamW(whole)
    for g in grads:
        opt.step(g)
    half = [np.ones(4)]
    first = cb.optim.AdamW(half)
    for g in grads[:3]:
        first.step(g)
    cb.save_tensors(tmp_path / "state.safetensors", first.state_dict())
    second = cb.optim.AdamW(half)
    second.load_state_dict(cb.load_tensors(tmp_path / "state.safetensors"))
    assert second.steps == 3
    for g in grads[3:]:
        second.step(g)
    assert half[0].tobytes() == whole[0].tobytes()
    with pytest.raises(cb.InvalidError, match="the optimizer"):
        second.load_state_dict({"step": np.zeros(1)})


def test_optimizer_errors():
    with pytest.raises(cb.InvalidError, match="in place"):
        cb.optim.SGD({"w": 1.0})
    with pytest.raises(cb.Error, match="momentum|option|rate"):
        cb.optim.SGD([np.ones(2)], speed=3)
    opt = cb.optim.SGD([np.ones(2)])
    with pytest.raises(cb.ShapeError, match="gradient of '0'"):
        opt.step([np.ones(3)])
    with pytest.raises(cb.DtypeError, match="f64"):
        opt.step([np.ones(2, np.float32)])
    with pytest.raises(cb.InvalidError, match="tree"):
        opt.step({"w": np.ones(2)})
    with pytest.raises(cb.InvalidError, match="known|none"):
        cb.optim.Optimizer("nothing", [np.ones(2)])


def test_schedules():
    c = cb.optim.cosine(steps=100, final=0.1)
    for t in (0, 25, 50, 99):
        assert c(t) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * t / 100)), rel=1e-12)
    s = cb.optim.step(every=10, factor=0.5)
    assert [s(t) for t in (0, 9, 10, 20)] == [1, 1, 0.5, 0.25]
    w = cb.optim.constant(warmup=4)
    assert [w(t) for t in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    p = np.zeros(1)
    opt = cb.optim.SGD([p], learning_rate=1.0, schedule=s)
    for _ in range(12):
        opt.step([np.ones(1)])
    assert p[0] == -(10 + 2 * 0.5)
    with pytest.raises(cb.InvalidError):
        cb.optim.Schedule("nothing")


def test_loss_scaler():
    s = cb.LossScaler(initial=8, interval=2)
    g = np.array([8.0, 16.0])
    assert s.unscale({"g": g}) and g.tolist() == [1, 2] and s.scale == 8
    assert s.unscale([np.array([8.0], np.float32)]) and s.scale == 16
    bad = np.array([np.inf, 1.0])
    assert not s.unscale([bad]) and bad.tolist() == [np.inf, 1.0] and s.scale == 8 and s.skipped == 1
    for _ in range(20):
        s.unscale([np.array([np.nan])])
    assert s.scale == 1 and s.skipped == 21
    with pytest.raises(cb.InvalidError, match="in place"):
        s.unscale([1.0])
    assert cb.LossScaler(initial=2.0**30, maximum=2.0**40).scale == 2.0**30  # whatever the order


@pytest.mark.parametrize("seed", range(4))
def test_loss_scaler_equals_the_usual_rule(seed):
    """Growth after `interval` finite steps on end, half at each that is not, between the limits."""
    rng = np.random.default_rng(seed)
    s = cb.LossScaler(initial=64, interval=3, minimum=2, maximum=256)
    scale, clean = 64.0, 0
    for _ in range(400):
        g = rng.standard_normal(5).astype(np.float32) * np.float32(1e4)
        finite = rng.random() < 0.7
        if not finite:
            g[rng.integers(5)] = rng.choice([np.nan, np.inf, -np.inf])
        want = g / np.float32(scale) if finite else g.copy()
        assert s.unscale([g]) == finite and np.array_equal(g, want, equal_nan=True)
        clean = clean + 1 if finite else 0
        if not finite:
            scale = max(scale / 2, 2)
        elif clean == 3:
            scale, clean = min(scale * 2, 256), 0
        assert s.scale == scale


def test_overflow_and_own_nan_are_told_apart():
    """Real gradients in f16: of losses that overflow at the scale, and of one that is a NaN at any."""
    rng = np.random.default_rng(5)

    def loss(x, k, bad):
        return np.sum(k * x * x) + np.sum(np.sqrt(x - 10.0 * bad))

    def gradient(x, k, bad, scale, compute):
        f = cb.grad(cb.precision(lambda x, s: s * loss(x, k, bad), compute=compute, output="f32"))
        return np.array(f(x.astype(np.float32), np.float32(scale)))

    s, told, wrong = cb.LossScaler(initial=2.0**14, guarded=1), [0, 0], 0
    for step in range(120):
        x, k = rng.uniform(1, 3, 4), float(rng.choice([0.5, 8.0, 40.0]))
        bad = step % 5 == 2
        before, g = s.scale, gradient(x, k, float(bad), s.scale, "f16")
        finite = bool(np.isfinite(g).all())
        assert s.unscale([g], again=lambda x=x, k=k, bad=bad: [gradient(x, k, float(bad), 1.0, "f32")]) == finite
        if finite:
            assert not bad and s.fault is None and s.tensor is None
            continue
        told[bad] += 1
        wrong += (s.fault == "nonfinite") != bad or (s.scale == before) != bad or s.tensor != 0
        if bad:
            s.set(initial=2.0 ** rng.integers(4, 15))  # else it soon fits, and nothing overflows
    assert wrong == 0 and told[0] > 10 and told[1] == 24 and s.skipped == sum(told)
    s = cb.LossScaler()
    assert not s.unscale([np.array([np.nan])])
    with pytest.raises(cb.InvalidError, match=r"again\(\) gave 2"):
        s.unscale([np.array([np.nan])], again=lambda: [np.ones(1), np.ones(1)])
    with pytest.raises(cb.DtypeError, match="f16, which overflows"):
        s.unscale([np.array([np.nan])], again=lambda: [np.ones(1, np.float16)])


# ---- Files -------------------------------------------------------------------------------------------------------------------


def test_files(tmp_path):
    path = tmp_path / "t.safetensors"
    tensors = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3, np.int32), "c": np.array([True, False]), "d": np.ones(2, np.float16), "e": cb.to_bf16([1.5]), "f": np.zeros((0, 2), np.float32), "z é": np.arange(3)}
    cb.save_tensors(path, tensors)
    back = cb.load_tensors(path)
    assert set(back) == set(tensors)
    for name, array in tensors.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape and np.array_equal(back[name].view(np.uint8), np.ascontiguousarray(array).view(np.uint8)) if array.ndim else back[name] == array
    import json

    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + size])
    assert head["a"]["dtype"] == "F64" and head["e"]["dtype"] == "BF16" and head["a"]["shape"] == [2, 3]
    with pytest.raises(cb.FileError, match="nowhere"):
        cb.load_tensors(tmp_path / "nowhere")
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(cb.FileError):
        cb.load_tensors(path)
    with pytest.raises(cb.FileError):
        cb.save_tensors(tmp_path / "no" / "folder", tensors)


# ---- A network ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compute", ["f64", "f32", "bf16", "f16"])
def test_a_network_learns(compute):
    """Two moons: 98 % after 300 steps in every precision."""
    rng = np.random.default_rng(0)
    t = rng.uniform(0, np.pi, 400)
    side = rng.integers(0, 2, 400)
    x = np.stack([np.cos(t) * (1 - 2 * side) + side, np.sin(t) * (1 - 2 * side) + 0.5 * side], 1) + 0.1 * rng.standard_normal((400, 2))
    base = np.float64 if compute == "f64" else np.float32
    x = x.astype(base)
    params = {"w": [rng.standard_normal((2, 24)).astype(base), (0.3 * rng.standard_normal((24, 2))).astype(base)], "b": [np.zeros(24, base), np.zeros(2, base)]}

    def forward(p, x):
        return np.tanh(x @ p["w"][0] + p["b"][0]) @ p["w"][1] + p["b"][1]

    model = forward if compute in ("f64", "f32") else cb.precision(forward, compute=compute, output="f32")
    target = np.eye(2, dtype=base)[side]

    def loss(p, x, scale):
        return -np.mean(np.sum(csp.log_softmax(model(p, x), axis=-1) * target, axis=-1)) * scale

    step = cb.value_and_grad(loss)
    opt = cb.optim.AdamW(params, learning_rate=0.02, schedule=cb.optim.cosine(steps=300))
    scaler = cb.LossScaler(initial=1024)
    for _ in range(300):
        value, slopes = step(params, x, scaler.scale if compute == "f16" else 1.0)
        if compute != "f16" or scaler.unscale(slopes):
            opt.step(slopes)
    guess = cb.function(model)(params, x).argmax(axis=1)
    assert (guess == side).mean() >= 0.98
