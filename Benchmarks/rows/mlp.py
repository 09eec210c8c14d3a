"""An MLP 784-512-512-10 on a batch of 128 in f32: a training step with Adam, and the Hessian of its loss times a vector."""

import numpy as np

from harness import Engine, Inputs, Row

NAMES = ("w0", "b0", "w1", "b1", "w2", "b2")
SIZES = (784, 512, 512, 10)
RATE, EPSILON = 1e-4, 1e-6


def inputs() -> Inputs:
    rng = np.random.default_rng(784)
    out = {"x": rng.random((128, 784)), "targets": np.eye(10)[rng.integers(0, 10, 128)]}
    for i, (m, n) in enumerate(zip(SIZES, SIZES[1:])):
        out |= {f"w{i}": rng.normal(size=(m, n)) * (2 / m) ** 0.5, f"b{i}": 0.1 * rng.normal(size=n)}
    out |= {"v" + name: rng.normal(size=out[name].shape) for name in NAMES}
    return {name: array.astype(np.float32) for name, array in out.items()}


def floats(i: Inputs, prefix: str = "") -> list[np.ndarray]:
    return [np.ascontiguousarray(i[prefix + name], np.float32) for name in NAMES]


def loss(relu, log_softmax, x, targets, params):
    w0, b0, w1, b1, w2, b2 = params
    layer = relu(relu(x @ w0 + b0) @ w1 + b1)
    return -(targets * log_softmax(layer @ w2 + b2)).sum() / x.shape[0]


def jax_step(i: Inputs):
    import jax
    import jax.numpy as jnp

    x, targets = jnp.asarray(i["x"], jnp.float32), jnp.asarray(i["targets"], jnp.float32)
    f = jax.value_and_grad(lambda p: loss(jax.nn.relu, jax.nn.log_softmax, x, targets, p))

    def step(state):
        params, m, v, t = state
        value, g = f(params)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, b = 1 / (1 - jnp.float32(0.9) ** t), 1 / (1 - jnp.float32(0.999) ** t)
        params = jax.tree.map(lambda p, m, v: p - RATE * (m * a) / (jnp.sqrt(v * b) + EPSILON), params, m, v)
        return value, (params, m, v, t)

    run = jax.jit(step, donate_argnums=0)
    params = [jnp.asarray(p) for p in floats(i)]
    state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0))

    def once():
        nonlocal state
        value, state = jax.block_until_ready(run(state))
        return value, state[0]

    return once


def jax_hvp(i: Inputs):
    import jax
    import jax.numpy as jnp

    x, targets = jnp.asarray(i["x"], jnp.float32), jnp.asarray(i["targets"], jnp.float32)
    params, v = [jnp.asarray(p) for p in floats(i)], [jnp.asarray(p) for p in floats(i, "v")]
    g = jax.grad(lambda p: loss(jax.nn.relu, jax.nn.log_softmax, x, targets, p))
    f = jax.jit(lambda p, v: jax.jvp(g, (p,), (v,))[1])
    return lambda: jax.block_until_ready(f(params, v))


def torch_setup(i: Inputs):
    import torch

    params = [torch.tensor(p, requires_grad=True) for p in floats(i)]
    x, targets = (torch.tensor(np.asarray(i[name], np.float32)) for name in ("x", "targets"))
    return params, lambda: loss(torch.relu, lambda y: torch.log_softmax(y, 1), x, targets, params)


def torch_step(compiled: bool):
    def build(i: Inputs):
        import torch

        params, f = torch_setup(i)
        f = torch.compile(f) if compiled else f
        adam = torch.optim.Adam(params, lr=RATE, eps=EPSILON, fused=True)

        def step():
            adam.zero_grad()
            value = f()
            value.backward()
            adam.step()
            return value, params

        return step

    return build


def torch_hvp(i: Inputs):
    import torch

    params, f = torch_setup(i)
    v = [torch.tensor(p) for p in floats(i, "v")]

    def step():
        g = torch.autograd.grad(f(), params, create_graph=True)
        return torch.autograd.grad(g, params, v)

    return step


F32 = 1e-4
ROWS = [
    Row("mlp-step", "MLP 784-512-512-10, batch 128, f32: Adam step", inputs, [
        Engine("Camber C++", source="camber_mlp.cpp", flags=("-lcamber",)),
        Engine("JAX", jax_step, ("jax",)),
        Engine("torch", torch_step(False), ("torch",)),
        Engine("torch.compile", torch_step(True), ("torch",)),
    ], F32),
    Row("mlp-hvp", "MLP, Hessian times vector, f32", inputs, [
        Engine("Camber C++", source="camber_mlp.cpp", flags=("-DHVP", "-lcamber")),
        Engine("JAX", jax_hvp, ("jax",)),
        Engine("torch", torch_hvp, ("torch",)),
    ], F32),
]  # fmt: skip
