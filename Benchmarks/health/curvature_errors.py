"""Coverage of the intervals of approximations' errors: nominal 95 % by probes (dense=0) against the whole matrices, over random Hessians. curvature_errors.py [SEEDS [held-out | all]]

Approximations: the diagonal, a band, a low rank, the matrix plus noise of 1e-3 and of 0.3 of its size. Prints the share of intervals that hold the truth, by error and approximation.
"""
import sys

import numpy as np
from curvature import FAMILIES, HELD_OUT, matrix, rng

import camber as cb

KINDS = ("diagonal", "band", "low rank", "near", "far")
ERRORS = ("operator", "frobenius", "trace", "diagonal", "spectrum", "newton_step", "decrease_ratio", "preconditioner", "angle", "covariance", "evidence", "trace_ratio")


def approximation(kind, a):
    n = len(a)
    if kind == "diagonal":
        return np.diag(np.diag(a))
    if kind == "band":
        return a * (np.abs(np.subtract.outer(np.arange(n), np.arange(n))) < 8)
    if kind == "low rank":
        w, v = np.linalg.eigh(a)
        w = np.where(np.abs(w) >= np.sort(np.abs(w))[-10], w, np.median(w))
        return (v * w) @ v.T
    e = rng.normal(size=(n, n))
    e = (e + e.T) * np.linalg.norm(a) / np.linalg.norm(e + e.T)
    return a + (1e-3 if kind == "near" else 0.3) * e


def main(count, families):
    held, n = {}, 60
    f = lambda x, a, g: 0.5 * np.sum(x * (a @ x)) + np.sum(g * x)
    probing, whole = (cb.curvature(f, dense=d)(np.zeros(n), np.eye(n), np.ones(n)) for d in (0, 256))
    for seed in range(count):
        for family in families:
            a = matrix(family, n)
            g = rng.normal(size=n)
            for kind in KINDS:
                name = f"{seed} {family} {kind}"
                b = approximation(kind, a)
                shift = 1.3 * max(0.0, -np.linalg.eigvalsh(a)[0], -np.linalg.eigvalsh(b)[0]) + 0.02 * np.abs(a).max()
                for c in (probing, whole):
                    c.set(seed=seed * 31 + 7, probes=int(rng.choice([18, 30, 48])), steps=40, damping=shift).at(np.zeros(n), a, g)
                    c.add_matrix(name, b)
                for e in ERRORS:
                    truth, guess = whole.error(name, e), probing.error(name, e)
                    if not np.isfinite(truth.value) or not np.isfinite(guess.value):
                        continue
                    slack = 1e-9 * max(abs(truth.value), 1e-12) + (truth.high - truth.low if np.isfinite(truth.high - truth.low) else 0)
                    h = held.setdefault(e, {}).setdefault(kind, [0, 0, []])
                    h[0] += guess.low - slack <= truth.value <= guess.high + slack
                    h[1] += 1
                    h[2].append((guess.high - guess.low) / max(abs(truth.value), 1e-300))
    print(f"{'':16s}" + "".join(f"{k:>10s}" for k in KINDS) + f"{'all':>9s}{'width over value, median':>28s}")
    for name, by in held.items():
        row = "".join(f"{by[k][0] / by[k][1]:10.3f}" if k in by else f"{'-':>10s}" for k in KINDS)
        print(f"{name:16s}{row}{sum(v[0] for v in by.values()) / sum(v[1] for v in by.values()):9.3f}{np.median(np.concatenate([v[2] for v in by.values()])):28.3g}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, {"held-out": HELD_OUT, "all": FAMILIES + HELD_OUT}.get(sys.argv[2] if len(sys.argv) > 2 else "", FAMILIES))
