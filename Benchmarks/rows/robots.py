"""Jacobians of robots: a quadrotor's dynamics (17 to 13) and the inverse dynamics of a 7-joint arm (21 to 7); at one point
and at 10,000. The quadrotor's also as the entries of its pattern, 61 of 221: what a solver of sparse systems asks for."""

import numpy as np

from harness import Engine, Inputs, Row
from rows import _casadi, _enzyme

POINTS = 10_000


def quadrotor_inputs() -> Inputs:
    rng = np.random.default_rng(17)
    many = rng.normal(size=(POINTS, 17))
    many[:, 3:7] /= np.linalg.norm(many[:, 3:7], axis=1, keepdims=True)
    return {"at": many[0], "many": many}


def rnea_inputs() -> Inputs:
    rng = np.random.default_rng(21)
    turns = np.array([np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(7)])
    spread = rng.normal(size=(7, 3, 3)) * 0.1
    many = rng.normal(size=(POINTS, 21))
    return {"turns": turns, "offsets": 0.3 * rng.normal(size=(7, 3)), "masses": 1 + rng.random(7), "centres": 0.1 * rng.normal(size=(7, 3)),
            "inertias": spread @ spread.transpose(0, 2, 1) + 0.01 * np.eye(3), "at": many[0], "many": many}  # fmt: skip


def quadrotor(s):
    q, w, u = s[3:7], s[10:13], s[13:17]
    thrust = (u[0] + u[1] + u[2] + u[3]) / 0.8
    return [s[7], s[8], s[9],
            -0.5 * (q[1] * w[0] + q[2] * w[1] + q[3] * w[2]), 0.5 * (q[0] * w[0] + q[2] * w[2] - q[3] * w[1]),
            0.5 * (q[0] * w[1] + q[3] * w[0] - q[1] * w[2]), 0.5 * (q[0] * w[2] + q[1] * w[1] - q[2] * w[0]),
            2 * (q[1] * q[3] + q[0] * q[2]) * thrust, 2 * (q[2] * q[3] - q[0] * q[1]) * thrust,
            (1 - 2 * (q[1] * q[1] + q[2] * q[2])) * thrust - 9.81,
            (0.2 * (u[1] - u[3]) - (0.009 - 0.005) * w[1] * w[2]) / 0.005, (0.2 * (u[2] - u[0]) - (0.005 - 0.009) * w[2] * w[0]) / 0.005,
            0.02 * (u[0] - u[1] + u[2] - u[3]) / 0.009]  # fmt: skip


def rnea_casadi(ca, i: Inputs, s):
    n = len(i["masses"])
    q, rate, bend = s[:n], s[n : 2 * n], s[2 * n :]
    z = ca.DM([0, 0, 1])
    w, dw, a = ca.SX.zeros(3), ca.SX.zeros(3), ca.SX([0, 0, 9.81])
    turns, forces, moments = [], [], []
    for j in range(n):
        p, c, inertia = ca.DM(i["offsets"][j]), ca.DM(i["centres"][j]), ca.DM(i["inertias"][j])
        cosine, sine, t = ca.cos(q[j]), ca.sin(q[j]), ca.DM(i["turns"][j])
        R = ca.horzcat(t[:, 0] * cosine + t[:, 1] * sine, t[:, 1] * cosine - t[:, 0] * sine, t[:, 2])
        a = R.T @ (a + ca.cross(dw, p) + ca.cross(w, ca.cross(w, p)))
        w, dw = R.T @ w, R.T @ dw
        dw = dw + ca.cross(w, z) * rate[j] + z * bend[j]
        w = w + z * rate[j]
        turns.append(R)
        forces.append(i["masses"][j] * (a + ca.cross(dw, c) + ca.cross(w, ca.cross(w, c))))
        moments.append(inertia @ dw + ca.cross(w, inertia @ w))
    f, m, torques = ca.SX.zeros(3), ca.SX.zeros(3), [None] * n
    for j in reversed(range(n)):
        f, m = f + forces[j], m + moments[j] + ca.cross(ca.DM(i["centres"][j]), forces[j])
        torques[j] = m[2]
        f, m = turns[j] @ f, turns[j] @ m
        m = m + ca.cross(ca.DM(i["offsets"][j]), f)
    return ca.vertcat(*torques)


