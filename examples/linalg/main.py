"""A Gaussian process: the log-likelihood of data in the logarithms of amplitude, length and noise, its gradient and Hessian, and Newton's way to the maximum.

    python main.py
"""

import numpy as np

import camber as cb

n = 16
x = 0.4 * np.arange(n)
y = np.sin(x) + 0.1 * np.cos(17 * np.arange(n))
gaps = (x[:, None] - x) ** 2


def likelihood(theta):
    amplitude, length, noise = np.exp(2 * theta[0]), np.exp(2 * theta[1]), np.exp(2 * theta[2])
    k = amplitude * np.exp(-0.5 * gaps / length) + noise * np.eye(n)
    solved = cb.linalg.cho_solve((np.linalg.cholesky(k), True), y)
    return -0.5 * np.sum(y * solved) - 0.5 * np.linalg.slogdet(k)[1] - 0.5 * n * np.log(2 * np.pi)


@cb.function
def all_at_once(theta):
    h = cb.hessian(likelihood)(theta)
    # Curvatures that are no maximum's are turned over, so that a step always climbs.
    w, v = np.linalg.eigh(h)
    g = cb.grad(likelihood)(theta)
    return likelihood(theta), g, h, np.linalg.eigvalsh(h), v @ ((v.T @ g) / np.abs(w))


theta = np.array([0.0, 0.0, -2.0])
for step in range(12):
    value, gradient, hessian, curvatures, ascent = all_at_once(theta)
    if step == 0:
        for name, v in ("value", value), ("gradient", gradient), ("hessian", hessian), ("curvatures", curvatures):
            print(name, *(f"{e:.8f}" for e in np.ravel(v)))
    theta = theta + ascent / max(1, 2 * np.linalg.norm(ascent))
print("maximum", *(f"{e:.8f}" for e in (*theta, value)))
