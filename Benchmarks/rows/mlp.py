"""An MLP 784-512-512-10 on a batch of 128 in f32: a training step with Adam, and the Hessian of its loss times a vector."""

import numpy as np

from harness import Engine, Inputs, Row
from rows._training import floats, jax_loss, jax_step, torch_loss, torch_step

NAMES = ("w0", "b0", "w1", "b1", "w2", "b2")
SIZES = (784, 512, 512, 10)
DATA = ("x", "targets")


def inputs() -> Inputs:
    rng = np.random.default_rng(784)
    out = {"x": rng.random((128, 784)), "targets": np.eye(10)[rng.integers(0, 10, 128)]}
    for i, (m, n) in enumerate(zip(SIZES, SIZES[1:])):
        out |= {f"w{i}": rng.normal(size=(m, n)) * (2 / m) ** 0.5, f"b{i}": 0.1 * rng.normal(size=n)}
    out |= {"v" + name: rng.normal(size=out[name].shape) for name in NAMES}
    return {name: array.astype(np.float32) for name, array in out.items()}


def loss(words, data, params):
    w0, b0, w1, b1, w2, b2 = params
    x, targets = data["x"], data["targets"]
    layer = words.relu(words.relu(x @ w0 + b0) @ w1 + b1)
    return -(targets * words.log_softmax(layer @ w2 + b2)).sum() / x.shape[0]


def jax_hvp(i: Inputs):
    import jax
    import jax.numpy as jnp

    params, v = ([jnp.asarray(p) for p in floats(i, NAMES, prefix)] for prefix in ("", "v"))
    g = jax.grad(jax_loss(i, DATA, loss))
    f = jax.jit(lambda p, v: jax.jvp(g, (p,), (v,))[1])
    return lambda: jax.block_until_ready(f(params, v))


def torch_hvp(i: Inputs):
    import torch

    params, f = torch_loss(i, DATA, NAMES, loss)
    v = [torch.tensor(p) for p in floats(i, NAMES, "v")]

    def step():
        g = torch.autograd.grad(f(), params, create_graph=True)
        return torch.autograd.grad(g, params, v)

    return step


F32 = 1e-4
ROWS = [
    Row("mlp-step", "MLP 784-512-512-10, batch 128, f32: Adam step", inputs, [
        Engine("Camber C++", source="camber_mlp.cpp", flags=("-lcamber",)),
        Engine("JAX", jax_step(DATA, NAMES, loss), ("jax",)),
        Engine("torch", torch_step(DATA, NAMES, loss, False), ("torch",)),
        Engine("torch.compile", torch_step(DATA, NAMES, loss, True), ("torch",)),
    ], F32),
    Row("mlp-hvp", "MLP, Hessian times vector, f32", inputs, [
        Engine("Camber C++", source="camber_mlp.cpp", flags=("-DHVP", "-lcamber")),
        Engine("JAX", jax_hvp, ("jax",)),
        Engine("torch", torch_hvp, ("torch",)),
    ], F32),
]  # fmt: skip
