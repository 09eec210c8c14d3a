"""Rounding-error figures against mpmath: values and gradients of the expressions beside this file, at random points.

    python Benchmarks/health/rounding.py [--points N] [--seed S] [--only TEXT] [--json FILE] [--check] [--figures FILE]

--check holds the figures against the targets. Prints the rows of the target table that concern bounds, estimates, lost bits and blame. The truth is computed with 400 to 1,200 bits; derivatives of the
truth are central differences with steps of 2^-400.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

import mpmath as mp
import numpy as np
from expressions import EXPRESSIONS, LOOPS

import camber as cb

NAMES = ("x", "y", "z", "w")
BITS = 400


def camber_names() -> dict[str, Any]:
    ops = {n: getattr(cb.ops, n) for n in dir(cb.ops) if not n.startswith("_")}
    return {**ops, "absolute": np.absolute, "where": np.where, "clip": np.clip, "maximum": np.maximum, "minimum": np.minimum}


def _mp_names() -> dict[str, Any]:
    f = mp.mpf

    def ncdf(x):
        return mp.erfc(-x / mp.sqrt(2)) / 2

    def maximum(a, b):
        return a if a > b else b

    own = {
        "sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "softplus": lambda x: mp.log1p(mp.exp(x)), "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)), "log1p": mp.log1p, "expm1": mp.expm1,
        "logaddexp": lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), "relu": lambda x: x if x > 0 else f(0), "gelu": lambda x: x * ncdf(x), "silu": lambda x: x / (1 + mp.exp(-x)),
        "normal_cdf": ncdf, "log_normal_cdf": lambda x: mp.log(ncdf(x)), "normal_quantile": lambda p: mp.sqrt(2) * mp.erfinv(2 * f(p) - 1), "lgamma": lambda x: mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x))), "gamma": mp.gamma,
        "digamma": mp.digamma, "i0": lambda x: mp.besseli(0, x), "i1": lambda x: mp.besseli(1, x), "i0e": lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), "asinh": mp.asinh, "acosh": mp.acosh,
        "atanh": mp.atanh, "gammainc": lambda a, x: mp.gammainc(a, 0, x, regularized=True), "gammaincc": lambda a, x: mp.gammainc(a, x, regularized=True),
        "betainc": lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), "xlogy": lambda x, y: x * mp.log(y), "beta": mp.beta, "betaln": lambda a, b: mp.log(mp.beta(a, b)),
        "erfinv": mp.erfinv, "zeta": mp.zeta, "polygamma": lambda n, x: mp.psi(int(n), x), "logit": lambda p: mp.log(p / (1 - p)), "log1mexp": lambda x: mp.log(-mp.expm1(x)),
        "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x), "sinc": lambda x: mp.sin(mp.pi * x) / (mp.pi * x), "where": lambda c, a, b: a if c else b, "maximum": maximum,
        "minimum": lambda a, b: -maximum(-a, -b), "absolute": abs, "clip": lambda x, a, b: maximum(f(a), -maximum(-x, -f(b))), "fma": lambda a, b, c: a * b + c, "rsqrt": lambda x: 1 / mp.sqrt(x),
        "reciprocal": lambda x: 1 / x, "square": lambda x: x * x, "log2": lambda x: mp.log(x, 2), "log10": mp.log10, "exp2": lambda x: mp.mpf(2) ** x, "hypot": mp.hypot, "cbrt": mp.cbrt,
    }  # fmt: skip
    return {**{n: getattr(mp, n) for n in ("sqrt", "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "erf", "erfc")}, **own}


def truth(f: Any, point: list[float]) -> tuple[Any, list[Any]]:
    """The exact value and gradient."""
    with mp.workprec(3 * BITS):
        p = [mp.mpf(v) for v in point]
        y, slopes = f(*p), []
        for i, v in enumerate(p):
            h = abs(v) * mp.mpf(2) ** -BITS
            slopes.append((f(*[q + h if k == i else q for k, q in enumerate(p)]) - f(*[q - h if k == i else q for k, q in enumerate(p)])) / (2 * h))
        return y, slopes


def draw(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform over ranges of one sign that span a decade and more, uniform else."""
    if low > 0 and high / low > 10:
        return float(np.exp(rng.uniform(math.log(low), math.log(high))))
    return float(rng.uniform(low, high))


