"""Value and gradient of sin(x) y + exp(z) x: what a call costs, from C++ and from Python."""

import math

import numpy as np

from harness import Engine, Inputs, Row
from rows import _casadi, _enzyme

SMALL = ("-DPROBLEM=Small",)


def inputs() -> Inputs:
    return {"at": np.array([0.7, 1.3, 0.4])}


def casadi_function(i: Inputs):
    import casadi as ca

    v = ca.SX.sym("v", 3)
    value = ca.sin(v[0]) * v[1] + ca.exp(v[2]) * v[0]
    return ca.Function("f", [v], [value, ca.gradient(value, v)])


def camber_python(i: Inputs):
    import camber as cb

    f = cb.value_and_grad(lambda x, y, z: np.sin(x) * y + np.exp(z) * x, argnums=(0, 1, 2))
    x, y, z = map(float, i["at"])
    return lambda: f(x, y, z)


def jax(i: Inputs):
    import jax
    import jax.numpy as jnp

    f = jax.jit(jax.value_and_grad(lambda x, y, z: jnp.sin(x) * y + jnp.exp(z) * x, argnums=(0, 1, 2)))
    x, y, z = map(float, i["at"])
    return lambda: jax.block_until_ready(f(x, y, z))


def casadi_call(i: Inputs):
    f, at = casadi_function(i), i["at"]
    return lambda: f(at)


def torch(i: Inputs):
    import torch

    v = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in i["at"]]

    def step():
        value = torch.sin(v[0]) * v[1] + torch.exp(v[2]) * v[0]
        return value, *torch.autograd.grad(value, v)

    return step


def by_hand(i: Inputs):
    def f(x, y, z):
        s, e = np.sin(x), np.exp(z)
        return s * y + e * x, np.cos(x) * y + e, s, e * x

    x, y, z = i["at"]
    return lambda: f(x, y, z)


NATIVE = [
    Engine("Camber C++", source="camber_small.cpp", flags=("-lcamber",)),
    Engine("Camber C++, kernels", source="camber_small.cpp", flags=("-DKERNELS", "-lcamber")),
    _casadi.engine(casadi_function, {"at": 0}),
    _casadi.engine(casadi_function, {"at": 0}, vm=True),
    Engine("CppAD", source="cppad.cpp", flags=SMALL),
    _enzyme.engine("Small"),
    Engine("ADOL-C", source="adolc.cpp", flags=(*SMALL, "-ladolc")),
    Engine("primal C++", source="primal.cpp", flags=SMALL),
]
PYTHON = [
    Engine("Camber Python", camber_python, ("camber",)),
    Engine("JAX", jax, ("jax",)),
    Engine("CasADi, called", casadi_call, ("casadi",)),
    Engine("torch", torch, ("torch",)),
    Engine("by hand, numpy", by_hand),
]
ROWS = [
    Row("small-c++", "gradient of 3 inputs, from C++", inputs, NATIVE, threads=(1,),
        note="CasADi's C and Enzyme's are compiled ahead for this one function; of engines without a compiler the tapes are the peers."),
    Row("small-python", "gradient of 3 inputs, from Python", inputs, PYTHON, threads=(1,)),
]  # fmt: skip
