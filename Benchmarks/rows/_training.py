"""A training step with Adam in f32, in JAX and torch, for any loss. Results: the loss, the parameters after the step."""

from collections.abc import Callable
from typing import Any

import numpy as np

from harness import Inputs

RATE, EPSILON = 1e-4, 1e-6
Loss = Callable[[Any, dict[str, Any], list[Any]], Any]  # (words, data by name, parameters) -> loss


class Words:
    """What JAX and torch call differently."""

    def __init__(self, relu: Any, gelu: Any, softmax: Any, log_softmax: Any) -> None:
        self.relu, self.gelu, self.softmax, self.log_softmax = relu, gelu, softmax, log_softmax


def floats(i: Inputs, names: tuple[str, ...], prefix: str = "") -> list[np.ndarray]:
    return [np.ascontiguousarray(i[prefix + name], np.float32) for name in names]


def jax_loss(i: Inputs, data: tuple[str, ...], loss: Loss) -> Callable[[Any], Any]:
    import jax
    import jax.numpy as jnp

    words = Words(jax.nn.relu, lambda x: jax.nn.gelu(x, approximate=False), jax.nn.softmax, jax.nn.log_softmax)
    held = dict(zip(data, map(jnp.asarray, floats(i, data))))
    return lambda params: loss(words, held, params)


def torch_loss(i: Inputs, data: tuple[str, ...], names: tuple[str, ...], loss: Loss) -> tuple[list[Any], Callable[[], Any]]:
    import torch

    words = Words(torch.relu, torch.nn.functional.gelu, lambda x: torch.softmax(x, -1), lambda x: torch.log_softmax(x, -1))
    held = dict(zip(data, map(torch.tensor, floats(i, data))))
    params = [torch.tensor(p, requires_grad=True) for p in floats(i, names)]
    return params, lambda: loss(words, held, params)


def jax_step(data: tuple[str, ...], names: tuple[str, ...], loss: Loss):
    def build(i: Inputs):
        import jax
        import jax.numpy as jnp

        f = jax.value_and_grad(jax_loss(i, data, loss))

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
        params = [jnp.asarray(p) for p in floats(i, names)]
        state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0))

        def once():
            nonlocal state
            value, state = jax.block_until_ready(run(state))
            return value, state[0]

        return once

    return build


def torch_step(data: tuple[str, ...], names: tuple[str, ...], loss: Loss, compiled: bool):
    def build(i: Inputs):
        import torch

        params, f = torch_loss(i, data, names, loss)
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
