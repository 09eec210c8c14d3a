"""Coverage of the intervals of curvature: nominal 95 % against the truth, over random Hessians of nine families, and eight held out. curvature.py [SEEDS [held-out | all]]

Prints, and writes to build/curvature-coverage.json, the share of intervals that hold the truth, by estimator and family.
"""
import json
import sys
from pathlib import Path

import numpy as np

import camber as cb

FAMILIES = ("dominant", "banded", "flat", "exponential", "polynomial", "step", "indefinite", "network", "outlier")
# Looked at only after the factors were chosen on those above.
HELD_OUT = ("wishart", "blocks", "harmonic", "saddle", "low rank", "clusters", "sparse", "logistic")
rng = np.random.default_rng(17)


def matrix(kind, n):
    if kind == "dominant":
        b = rng.normal(size=(n, n)) * 0.2 / np.sqrt(n)
        return np.diag(rng.uniform(0.5, 2, n)) + (b + b.T) / 2
    if kind == "banded":
        return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    if kind == "blocks":
        a = np.zeros((n, n))
        for i in range(0, n, 10):
            b = rng.normal(size=(10, 14)) * 10 ** rng.uniform(-1, 1)
            a[i : i + 10, i : i + 10] = b @ b.T / 14
        return a
    if kind == "sparse":
        b = rng.normal(size=(n, n)) * (rng.random((n, n)) < 3 / n)
        return b + b.T
    if kind in ("wishart", "logistic"):
        # X' D X of 2 n examples; of a logistic regression, D is p (1 - p) and features differ in scale.
        x = rng.normal(size=(2 * n, n)) * (1 if kind == "wishart" else 10 ** rng.uniform(-1, 0.5, n))
        p = 1 / (1 + np.exp(-x @ rng.normal(size=n)))
        return (x.T * (1 if kind == "wishart" else p * (1 - p))) @ x / (2 * n)
    w = {
        "harmonic": lambda: 1.0 / (1 + np.arange(n)),
        "saddle": lambda: np.r_[rng.uniform(1, 2, n - n // 4), -rng.uniform(1, 2, n // 4)],
        "low rank": lambda: np.r_[rng.uniform(1, 2, 12), np.zeros(n - 12)],
        "clusters": lambda: np.r_[np.full(n // 3, 1.0), np.full(n // 3, 10.0), np.full(n - 2 * (n // 3), -3.0)] + 1e-3 * rng.normal(size=n),
        "flat": lambda: rng.uniform(1, 3, n),
        "exponential": lambda: 0.8 ** np.arange(n),
        "polynomial": lambda: 1.0 / (1 + np.arange(n)) ** 2,
        "step": lambda: np.r_[np.ones(n // 10), np.full(n - n // 10, 1e-3)],
        "indefinite": lambda: rng.normal(size=n),
        "network": lambda: np.r_[10 * rng.uniform(1, 5, 6), 0.1 * rng.normal(size=n - 6)],
        "outlier": lambda: np.r_[100.0, rng.uniform(0.5, 1.5, n - 1)],
    }[kind]()
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (q * w) @ q.T


def main(count, kinds=FAMILIES):
    held = {}

    def note(name, kind, inside):
        h = held.setdefault(name, {}).setdefault(kind, [0, 0])
        h[0] += int(np.sum(inside))
        h[1] += int(np.size(inside))

    for n in (60, 110):
        c = cb.curvature(lambda x, a: 0.5 * np.sum(x * (a @ x)), dense=0)(np.zeros(n), np.eye(n))
        for seed in range(count):
            for kind in kinds:
                a = matrix(kind, n)
                shift = 1.3 * max(0.0, -np.linalg.eigvalsh(a)[0]) + 0.5
                probes = int(rng.choice([18, 30, 48]))
                c.set(seed=seed * 31 + n, probes=probes, steps=40, damping=0).at(np.zeros(n), a)
                w = np.linalg.eigvalsh(a)
                slack = 1e-12 * np.abs(w).sum()
                within = lambda f, t: f.low - slack <= t <= f.high + slack
                for m in ("hutchinson", "hutch++", "xtrace"):
                    note("trace, " + m, kind, within(c.trace(m), w.sum()))
                note("Frobenius norm", kind, within(c.frobenius(), np.sqrt((w**2).sum())))
                d, half = c.diagonal()
                note("diagonal", kind, np.abs(d - np.diag(a)) <= half + slack)
                v, r = c.eigenvalues()
                note("Ritz residuals (a bound)", kind, [np.abs(w - x).min() <= e for x, e in zip(v, r)])
                note("largest eigenvalue (no less extreme)", kind, within(c.largest(), w[-1]))
                note("smallest eigenvalue (no less extreme)", kind, within(c.smallest(), w[0]))
                s = c.density(41)
                p = s.places[::4]
                # The density spans its extremes and four widths on either side; a width is 0.02 of the spread.
                sigma = (s.places[-1] - s.places[0]) / (8 + 1 / 0.02)
                t = np.exp(-0.5 * ((p[:, None] - w) / sigma) ** 2).mean(1) / (sigma * np.sqrt(2 * np.pi))
                top = t.max()
                keep = t > 1e-3 * top
                note("density", kind, ((s.low[::4] - 1e-9 * top <= t) & (t <= s.high[::4] + 1e-9 * top))[keep])
                c.set(damping=shift)
                note("log determinant", kind, within(c.log_determinant(), np.log(np.abs(w + shift)).sum()))
    print(f"{'':38s}" + "".join(f"{k:>12s}" for k in kinds) + f"{'all':>10s}")
    shares = {}
    for name, by in held.items():
        all_ = sum(h for h, _ in by.values()) / sum(m for _, m in by.values())
        shares[name] = {"all": all_, **{k: h / m for k, (h, m) in by.items()}}
        print(f"{name:38s}" + "".join(f"{by[k][0] / by[k][1]:12.3f}" for k in kinds) + f"{all_:10.4f}")
    out = Path("build/curvature-coverage.json")
    if out.parent.is_dir():
        out.write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    main(seeds, {"held-out": HELD_OUT, "all": FAMILIES + HELD_OUT}.get(sys.argv[2] if len(sys.argv) > 2 else "", FAMILIES))
