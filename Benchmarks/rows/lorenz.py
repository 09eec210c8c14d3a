"""A rollout of Lorenz-96, 100 RK4 steps of 40 variables: half the squared end state by start and force (80 inputs)."""

import numpy as np

from harness import Engine, Inputs, Row
from rows import _casadi, _enzyme


LONG = 100_000


def inputs(steps: int = 100, h: float = 0.01) -> Inputs:
    rng = np.random.default_rng(96)
    return {"start": rng.normal(size=40), "force": 8 + rng.normal(size=40), "v": rng.normal(size=80), "steps": np.array([float(steps)]), "h": np.array([h])}


def rollout(jnp, scan, start, force, steps, h):
    def slope(x):
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + force

    def step(x, _):
        a = slope(x)
        b = slope(x + 0.5 * h * a)
        c = slope(x + 0.5 * h * b)
        d = slope(x + h * c)
        return x + h / 6 * (a + 2 * b + 2 * c + d), None

    return 0.5 * jnp.sum(scan(step, start, None, steps)[0] ** 2)


def jax(hvp: bool):
    def build(i: Inputs):
        import jax
        import jax.numpy as jnp

        steps, h, n = int(i["steps"][0]), float(i["h"][0]), len(i["start"])
        f = lambda start, force: rollout(jnp, jax.lax.scan, start, force, steps, h)  # noqa: E731
        at = (jnp.asarray(i["start"]), jnp.asarray(i["force"]))
        if hvp:
            v = (jnp.asarray(i["v"][:n]), jnp.asarray(i["v"][n:]))
            product = jax.jit(lambda at, v: jax.jvp(jax.grad(f, argnums=(0, 1)), at, v)[1])
            return lambda: jax.block_until_ready(product(at, v))
        slope = jax.jit(jax.value_and_grad(f, argnums=(0, 1)))
        return lambda: jax.block_until_ready(slope(*at))

    return build


def jax_checkpointed(i: Inputs):
    """Blocks of steps, of which the reverse sweep keeps the beginnings and repeats the rest."""
    import jax
    import jax.numpy as jnp

    steps, h = int(i["steps"][0]), float(i["h"][0])
    block = 250
    assert steps % block == 0

    def scan(step, start, _, length):
        inner = jax.checkpoint(lambda x, _: jax.lax.scan(step, x, None, block))
        return jax.lax.scan(inner, start, None, length // block)

    f = jax.jit(jax.value_and_grad(lambda start, force: rollout(jnp, scan, start, force, steps, h), argnums=(0, 1)))
    at = (jnp.asarray(i["start"]), jnp.asarray(i["force"]))
    return lambda: jax.block_until_ready(f(*at))


def casadi_function(hvp: bool):
    def build(i: Inputs):
        import casadi as ca

        steps, h, n = int(i["steps"][0]), float(i["h"][0]), len(i["start"])
        start, force, first, second = (ca.SX.sym(name, n) for name in ("start", "force", "first", "second"))

        def slope(x):
            roll = lambda k: ca.vertcat(x[k:], x[:k])  # noqa: E731
            return (roll(1) - roll(n - 2)) * roll(n - 1) - x + force

        x = start
        for _ in range(steps):
            a = slope(x)
            b = slope(x + 0.5 * h * a)
            c = slope(x + 0.5 * h * b)
            d = slope(x + h * c)
            x = x + h / 6 * (a + 2 * b + 2 * c + d)
        value, at = 0.5 * ca.sumsqr(x), ca.vertcat(start, force)
        slopes = ca.gradient(value, at)
        if not hvp:
            return ca.Function("f", [start, force], [value, slopes])
        v = ca.SX.sym("v", 2 * n)
        return ca.Function("f", [start, force, v], [ca.jtimes(slopes, at, v)])

    return build


def row(name: str, title: str, hvp: bool) -> Row:
    problem = (f"-DPROBLEM={'LorenzHvp' if hvp else 'Lorenz'}",)
    which = ("-DHVP",) if hvp else ()
    arguments = {"start": 0, "force": 0} | ({"v": 0} if hvp else {})
    engines = [
        Engine("Camber C++, scan", source="camber_lorenz.cpp", flags=(*which, "-lcamber")),
        Engine("Camber C++, tape", source="camber_tape.cpp", flags=(*problem, "-lcamber")),
        Engine("JAX, scan", jax(hvp), ("jax",)),
        Engine("CppAD", source="cppad.cpp", flags=problem),
        _casadi.engine(casadi_function(hvp), arguments, vm=True),
        Engine("ADOL-C", source="adolc.cpp", flags=(*problem, "-ladolc")),
        _enzyme.engine("LorenzHvp" if hvp else "Lorenz"),
        Engine("primal C++", source="primal.cpp", flags=("-DPROBLEM=Lorenz",)),
    ]
    return Row(name, title, inputs, engines, threads=(1,))


ROWS = [
    row("lorenz-gradient", "Lorenz-96 rollout, gradient", False),
    row("lorenz-hvp", "Lorenz-96 rollout, HVP", True),
    Row("lorenz-long", f"gradient of {LONG:,} RK4 steps of Lorenz-96", lambda: inputs(LONG, 2e-5), [
        Engine("Camber C++, scan", source="camber_lorenz.cpp", flags=("-lcamber",)),
        Engine("JAX, checkpointed", jax_checkpointed, ("jax",)),
        Engine("JAX, scan", jax(False), ("jax",)),
        _enzyme.engine("Lorenz"),
        Engine("primal C++", source="primal.cpp", flags=("-DPROBLEM=Lorenz",)),
    ], threads=(1,), note="The whole is 2 units of time: over more of it rounding errors grow past what is compared."),
]  # fmt: skip