class Tally:
    """Counts over all points asked about."""

    def __init__(self) -> None:
        self.points = self.unbounded = self.informative = self.close = self.estimated = self.blamed = self.by_node = self.by_kind = self.flagged = self.gained = self.lost12 = 0
        self.tp = self.fp = self.fn = 0
        self.over: list[float] = []
        self.weighted: list[float] = []
        self.violations: list[str] = []
        self.weighted_violations = self.statistical_violations = self.weighted_given = 0

    def add(self, what: str, r: cb.rounding, exact: Any, ranking: list[Any]) -> None:  # type: ignore[valid-type]
        with mp.workprec(3 * BITS):
            value = float(r["value"])
            if not math.isfinite(value) or not mp.isfinite(exact):
                return
            miss = mp.mpf(value) - exact
            error = float(abs(miss))
            if error < 1e-150 * abs(value) or (error < 1e-200 and value == 0):
                error, miss = 0.0, mp.mpf(0)   # noise of the truth's own differences
            self.points += 1
            unit = abs(float(exact)) * 2.0**-53
            bound, weighted = r["bound"], r["weighted_bound"]
            if not bound < math.inf:
                self.unbounded += 1
            elif error > bound * (1 + 1e-9):
                self.violations.append(f"{what}: value {value!r} error {error:.3g} bound {bound:.3g} ({r['level']})")
            self.informative += bound < abs(value) or error == 0
            if weighted < math.inf:
                self.weighted_given += 1
                self.weighted_violations += error > weighted * (1 + 1e-9)
                self.statistical_violations += error > r["statistical"] * (1 + 1e-9)
            if error > 0:
                if bound < math.inf:
                    self.over.append(bound / error)
                if weighted < math.inf:
                    self.weighted.append(weighted / error)
                if bound < abs(value):
                    self.estimated += 1
                    self.close += abs(mp.mpf(r["estimate"]) - miss) <= abs(miss) / 2
            bits = math.log2(error / unit) if error > 0 and unit > 0 else 0.0 if error == 0 else 53.0
            said = r["bits_lost"] > 10
            self.tp += said and bits > 10
            self.fp += said and not bits > 10
            self.fn += not said and bits > 10
            if bits > 10:
                self.flagged += 1
                halved = bool(ranking) and abs(float(miss) - ranking[0].error) <= error / 2
                self.blamed += halved
                self.by_node += halved and len(ranking[0].members) == 1
                self.by_kind += halved and len({m.op for m in ranking[0].members}) == 1
            if bits >= 12 and math.isfinite(r["corrected"]):
                self.lost12 += 1
                left = float(abs(mp.mpf(r["corrected"]) - exact))
                self.gained += left == 0 or math.log2(error / left) >= 10


def ask(tally: Tally, label: str, f: Any, point: list[float], exact: list[Any]) -> None:
    r = cb.rounding(f, top=1000)(*point)
    figures = {n: np.atleast_1d(np.array(cb.pytree.leaves(getattr(r, n)), dtype=object)) for n in ("value", "bound", "weighted_bound", "statistical", "estimate", "corrected", "bits_lost", "level")}
    for i, e in enumerate(exact):
        ranking = r.ranking
        if len(exact) > 1 and figures["bits_lost"][i] > 10:
            ranking = cb.rounding(lambda *a, i=i: f(*a)[i], top=1000)(*point).ranking
        tally.add(f"{label} at {point} [{i}]", {n: v[i] for n, v in figures.items()}, e, ranking)


