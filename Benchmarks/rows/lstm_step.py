"""An LSTM layer, 128 steps, hidden 256, batch 32, f32: a training step with Adam on a mean squared error of all its outputs."""

import numpy as np

from harness import Engine, Inputs, Row
from rows._training import EPSILON, RATE, floats, jax_step

STEPS, BATCH, HIDDEN = 128, 32, 256
NAMES, DATA = ("wx", "wh", "b"), ("x", "targets")


def inputs() -> Inputs:
    rng = np.random.default_rng(128)
    out = {name: rng.normal(size=(STEPS, BATCH, HIDDEN)) for name in DATA}
    out |= {name: HIDDEN**-0.5 * rng.normal(size=(HIDDEN, 4 * HIDDEN)) for name in NAMES[:2]}
    out["b"] = 0.1 * rng.normal(size=4 * HIDDEN)
    return {name: array.astype(np.float32) for name, array in out.items()}


def jax_loss(words, data, params):
    import jax
    import jax.numpy as jnp

    wx, wh, b = params
    driven = data["x"] @ wx + b

    def step(carry, now):
        hidden, cell = carry
        i, f, g, o = jnp.split(now + hidden @ wh, 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    zero = jnp.zeros((BATCH, HIDDEN), jnp.float32)
    return ((jax.lax.scan(step, (zero, zero), driven)[1] - data["targets"]) ** 2).mean()


def torch(i: Inputs):
    import torch

    x, targets = map(torch.tensor, floats(i, DATA))
    layer = torch.nn.LSTM(HIDDEN, HIDDEN)
    with torch.no_grad():
        for name, value in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), floats(i, NAMES)):
            getattr(layer, name).copy_(torch.tensor(value).T)
        layer.bias_hh_l0.zero_()
    layer.bias_hh_l0.requires_grad_(False)  # torch adds two biases; one is trained
    params = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    adam = torch.optim.Adam(params, lr=RATE, eps=EPSILON, fused=True)

    def step():
        adam.zero_grad()
        value = ((layer(x)[0] - targets) ** 2).mean()
        value.backward()
        adam.step()
        return value, [p.T for p in params]

    return step


ROWS = [
    Row("lstm-step", "LSTM, 128 steps, hidden 256, batch 32, f32: Adam step", inputs, [
        Engine("Camber C++, scan", source="camber_lstm_step.cpp", flags=("-lcamber",)),
        Engine("torch, nn.LSTM", torch, ("torch",)),
        Engine("JAX, scan", jax_step(DATA, NAMES, jax_loss), ("jax",)),
    ], 1e-4),
]  # fmt: skip
