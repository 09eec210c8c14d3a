"""Convolutions in f32 from Python: values, and gradients in x and w, of the layers that small networks are made of."""

import numpy as np

from harness import Engine, Inputs, Row

# name: batch, channels, outputs, extents, window, stride, groups
LAYERS = {
    "3x3": (32, 16, 32, (28, 28), 3, 1, 1),
    "3x3-wide": (8, 64, 64, (32, 32), 3, 1, 1),
    "1x1": (32, 64, 64, (14, 14), 1, 1, 1),
    "5x5-stride2": (32, 3, 32, (32, 32), 5, 2, 1),
    "depthwise": (32, 64, 64, (28, 28), 3, 1, 64),
    "1d": (32, 32, 64, (512,), 5, 1, 1),
}


def inputs(layer):
    def made() -> Inputs:
        n, c, k, extents, window, stride, groups = LAYERS[layer]
        rng = np.random.default_rng(27)
        out = [(e + 2 * (window // 2) - window) // stride + 1 for e in extents]
        shapes = {"x": (n, c, *extents), "w": (k, c // groups, *[window] * len(extents)), "ct": (n, k, *out)}
        return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    return made


def camber(layer, gradient):
    def engine(i: Inputs):
        import camber as cb

        _, _, _, _, window, stride, groups = LAYERS[layer]
        conv = lambda x, w: cb.nn.conv(x, w, stride=stride, padding=window // 2, groups=groups)  # noqa: E731
        f = cb.grad(lambda x, w, ct: np.sum(conv(x, w) * ct), argnums=(0, 1)) if gradient else cb.function(conv)
        given = (i["x"], i["w"], i["ct"]) if gradient else (i["x"], i["w"])
        return lambda: f(*given)

    return engine


def jax(layer, gradient):
    def engine(i: Inputs):
        import jax

        _, _, _, extents, window, stride, groups = LAYERS[layer]
        r, p = len(extents), window // 2
        conv = lambda x, w: jax.lax.conv_general_dilated(x, w, (stride,) * r, [(p, p)] * r, feature_group_count=groups)  # noqa: E731
        f = jax.jit(jax.grad(lambda x, w, ct: (conv(x, w) * ct).sum(), argnums=(0, 1)) if gradient else conv)
        given = [jax.numpy.asarray(i[name]) for name in (("x", "w", "ct") if gradient else ("x", "w"))]
        return lambda: jax.block_until_ready(f(*given))

    return engine


def torch(layer, gradient):
    def engine(i: Inputs):
        import torch

        _, _, _, extents, window, stride, groups = LAYERS[layer]
        conv = torch.nn.functional.conv1d if len(extents) == 1 else torch.nn.functional.conv2d
        x, w, ct = (torch.tensor(i[name], requires_grad=gradient and name != "ct") for name in ("x", "w", "ct"))

        def step():
            y = conv(x, w, stride=stride, padding=window // 2, groups=groups)
            return torch.autograd.grad(y, (x, w), ct) if gradient else y

        return step

    return engine


ROWS = [
    Row(f"conv-{layer}{'-gradient' if gradient else ''}", f"Convolution {layer}, f32: {'gradients in x and w' if gradient else 'value'}", inputs(layer), [
        Engine("Camber Python", camber(layer, gradient), ("camber",)),
        Engine("JAX", jax(layer, gradient), ("jax",)),
        Engine("torch", torch(layer, gradient), ("torch",)),
    ], 1e-4)
    for layer in LAYERS for gradient in (False, True)
]  # fmt: skip
