"""Small straight-line programs whose Jacobians' multiplications are published, and what elimination needs for them.

AlphaGrad (Lohoff and Neftci 2024, arXiv 2406.05027) finds elimination orders by reinforcement learning. The functions here are written from
their own sources: MINPACK-2 (Averick, Carter, More and Xue 1992) for the human heart dipole and the combustion of propane in its full
formulation, Roe's flux for the one-dimensional Euler equations (1981), and the forward kinematics of an arm with six joints with its
orientation as Tait-Bryan angles.

    python Benchmarks/sparse/graphs.py
"""

import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "python"))
import camber as cb


def human_heart_dipole(a, b, c, d, t, u, v, w):
    tv, uw = t**2 - v**2, u**2 - w**2
    t3, v3 = t * (t**2 - 3 * v**2), v * (v**2 - 3 * t**2)
    u3, w3 = u * (u**2 - 3 * w**2), w * (w**2 - 3 * u**2)
    return (a + b - 0.485, c + d + 0.0019, t * a + u * b - v * c - w * d + 0.0581, v * a + w * b + t * c + u * d - 0.015,
            a * tv - 2 * c * t * v + b * uw - 2 * d * u * w - 0.105, c * tv + 2 * a * t * v + d * uw + 2 * b * u * w - 0.0406,
            a * t3 + c * v3 + b * u3 + d * w3 - 0.167, c * t3 - a * v3 + d * u3 - b * w3 + 0.399)  # fmt: skip


def propane_combustion(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11):
    p, r = 40.0, 10.0
    s = np.sqrt(p / x11)
    return (x1 + x4 - 3, 2 * x1 + x2 + x4 + x7 + x8 + x9 + 2 * x10 - r, 2 * x2 + 2 * x5 + x6 + x7 - 8, 2 * x3 + x9 - 4 * r, x2 * x4 - x1 * x5,
            np.sqrt(x2 * x4) - np.sqrt(x1) * s * x6, np.sqrt(x1 * x2) - np.sqrt(x4) * x7 * s, x1 - x4 * x8 * p / x11,
            x1 * np.sqrt(x3) - x4 * x9 * s, x1**2 - x4**2 * x10 * p / x11, x11 - x1 - x2 - x3 - x4 - x5 - x6 - x7 - x8 - x9 - x10)  # fmt: skip


def roe_flux(rl, ml, el, rr, mr, er):
    """Densities, momenta and energies left and right; the flux between by Roe's averages, with gamma = 1.4."""
    k = 0.4

    def pressure(r, m, e):
        return k * (e - 0.5 * m**2 / r)

    def flux(r, m, e, p):
        v = m / r
        return m, p + m * v, v * (p + e)

    root, sl, sr = np.sqrt(rl * rr), np.sqrt(rl), np.sqrt(rr)
    total = sl + sr
    vl, vr = ml / rl, mr / rr
    pl, pr = pressure(rl, ml, el), pressure(rr, mr, er)
    hl, hr = (el + pl) / rl, (er + pr) / rr
    dp, dv = pr - pl, vr - vl
    u, h = (sl * vl + sr * vr) / total, (sl * hl + sr * hr) / total
    q = u**2
    a2 = k * (h - 0.5 * q)
    a = np.sqrt(a2)
    n = a * root
    c0, c1, c2 = (rr - rl - dp / a2) * np.abs(u), (dv + dp / n) * np.abs(u + a), (dv - dp / n) * np.abs(u - a)
    left, right, c = flux(rl, ml, el, pl), flux(rr, mr, er, pr), 0.5 * root / a
    wave = (c0 + c * c1 - c * c2, c0 * u + c * c1 * (u + a) - c * c2 * (u - a), c0 * 0.5 * q + c * c1 * (h + u * a) - c * c2 * (h - u * a))
    return tuple(0.5 * (x + y - z) for x, y, z in zip(left, right, wave))


def robot_arm(t1, t2, t3, t4, t5, t6):
    a1, a2, a3, d1, d4, d6 = 175.0, 890.0, 50.0, 575.0, 1035.0, 185.0
    c1, c2, c4, c5, c6 = np.cos(t1), np.cos(t2), np.cos(t4), np.cos(t5), np.cos(t6)
    s1, s2, s4, s5, s6 = np.sin(t1), np.sin(t2), np.sin(t4), np.sin(t5), np.sin(t6)
    c23 = np.cos(t2) * np.cos(t3) - np.sin(t2) * np.sin(t3)
    s23 = np.cos(t2) * np.sin(t3) + np.sin(t2) * np.cos(t3)
    ax = s5 * (c1 * c23 * c4 + s1 * s4) + c1 * s23 * c5
    ay = s5 * (s1 * c23 * c4 - c1 * s4) + s1 * s23 * c5
    az = s23 * c4 * s5 - c23 * c5
    nz = c6 * (c23 * s5 + s23 * c4 * c5) - s23 * s4 * s6
    oz = -s6 * (c23 * s5 + s23 * c4 * c5) - s23 * s4 * c6
    reach = a1 + a2 * c2 + a3 * c23 + d4 * s23
    return (d6 * ax + c1 * reach, d6 * ay + s1 * reach, a2 * s2 + d1 + a3 * s23 - d4 * c23 + d6 * az,
            np.arctan2(ay, ax), np.arctan2(np.sqrt(1 - az**2), az), np.arctan2(oz, -nz))  # fmt: skip


# Name, function, a point, AlphaGrad's multiplications.
PROGRAMS = [
    ("HumanHeartDipole", human_heart_dipole, (0.3, 0.18, -0.2, 0.25, 1.1, -0.7, 0.4, 0.9), 148),
    ("PropaneCombustion", propane_combustion, (1.5, 2.0, 20.0, 1.2, 0.7, 0.4, 0.9, 0.03, 0.8, 0.02, 27.0), 88),
    ("RoeFlux_1d", roe_flux, (1.0, 0.75, 2.78, 0.125, 0.05, 0.25), 320),
    ("RobotArm_6DOF", robot_arm, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 231),
]
ORDERS = ("forward", "reverse", "markowitz", "relative_markowitz", "min_fill", "annealing")


def main():
    print("| program | vertices, edges | " + " | ".join(o.replace("_", " ") for o in ORDERS) + " | AlphaGrad | with +-1 free | order found in |")
    print("|---|---|" + "---|" * (len(ORDERS) + 3))
    for name, f, x, published in PROGRAMS:
        counts = [cb.elimination_cost(f, *x, order=o, every=True) for o in ORDERS]
        start = time.perf_counter()
        best = cb.elimination_cost(f, *x, every=True)
        seconds = time.perf_counter() - start
        free = cb.elimination_cost(f, *x)
        print(f"| {name} | {best.vertices}, {best.edges} | " + " | ".join(str(c.products) for c in counts) +
              f" | {published} | {free.products} | {seconds:.2f} s |")  # fmt: skip
        assert best.products <= published and best.products == min(c.products for c in counts)


if __name__ == "__main__":
    main()
