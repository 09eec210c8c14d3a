"""ADBench's objectives: values and derivatives equal to the published ones to 1e-8."""

import json
from pathlib import Path

import adbench_models as models
import numpy as np
import pytest

import camber as cb

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "adbench"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"ADBench's inputs are not at {DATA}")
PUBLISHED = json.loads((DATA / "published.json").read_text()) if DATA.is_dir() else {}
TOLERANCE = 1e-8


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def test_gmm():
    *params, x, gamma, m = models.read_gmm(DATA / "gmm" / "test.txt")
    value, slopes = cb.value_and_grad(lambda p: models.gmm(*p, x, gamma, m))(params)
    near(value, PUBLISHED["gmm_test"]["objective"])
    near(np.concatenate([s.ravel() for s in slopes]), PUBLISHED["gmm_test"]["gradient"])


@pytest.mark.parametrize("name", ["1k_gmm_d2_K5", "1k_gmm_d10_K10", "1k_gmm_d20_K5"])
def test_gmm_large(name):
    """Along a random direction: forward, reverse and central differences agree."""
    *params, x, gamma, m = models.read_gmm(DATA / "gmm" / f"{name}.txt")
    f = cb.function(lambda p: models.gmm(*p, x, gamma, m))
    v = [np.random.default_rng(1).standard_normal(p.shape) for p in params]
    slope = sum(np.sum(a * b) for a, b in zip(cb.grad(f)(params), v))
    assert cb.jvp(f, (params,), (v,))[1] == pytest.approx(slope, rel=1e-11)
    h = 1e-6
    step = (f([p + h * d for p, d in zip(params, v)]) - f([p - h * d for p, d in zip(params, v)])) / (2 * h)
    assert step == pytest.approx(slope, rel=1e-5)


def test_ba():
    cameras, points, weights, features, who, what = models.read_ba(DATA / "ba" / "test.txt")
    residuals = cb.vmap(models.reprojection)(cameras[who], points[what], weights, features)
    near(residuals, np.tile(PUBLISHED["ba_test"]["reproj_err_one"], (10, 1)))
    near(cb.vmap(models.weight_error)(weights), PUBLISHED["ba_test"]["w_err_one"])
    blocks = cb.vmap(cb.jacobian(models.reprojection, argnums=(0, 1, 2)))(cameras[who], points[what], weights, features)
    rows = np.concatenate([blocks[0], blocks[1], blocks[2][..., None]], axis=2)
    values = np.concatenate([rows.ravel(), cb.vmap(cb.grad(models.weight_error))(weights)])
    near(values, PUBLISHED["ba_test"]["J_vals"])


@pytest.mark.parametrize("name", ["ba1_n49_m7776_p31843", "ba2_n21_m11315_p36455"])
def test_ba_large(name):
    cameras, points, weights, features, who, what = models.read_ba(DATA / "ba" / f"{name}.txt")
    blocks = cb.vmap(cb.jacobian(models.reprojection, argnums=(0, 1, 2)))(cameras[who], points[what], weights, features)
    one = cb.jacobian(models.reprojection, argnums=(0, 1, 2))(cameras[0], points[0], weights[0], features[0])
    for whole, single in zip(blocks, one):
        near(whole, np.broadcast_to(single, whole.shape))


def test_lstm():
    main, extra, state, sequence = models.read_lstm(DATA / "lstm" / "lstm_l2_c1024.txt")
    value, slopes = cb.value_and_grad(lambda p: models.lstm(*p, state, sequence))((main, extra))
    assert float(value) == pytest.approx(PUBLISHED["lstm_l2_c1024"]["objective"], abs=1e-8)
    near(np.concatenate([s.ravel() for s in slopes]), PUBLISHED["lstm_l2_c1024"]["gradient"])


@pytest.fixture(scope="module")
def hand():
    return models.Hand(DATA / "hand" / "model")


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_hand(hand, mode):
    which, points, _, theta = models.read_hand(DATA / "hand" / "test.txt", False)
    f = lambda t: models.hand_simple(t, hand, which, points)  # noqa: E731
    near(cb.function(f)(theta), PUBLISHED["hand_test"]["objective"])
    near(cb.jacobian(f, mode=mode)(theta), PUBLISHED["hand_test"]["jacobian"])


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_hand_complicated(hand, mode):
    which, points, u, theta = models.read_hand(DATA / "hand" / "hand_complicated.txt", True)
    f = lambda u, t: models.hand_complicated(u, t, hand, which, points)  # noqa: E731
    near(cb.function(f)(u, theta), PUBLISHED["hand_complicated"]["objective"])
    by_u, by_theta = cb.jacobian(f, argnums=(0, 1), mode=mode)(u, theta)
    own = by_u.reshape(2, 3, 2, 2)[np.arange(2), :, np.arange(2)].reshape(6, 2)  # a point depends on its own u alone
    others = by_u.reshape(2, 3, 2, 2)[np.arange(2), :, 1 - np.arange(2)]
    assert not others.any()
    near(np.concatenate([own, by_theta], axis=1), PUBLISHED["hand_complicated"]["jacobian"])


def test_hand_large(hand):
    which, points, u, theta = models.read_hand(DATA / "hand" / "complicated_hand1_t26_c100.txt", True)
    f = lambda u, t: models.hand_complicated(u, t, hand, which, points)  # noqa: E731
    forward = cb.jacobian(f, argnums=1, mode="forward")(u, theta)
    np.testing.assert_allclose(forward, cb.jacobian(f, argnums=1, mode="reverse")(u, theta), rtol=1e-10, atol=1e-11)
    simple, points, _, theta = models.read_hand(DATA / "hand" / "simple_hand1_t26_c100.txt", False)
    g = lambda t: models.hand_simple(t, hand, simple, points)  # noqa: E731
    np.testing.assert_allclose(cb.jacfwd(g)(theta), cb.jacrev(g)(theta), rtol=1e-10, atol=1e-11)
