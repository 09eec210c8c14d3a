"""A pendulum by Taylor series: the solution's coefficients one after the other, steps of order 16; the map's mixed derivatives."""
import numpy as np
import camber as cb

ORDER, H = 16, 0.25


def field(x):
    return np.stack([x[1], -np.sin(x[0])])


def step(x):
    c = [x]
    for k in range(ORDER):
        rate = field(x) if k == 0 else cb.taylor(field, (x,), (np.stack(c[1:]),), order=k)[k]
        c.append(rate / (k + 1))
    y = c[ORDER]
    for k in reversed(range(ORDER)):
        y = y * H + c[k]
    return y


def energy(x):
    return 0.5 * x[1] ** 2 - np.cos(x[0])


walk = cb.function(step)
x = start = np.array([1.0, 0.5])
for k in range(1, 41):
    x = walk(x)
    if k % 10 == 0:
        print(f"t = {H * k:4.1f}  angle {x[0]:.9f}  speed {x[1]:.9f}")
print("energy kept to 1e-13:", "yes" if abs(energy(x) - energy(start)) < 1e-13 else "no")
e = np.eye(2)
print(f"third derivative of one step, twice by angle, once by speed: {cb.directional(lambda x: step(x)[0], start, [e[0], e[1]], (2, 1)):.9f}")
