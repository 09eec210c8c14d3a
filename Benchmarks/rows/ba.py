"""ADBench's bundle adjustment: residuals and dense Jacobian blocks, 2 x 15 an observation, for all observations."""

import numpy as np

from harness import ADBENCH, Engine, Inputs, Row
from rows import _casadi, _enzyme


def inputs(file: str, copies: int) -> Inputs:
    """The file has one observation for all; here each is moved a little."""
    numbers = (ADBENCH / f"ba/{file}.txt").read_text().split()
    p = int(numbers[2]) * copies
    camera, point, weight, feature = np.split(np.array(numbers[3:20], float), [11, 14, 15])
    one = np.concatenate([camera, point, weight])
    many = one * (1 + 0.01 * np.random.default_rng(copies).normal(size=(p, 15)))
    return {"many": many, "at": many[0], "feature": feature}


def reprojection(np, v, feature):
    rot, centre, f, x0, k = v[0:3], v[3:6], v[6], v[7:9], v[9:11]
    theta = np.sqrt(np.sum(rot * rot))
    axis, moved = rot / theta, v[11:14] - centre
    seen = moved * np.cos(theta) + np.cross(axis, moved) * np.sin(theta) + axis * (np.sum(axis * moved) * (1 - np.cos(theta)))
    plane = seen[:2] / seen[2]
    r = np.sum(plane * plane)
    return v[14] * (plane * (1 + k[0] * r + k[1] * r * r) * f + x0 - feature)


def jax(i: Inputs):
    import jax
    import jax.numpy as jnp

    feature = jnp.asarray(i["feature"])

    def one(v):
        return reprojection(jnp, v, feature), jax.jacfwd(lambda u: reprojection(jnp, u, feature))(v)

    f, at = jax.jit(jax.vmap(one)), jnp.asarray(i["many"])
    return lambda: jax.block_until_ready(f(at))


def casadi_function(i: Inputs):
    import casadi as ca

    v = ca.SX.sym("v", 15)
    rot, centre = v[0:3], v[3:6]
    theta = ca.sqrt(ca.dot(rot, rot))
    axis, moved = rot / theta, v[11:14] - centre
    seen = moved * ca.cos(theta) + ca.cross(axis, moved) * ca.sin(theta) + axis * (ca.dot(axis, moved) * (1 - ca.cos(theta)))
    plane = seen[:2] / seen[2]
    r = ca.dot(plane, plane)
    error = v[14] * (plane * (1 + v[9] * r + v[10] * r * r) * v[6] + v[7:9] - i["feature"])
    return ca.Function("f", [v], [error, _casadi.row_major(ca.jacobian(error, v))], {"cse": True})


def row(name: str, file: str, observations: int, copies: int = 1) -> Row:
    engines = [
        Engine("Camber C++, batched", source="camber_ba.cpp", flags=("-lcamber",)),
        Engine("Camber C++, batched tape", source="camber_tape.cpp", flags=("-DPROBLEM=Bundle", "-DBATCH", "-lcamber")),
        _casadi.engine(casadi_function, {"many": 15}),
        _casadi.engine(casadi_function, {"many": 15}, vm=True),
        Engine("Sacado", source="sacado.cpp", flags=("-DPROBLEM=Bundle", "-DDIRECTIONS=15", "-DBATCH"), threads=(1,)),
        _enzyme.engine("Bundle", "-DBATCH"),
        Engine("JAX, vmap of jacfwd", jax, ("jax",)),
        Engine("CppAD", source="cppad_ba.cpp", threads=(1,)),
        Engine("primal C++", source="primal_ba.cpp", threads=(1,)),
    ]
    return Row(name, f"BA Jacobian blocks, {observations * copies:,} observations", lambda: inputs(file, copies), engines)


ROWS = [
    row("ba1", "ba1_n49_m7776_p31843", 31843),
    row("ba2", "ba2_n21_m11315_p36455", 36455),
    row("ba1-x10", "ba1_n49_m7776_p31843", 31843, 10),
]
