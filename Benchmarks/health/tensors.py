"""Rounding errors of tensor programs in f32, f16 and bf16 against the same programs in f64; and of random scalar tapes in f64 against mpmath.

    python Benchmarks/health/tensors.py [--tapes N] [--seed S]
"""

from __future__ import annotations

import argparse
from typing import Any

import mpmath as mp
import numpy as np
from rounding import _mp_names, camber_names

import camber as cb


def programs(rng: np.random.Generator) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    n = rng.standard_normal
    spd = n((6, 6))
    spd = spd @ spd.T + 6 * np.eye(6)
    return {
        "perceptron": (lambda w, v, x: np.mean(cb.special.logsumexp(np.tanh(x @ w) @ v, axis=1)), (n((12, 9)), n((9, 4)), n((8, 12)))),
        "softmax attention": (lambda q, k, v: np.sum(cb.special.softmax(q @ k.T / 3.0, axis=1) @ v), (n((5, 7)), n((6, 7)), n((6, 3)))),
        "convolution": (lambda x, w: np.sum(np.maximum(cb.nn.conv(x, w), 0.0) ** 2), (n((2, 3, 8, 8)), n((4, 3, 3, 3)))),
        "recurrent": (lambda w, h: np.sum(cb.scan(lambda c, _: (np.tanh(w @ c), None), h, None, length=20)[0]), (n((6, 6)) * 0.5, n(6))),
        "gaussian process": (lambda a, b: b @ np.linalg.solve(a, b) + np.linalg.slogdet(a)[1], (spd, n(6))),
        "cholesky": (lambda a: np.sum(np.log(np.diag(np.linalg.cholesky(a)))), (spd,)),
        "variance": (lambda x: np.mean(x * x) - np.mean(x) ** 2, (1000 + n(50),)),
        "norms": (lambda x: np.linalg.norm(x) / np.sum(np.abs(x)) + np.cumsum(x)[-1], (n(100),)),
        "sorted gaps": (lambda x: np.sum(np.diff(np.sort(x)) ** 2), (n(40),)),
    }


def tensors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    casts = {"f32": (lambda a: a.astype(np.float32), lambda a: np.asarray(a, np.float64)), "f16": (lambda a: a.astype(np.float16), lambda a: np.asarray(a, np.float64)),
             "bf16": (lambda a: cb.to_bf16(a.astype(np.float32)), lambda a: cb.from_bf16(a).astype(np.float64))}  # fmt: skip
    print(f"{'program':20s} {'dtype':5s} {'what':9s} points violations  bound/error  weighted/error")
    for name, (f, args) in programs(rng).items():
        for kind, (to, back) in casts.items():
            if kind != "f32" and name in ("gaussian process", "cholesky", "convolution"):
                continue
            low = tuple(to(a) for a in args)
            high = tuple(back(a) for a in low)
            for what, g in (("value", f), ("gradient", cb.grad(f))):
                try:
                    r = cb.rounding(g, branches=0)(*low)
                except cb.Error as problem:
                    print(f"{name:20s} {kind:5s} {what:9s} {problem}")
                    continue
                value = np.atleast_1d(back(r.value) if kind == "bf16" and np.asarray(r.value).dtype == np.uint16 else np.asarray(r.value, np.float64)).ravel()
                error = np.abs(value - np.atleast_1d(g(*high)).ravel())
                bound, weighted = np.atleast_1d(r.bound).ravel(), np.atleast_1d(r.weighted_bound).ravel()
                real = error > 1e-13 * np.abs(value)
                print(f"{name:20s} {kind:5s} {what:9s} {error.size:6d} {int(np.sum(error > bound * (1 + 1e-6) + 1e-13 * np.abs(value))):10d} "
                      f"{np.median(bound[real] / error[real]) if real.any() else 1:12.3g} {np.median(weighted[real] / error[real]) if real.any() else 1:15.3g}")  # fmt: skip


UNARY = ("neg", "absolute", "square", "sqrt", "rsqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
         "asinh", "acosh", "atanh", "sigmoid", "softplus", "log_sigmoid", "logit", "relu", "gelu", "silu", "erf", "erfc", "erfcx", "normal_cdf", "gamma", "lgamma", "digamma", "i0", "i0e",
         "sinc", "reciprocal")  # fmt: skip
BINARY = ("+", "-", "*", "/", "atan2", "hypot", "logaddexp", "maximum", "minimum", "pow", "beta")


def random_tapes(count: int, seed: int) -> None:
    """Random DAGs of ten operators over two inputs; those whose exact result is no finite real number are drawn again."""
    rng = np.random.default_rng(seed)
    low, high = camber_names(), _mp_names() | {"neg": lambda x: -x, "pow": lambda a, b: abs(a) ** b}
    low = low | {"pow": lambda a, b: np.absolute(a) ** b}
    done = violations = unbounded = informative = 0
    ratios = []
    while done < count:
        steps = [("u", str(rng.choice(UNARY)), int(rng.integers(0, 2 + k))) if rng.random() < 0.5 else ("b", str(rng.choice(BINARY)), int(rng.integers(0, 2 + k)), int(rng.integers(0, 2 + k))) for k in range(10)]

        def f(names: Any, x: Any, y: Any, steps: Any = steps) -> Any:
            v = [x, y]
            for s in steps:
                if s[0] == "u":
                    v.append(names[s[1]](v[s[2]]))
                else:
                    a, b = v[s[2]], v[s[3]]
                    v.append(a + b if s[1] == "+" else a - b if s[1] == "-" else a * b if s[1] == "*" else a / b if s[1] == "/" else names[s[1]](a, b))
            return v[-1]

        x, y = (float(v) for v in rng.uniform(0.05, 0.95, 2))
        try:
            with mp.workprec(400):
                exact = f(high, mp.mpf(x), mp.mpf(y))
                if isinstance(exact, mp.mpc) or not mp.isfinite(exact) or abs(exact) > 1e300 or (exact != 0 and abs(exact) < 1e-300):
                    continue
        except (ValueError, ZeroDivisionError, OverflowError, mp.libmp.NoConvergence, TypeError, AttributeError):
            continue
        r = cb.rounding(lambda x, y: f(low, x, y) + 0 * x, branches=0)(x, y)
        if not np.isfinite(r.value):
            continue
        done += 1
        with mp.workprec(400):
            error = float(abs(mp.mpf(float(r.value)) - exact))
        if not np.isfinite(r.bound):
            unbounded += 1
        elif error > r.bound * (1 + 1e-9) + 1e-290:
            violations += 1
            print("VIOLATION", steps, x, y, float(r.value), error, r.bound, r.level)
        informative += r.bound < abs(r.value) or error == 0
        if error > 0 and np.isfinite(r.bound):
            ratios.append(r.bound / error)
    print(f"{done} random tapes: {violations} violations, {unbounded} unbounded, {informative} informative, bound/error median {np.median(ratios):.3g}, p90 {np.quantile(ratios, 0.9):.3g}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tapes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    tensors(a.seed)
    random_tapes(a.tapes, a.seed)


if __name__ == "__main__":
    main()
