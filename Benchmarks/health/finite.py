"""What looking for NaNs costs: check_finite over a plain gradient (an MLP at batch 64; a program of 1e6 single numbers), and recording with places.

    python Benchmarks/health/finite.py
"""

import time

import numpy as np

import camber as cb
from camber import _tape


def best(calls, rounds=30):
    """Of each the quickest, measured by turns."""
    times = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            begin = time.perf_counter()
            call()
            times[i] = min(times[i], time.perf_counter() - begin)
    return times


def mlp():
    rng = np.random.default_rng(0)
    sizes = [784, 256, 128, 10]
    params = [(rng.normal(size=(a, b)) / np.sqrt(a), np.zeros(b)) for a, b in zip(sizes, sizes[1:])]
    x, y = rng.normal(size=(64, 784)), np.eye(10)[rng.integers(10, size=64)]

    def loss(params, x, y):
        for w, b in params[:-1]:
            x = np.tanh(x @ w + b)
        z = x @ params[-1][0] + params[-1][1]
        return -np.mean(np.sum(y * (z - cb.special.logsumexp(z, axis=1, keepdims=True)), axis=1))

    plain, checked = (cb.Function(cb.grad(loss)._function, inner=cb.grad(loss)._inner, check_finite=c) for c in (False, True))
    plain(params, x, y), checked(params, x, y)
    return best([lambda: plain(params, x, y), lambda: checked(params, x, y)])


def scalars():
    x = np.random.default_rng(1).uniform(0.5, 1, 1_000_000)
    f = lambda x: np.sum(np.sin(x) * np.exp(-x) + np.log(x))
    plain, checked = (cb.Function(cb.grad(f)._function, inner=cb.grad(f)._inner, check_finite=c) for c in (False, True))
    plain(x), checked(x)
    return best([lambda: plain(x), lambda: checked(x)])


def recording():
    def many(x):
        for _ in range(4000):
            x = x * 1.5
            x = x + 0.25
        return x

    place = _tape._place
    off = lambda tape: None

    def run(p):
        _tape._place = p
        cb.tape_hash(many, 1.0)
        _tape._place = place

    return best([lambda: run(off), lambda: run(place)], 7)


if __name__ == "__main__":
    for name, (a, b) in (("check_finite, MLP at batch 64", mlp()), ("check_finite, 1e6 numbers", scalars()), ("recording with places", recording())):
        print(f"{name}: {a * 1e3:.2f} ms -> {b * 1e3:.2f} ms, {b / a:.3f}x")
