"""f(x) = sum(sin x) exp(-sum x^2): value, gradient, products and Hessian."""
import numpy as np
import camber as cb


def f(x):
    return np.sum(np.sin(x)) * np.exp(-np.sum(np.square(x)))


def show(name, values):
    print(name, *(f"{v:.10f}" for v in np.ravel(values)))


x, v = np.array([0.1, 0.2, 0.3]), np.array([1.0, -1.0, 2.0])
value, gradient = cb.value_and_grad(f)(x)
show("value", value)
show("gradient", gradient)
show("jvp", cb.jvp(f, (x,), (v,))[1])
show("hvp", cb.hvp(f, x, v))
show("hessian", cb.hessian(f)(x))