def measure(points: int, seed: int, only: str = "", texts: Any = None, loops: bool = True, progress: bool = False) -> dict[str, Tally]:
    rng = np.random.default_rng(seed)
    host, exact_names = camber_names(), _mp_names()
    tallies = {"value": Tally(), "gradient": Tally()}

    def run(label: str, f: Any, g: Any, ranges: Any, n: int) -> None:
        for _ in range(n):
            point = [draw(rng, *r) for r in ranges]
            try:
                y, slopes = truth(g, point)
            except (ValueError, ZeroDivisionError, mp.libmp.NoConvergence):
                continue
            if isinstance(y, mp.mpc) or any(isinstance(s, mp.mpc) for s in slopes):
                continue
            ask(tallies["value"], label, f, point, [y])
            many = len(point)
            ask(tallies["gradient"], "d " + label, cb.grad(f, argnums=tuple(range(many))) if many > 1 else cb.grad(f), point, slopes)

    for text, ranges in texts or EXPRESSIONS:
        if only and only not in text:
            continue
        if progress:
            print(text, file=sys.stderr, flush=True)
        code = compile(text, text, "eval")
        names = NAMES[: len(ranges)]
        slow = any(s in text for s in ("betainc", "gammainc", "erfinv", "quantile", "zeta", "polygamma"))
        run(text, lambda *a: eval(code, {**host, **dict(zip(names, a))}), lambda *a: eval(code, {**exact_names, **dict(zip(names, a))}), ranges, min(points, 3) if slow else points)
    for f, n, r in LOOPS if loops else ():
        if not only or only in f.__name__:
            run(f.__name__, lambda x, f=f, n=n: f(np, x, n), lambda x, f=f, n=n: f(mp, x, n), (r,), points)
    return tallies


def summary(t: Tally) -> dict[str, float]:
    over, weighted = np.array(t.over or [1.0]), np.array(t.weighted or [1.0])
    share = lambda a, b: a / b if b else 1.0
    return {
        "points": t.points, "violations": len(t.violations), "unbounded": share(t.unbounded, t.points), "informative": share(t.informative, t.points),
        "over-estimate median": float(np.median(over)), "over-estimate p90": float(np.quantile(over, 0.9)), "weighted bound: violations": t.weighted_violations,
        "weighted bound: median": float(np.median(weighted)), "weighted bound: p90": float(np.quantile(weighted, 0.9)), "statistical: violations": share(t.statistical_violations, t.weighted_given),
        "estimate within half": share(t.close, t.estimated), "10 bits gained where 12 were lost": share(t.gained, t.lost12), "lost > 10 bits: precision": share(t.tp, t.tp + t.fp),
        "lost > 10 bits: recall": share(t.tp, t.tp + t.fn), "flagged": t.flagged, "blame": share(t.blamed, t.flagged), "blame: of one node": share(t.by_node, t.flagged),
        "blame: of one kind of operator": share(t.by_kind, t.flagged),
    }  # fmt: skip


TARGETS = {
    "violations": lambda v: v == 0, "unbounded": lambda v: v <= 0.01, "informative": lambda v: v >= 0.9, "over-estimate median": lambda v: v <= 5, "over-estimate p90": lambda v: v <= 20,
    "estimate within half": lambda v: v >= 0.9, "10 bits gained where 12 were lost": lambda v: v >= 0.9, "lost > 10 bits: precision": lambda v: v >= 0.8, "lost > 10 bits: recall": lambda v: v >= 0.97, "blame": lambda v: v >= 0.95,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--figures")
    a = parser.parse_args()
    tallies = measure(a.points, a.seed, a.only, progress=a.progress)
    print(f"{len(EXPRESSIONS)} expressions, {len(LOOPS)} loops, {a.points} points each")
    for kind, t in tallies.items():
        for v in t.violations[:10]:
            print("VIOLATION", v)
        for name, x in summary(t).items():
            print(f"{kind:9s} {name:36s} {x:.4g}")
    figures = {f"{kind}_{name.replace(' ', '_').replace(':', '').replace('>', 'over').replace('-', '_')}": x for kind, t in tallies.items() for name, x in summary(t).items()}
    if a.figures:
        with open(a.figures, "w") as out:
            out.writelines(f"{name} {x:.6g}\n" for name, x in figures.items())
    if a.check:
        failed = [f"{kind}: {name}" for kind, t in tallies.items() for name, holds in TARGETS.items() if not holds(summary(t)[name])]
        print(*failed, sep="\n")
        print(f"{2 * len(TARGETS) - len(failed)} passed, {len(failed)} failed")
        sys.exit(bool(failed))
    if a.json:
        with open(a.json, "w") as out:
            json.dump({k: summary(t) for k, t in tallies.items()}, out, indent=1)


if __name__ == "__main__":
    main()
