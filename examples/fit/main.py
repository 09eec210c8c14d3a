"""A decay fitted by Levenberg-Marquardt, with the data as arguments; and a narrow valley by Newton's method. Derivatives are exact."""
import numpy as np
import camber as cb


def show(name, found):
    print(name, *(f"{v:.8f}" for v in found.x))
    print(found.message)


time = 0.1 * np.arange(40)
seen = 2.5 * np.exp(-1.3 * time) + 0.5 + np.where(np.arange(40) % 2, 0.01, -0.01)
decay = lambda p, time, seen: p[0] * np.exp(-p[1] * time) + p[2] - seen
show("decay", cb.least_squares(decay, np.array([1.0, 1.0, 0.0]), (time, seen)))

valley = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (x[0] - 1) ** 2
show("valley", cb.minimize(valley, np.array([-1.2, 1.0]), method="newton-cg"))
