"""Every float function of the parity list under every transform: forward against reverse, differences, batches, second order."""

import numpy as np
import pytest
from test_numpy_parity import CASES

import camber as cb

rng = np.random.default_rng(9)
# What jumps near these points, or takes a difference of huge numbers: no difference quotients.
JUMPS = {"heaviside", "remainder", "mod", "fmod", "divmod", "nan_to_num", "unwrap"}


def is_float(function, args):
    with np.errstate(all="ignore"):
        out = np.asarray(function(*args))
    return out.dtype == np.float64 and all(a.dtype == np.float64 for a in args) and np.isfinite(out).all()


NAMES = [name for name, (function, args) in CASES.items() if is_float(function, args) and all(a.size for a in args)]


def like(args, name):
    """Directions; symmetric ones for cholesky, whose derivative is that of the symmetric matrix."""
    found = tuple(rng.standard_normal(a.shape) for a in args)
    return tuple(d + np.swapaxes(d, -1, -2) for d in found) if name.startswith("cholesky") else found


@pytest.mark.parametrize("name", NAMES)
def test_transforms(name):
    function, args = CASES[name]
    f = cb.function(function)
    y = f(*args)
    v, w = like(args, name), rng.standard_normal(np.shape(y))
    # forward and reverse are each other's transpose
    _, dot = cb.jvp(f, args, v)
    value, pullback = cb.vjp(f, *args)
    back = pullback(w)
    np.testing.assert_array_equal(value, y)
    size = np.sum(np.abs(w * dot)) + sum(np.sum(np.abs(b * d)) for b, d in zip(back, v)) + 1e-300
    assert abs(np.sum(w * dot) - sum(np.sum(b * d) for b, d in zip(back, v))) <= 1e-12 * size
    # central differences
    if name.split()[0] not in JUMPS:
        h = 1e-6
        up, down = (f(*[a + s * h * d for a, d in zip(args, v)]) for s in (1, -1))
        scale = 1 + np.max(np.abs(dot), initial=0) + np.max(np.abs(y), initial=0)
        np.testing.assert_allclose(dot, (up - down) / (2 * h), rtol=1e-5, atol=2e-7 * scale)
    # a batch is a loop
    with np.errstate(all="ignore"):
        many = [tuple(a + 1e-3 * k * np.abs(a) for a in args) for k in range(3)]
    stacked = [np.stack(column) for column in zip(*many)]
    np.testing.assert_allclose(cb.vmap(f)(*stacked), [f(*a) for a in many], rtol=1e-13, atol=1e-14)
    grads = cb.grad(lambda *a: np.sum(function(*a) * w), argnums=tuple(range(len(args))))
    loop = [grads(*a) for a in many]
    for i, batched in enumerate(cb.vmap(grads)(*stacked)):
        np.testing.assert_allclose(batched, [g[i] for g in loop], rtol=1e-11, atol=1e-12)
    # the Hessian is symmetric, and forward over reverse is reverse over reverse
    u = like(args, name)

    def total(a):
        return np.sum(function(*a) * w)

    hv, hu = cb.hvp(total, list(args), list(v)), cb.hvp(total, list(args), list(u))
    left, right = sum(np.sum(a * b) for a, b in zip(hv, u)), sum(np.sum(a * b) for a, b in zip(hu, v))
    size = sum(np.sum(np.abs(a * b)) for a, b in zip(hv, u)) + sum(np.sum(np.abs(a * b)) for a, b in zip(hu, v))
    assert abs(left - right) <= 1e-10 * size + 1e-13
    slopes = cb.grad(total)
    again = cb.grad(lambda a: sum(np.sum(s * d) for s, d in zip(slopes(a), v)))(list(args))
    for a, b in zip(again, hv):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * (1 + np.max(np.abs(b))))


@pytest.mark.parametrize("name", [n for n in NAMES if np.size(CASES[n][1][0]) <= 12])
def test_jacobians(name):
    """Forward, reverse and a loop over unit tangents give one matrix; f32 is f64 rounded."""
    function, args = CASES[name]
    forward, reverse = cb.jacfwd(function)(*args), cb.jacrev(function)(*args)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-13)
    unit = np.eye(args[0].size).reshape(args[0].size, *args[0].shape)
    rest = tuple(np.zeros_like(a) for a in args[1:])
    columns = np.stack([cb.jvp(function, args, (e, *rest))[1] for e in unit], axis=-1)
    np.testing.assert_allclose(forward, columns.reshape(forward.shape), rtol=1e-12, atol=1e-13)
    narrow = cb.jacobian(function)(*[a.astype(np.float32) for a in args])
    scale = 1 + np.max(np.abs(forward))
    if narrow.dtype == np.float32:
        np.testing.assert_allclose(narrow, forward, rtol=2e-3, atol=2e-4 * scale)