def casadi_function(arm: bool, sparse: bool = False):
    def build(i: Inputs):
        import casadi as ca

        s = ca.SX.sym("s", 21 if arm else 17)
        out = rnea_casadi(ca, i, s) if arm else ca.vertcat(*quadrotor(s))
        return ca.Function("f", [s], [out, _casadi.row_major(ca.jacobian(out, s), sparse)], {"cse": True})

    return build


def jax_quadrotor(i: Inputs):
    import jax
    import jax.numpy as jnp

    f = lambda s: jnp.stack(quadrotor(s))  # noqa: E731
    both, many = jax.jit(jax.vmap(lambda s: (f(s), jax.jacfwd(f)(s)))), jnp.asarray(i["many"])
    return lambda: jax.block_until_ready(both(many))


def rows(arm: bool) -> list[Row]:
    name, title = ("rnea", "RNEA Jacobian, 21 to 7") if arm else ("quadrotor", "quadrotor Jacobian, 17 to 13")
    problem = ("-DPROBLEM=Rnea",) if arm else ("-DPROBLEM=Quadrotor",)
    inputs = rnea_inputs if arm else quadrotor_inputs
    sacado = (*problem, f"-DDIRECTIONS={21 if arm else 17}")
    enzyme = ("Rnea",) if arm else ("Quadrotor", "-DWIDTH=1")  # the faster of 4 tangents at a time and 1
    one = [
        Engine("Camber C++, tape", source="camber_tape.cpp", flags=(*problem, "-lcamber")),
        Engine("Camber C++, rows together", source="camber_tape.cpp", flags=(*problem, "-DTOGETHER", "-lcamber")),
        _casadi.engine(casadi_function(arm), {"at": 0}),
        _casadi.engine(casadi_function(arm), {"at": 0}, vm=True),
        Engine("Sacado", source="sacado.cpp", flags=sacado),
        _enzyme.engine(*enzyme),
        Engine("CppAD", source="cppad.cpp", flags=problem),
        Engine("ADOL-C", source="adolc.cpp", flags=(*problem, "-ladolc")),
        Engine("primal C++", source="primal.cpp", flags=problem),
    ]
    many = [
        Engine("Camber C++, batched tape", source="camber_tape.cpp", flags=(*problem, "-DBATCH", "-lcamber")),
        _casadi.engine(casadi_function(arm), {"many": 21 if arm else 17}),
        _casadi.engine(casadi_function(arm), {"many": 21 if arm else 17}, vm=True),
        Engine("Sacado", source="sacado.cpp", flags=(*sacado, "-DBATCH"), threads=(1,)),
        _enzyme.engine(*enzyme, "-DBATCH"),
    ]
    if not arm:
        many.append(Engine("JAX, vmap of jacfwd", jax_quadrotor, ("jax",)))
    return [Row(name, title, inputs, one, threads=(1,)), Row(f"{name}-batch", f"{title}, {POINTS:,} points", inputs, many)]


def sparse_rows() -> list[Row]:
    problem = ("-DPROBLEM=Quadrotor", "-DSPARSE", "-lcamber")
    f, title = casadi_function(False, sparse=True), "quadrotor Jacobian, 61 entries of 221"
    one = [Engine("Camber C++, tape", source="camber_tape.cpp", flags=problem), _casadi.engine(f, {"at": 0}), _casadi.engine(f, {"at": 0}, vm=True)]
    many = [Engine("Camber C++, batched tape", source="camber_tape.cpp", flags=(*problem, "-DBATCH")), _casadi.engine(f, {"many": 17}),
            _casadi.engine(f, {"many": 17}, vm=True)]  # fmt: skip
    return [Row("quadrotor-sparse", title, quadrotor_inputs, one, threads=(1,)), Row("quadrotor-sparse-batch", f"{title}, {POINTS:,} points", quadrotor_inputs, many)]


ROWS = rows(False) + sparse_rows() + rows(True)
