"""Coverage of the intervals of curvature: nominal 95 % against the truth, over random Hessians of nine families. curvature.py [SEEDS]

Prints, and writes to build/curvature-coverage.json, the share of intervals that hold the truth, by estimator and family.
"""
import json
import sys
from pathlib import Path

import numpy as np

import camber as cb

FAMILIES = ("dominant", "banded", "flat", "exponential", "polynomial", "step", "indefinite", "network", "outlier")
rng = np.random.default_rng(17)


def matrix(kind, n):
    if kind == "dominant":
        b = rng.normal(size=(n, n)) * 0.2 / np.sqrt(n)
        return np.diag(rng.uniform(0.5, 2, n)) + (b + b.T) / 2
    if kind == "banded":
        return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    w = {
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


def main(count):
    held = {}

    def note(name, kind, inside):
        h = held.setdefault(name, {}).setdefault(kind, [0, 0])
        h[0] += int(np.sum(inside))
        h[1] += int(np.size(inside))

    for n in (60, 110):
        c = cb.curvature(lambda x, a: 0.5 * np.sum(x * (a @ x)), dense=0)(np.zeros(n), np.eye(n))
        for seed in range(count):
            for kind in FAMILIES:
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
    print(f"{'':38s}" + "".join(f"{k:>12s}" for k in FAMILIES) + f"{'all':>10s}")
    shares = {}
    for name, by in held.items():
        all_ = sum(h for h, _ in by.values()) / sum(m for _, m in by.values())
        shares[name] = {"all": all_, **{k: h / m for k, (h, m) in by.items()}}
        print(f"{name:38s}" + "".join(f"{by[k][0] / by[k][1]:12.3f}" for k in FAMILIES) + f"{all_:10.4f}")
    out = Path("build/curvature-coverage.json")
    if out.parent.is_dir():
        out.write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
