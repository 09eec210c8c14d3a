"""Kepler's equation E - e sin E = M, solved by NumPy, with its own derivative: the implicit function theorem in one line."""
import numpy as np
import camber as cb


def solve(m, e):
    if not 0 <= e < 1:
        raise ValueError("the orbit is not closed")
    E = m
    for _ in range(50):
        step = (E - e * np.sin(E) - m) / (1 - e * np.cos(E))
        E = E - step
        if abs(step) < 1e-15:
            break
    return E


@cb.custom_jvp
def kepler(m, e):
    return cb.host_call(solve, cb.ShapeDtype(), m, e)


@kepler.defjvp
def _(primals, tangents):
    (m, e), (dm, de) = primals, tangents
    E = kepler(m, e)
    return E, (dm + np.sin(E) * de) / (1 - e * np.cos(E))


def show(name, values):
    print(name, *(f"{v:.10f}" for v in np.ravel(values)))


show("E", kepler(1.0, 0.3))
show("gradient", cb.grad(kepler, argnums=(0, 1))(1.0, 0.3))
show("hessian", cb.hessian(kepler, argnums=(0, 1))(1.0, 0.3))
show("batch", cb.vmap(kepler, in_axes=(0, None))(np.array([0.5, 1.0, 2.0]), 0.3))
try:
    cb.grad(kepler)(1.0, 1.2)
except ValueError as problem:
    print("failed:", problem)
