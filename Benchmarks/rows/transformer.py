"""A transformer block, d 256, 4 heads, 128 tokens, batch 8, f32: a training step with Adam on a mean squared error."""

import numpy as np

from harness import Engine, Inputs, Row
from rows._training import jax_step, torch_step

D, HEADS, TOKENS, BATCH = 256, 4, 128, 8
SHAPES = {"g1": (D,), "c1": (D,), "wqkv": (D, 3 * D), "wo": (D, D), "g2": (D,), "c2": (D,),
          "w1": (D, 4 * D), "b1": (4 * D,), "w2": (4 * D, D), "b2": (D,)}  # fmt: skip
NAMES, DATA = tuple(SHAPES), ("x", "targets")


def inputs() -> Inputs:
    rng = np.random.default_rng(256)
    out = {name: rng.normal(size=(BATCH, TOKENS, D)) for name in DATA}
    for name, shape in SHAPES.items():
        scale = shape[0] ** -0.5 if len(shape) == 2 else 0.1
        out[name] = (name[0] == "g") + scale * rng.normal(size=shape)
    return {name: array.astype(np.float32) for name, array in out.items()}


def loss(words, data, params):
    g1, c1, wqkv, wo, g2, c2, w1, b1, w2, b2 = params
    x = data["x"]

    def norm(x, g, c):
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred * ((centred * centred).mean(axis=-1, keepdims=True) + 1e-5) ** -0.5 * g + c

    qkv = (norm(x, g1, c1) @ wqkv).reshape(BATCH, TOKENS, 3, HEADS, D // HEADS)
    q, k, v = (qkv[:, :, i].swapaxes(1, 2) for i in range(3))
    weights = words.softmax(q @ k.swapaxes(2, 3) * (D // HEADS) ** -0.5)
    y = x + (weights @ v).swapaxes(1, 2).reshape(BATCH, TOKENS, D) @ wo
    z = y + words.gelu(norm(y, g2, c2) @ w1 + b1) @ w2 + b2
    return ((z - data["targets"]) ** 2).mean()


ROWS = [
    Row("transformer-step", "transformer block, f32: Adam step", inputs, [
        Engine("Camber C++", source="camber_transformer.cpp", flags=("-lcamber",)),
        Engine("JAX", jax_step(DATA, NAMES, loss), ("jax",)),
        Engine("torch", torch_step(DATA, NAMES, loss, False), ("torch",)),
        Engine("torch.compile", torch_step(DATA, NAMES, loss, True), ("torch",)),
    ], 1e-4),
]  # fmt: skip
