"""What rounding bounds cost over a plain gradient: time of compiled programs over the C interface, on one thread.

    python Benchmarks/health/costs.py

Two programs: a scalar tape of about a million nodes, and a perceptron (784, 256, 10) on a batch of 64 in f32. For each: the gradient alone; with the
bound of the value; with the signed estimate; and the bound of one functional of the gradient (with the gradient).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import camber as cb
from camber._library import lib
from camber._tape import nodes
from camber.function import Function, leaf_key
from camber.program import Program


def recorded(f: Any, args: tuple[Any, ...]) -> tuple[Any, list[int], list[int]]:
    leaves, tree = cb.pytree.flatten((args, {}))
    tape, inputs, _, result = Function(f)._trace(tree, tuple(leaf_key(a) for a in leaves))
    return tape, [x._node for x in inputs], [y._node for y in cb.pytree.leaves(result)]


def compared(programs: dict[str, Program], args: tuple[Any, ...], rounds: int) -> dict[str, float]:
    """The median time of each program, the programs taking turns."""
    leaves = cb.pytree.leaves(args)
    outs = {k: p.run(leaves) for k, p in programs.items()}
    times: dict[str, list[float]] = {k: [] for k in programs}
    for _ in range(rounds):
        for k, p in programs.items():
            p.run(leaves, outs[k])
            start = time.perf_counter()
            p.run(leaves, outs[k])
            times[k].append(time.perf_counter() - start)
    return {k: statistics.median(t) for k, t in times.items()}


def measure(name: str, f: Any, wrt: int, args: tuple[Any, ...], rounds: int) -> dict[str, float]:
    import ctypes

    tape, inputs, outputs = recorded(f, args)
    y, x = outputs[0], inputs[:wrt]
    grads = (ctypes.c_int64 * len(x))()
    assert lib.grad(tape.handle, y, nodes(x), len(x), grads) == 0
    gradient = [y, *grads]
    bound = lib.rounding_bound(tape.handle, y, nodes(inputs), len(inputs))
    three = (ctypes.c_int64 * 3)()
    if lib.rounding_estimate(tape.handle, y, nodes(inputs), len(inputs), three):
        tape.fail()
    rng = np.random.default_rng(0)
    # A functional w.g, w constant.
    tape.closed = False
    with tape:
        total = None
        for g in grads:
            a = cb._tape.typed(tape, g)
            term = np.sum(a * rng.standard_normal(a.shape).astype(cb._dtypes.NUMPY[a._code]))
            total = term if total is None else total + term
    gbound = lib.rounding_bound(tape.handle, total._node, nodes(inputs), len(inputs))
    if gbound < 0:
        tape.fail()
    sets = {"gradient": gradient, "with the bound": [*gradient, bound], "with the estimate": [*gradient, *three], "with a gradient functional's bound": [*gradient, gbound]}
    times = compared({k: Program(tape, inputs, v, threads=1) for k, v in sets.items()}, args, rounds)
    print(f"{name}: {lib.tape_node_count(tape.handle)} nodes recorded, derivatives and bounds among them")
    for k, s in times.items():
        print(f"  {k:36s} {s * 1e3:9.3f} ms  {s / times['gradient']:.2f}x")
    return times


def scalar_tape(n: int) -> Any:
    def f(x: Any) -> Any:
        v = [x[i] for i in range(64)]
        for k in range(n):
            i, j = k % 64, (k * 7 + 3) % 64
            v[i] = v[i] * v[j] * 0.5 + np.sin(v[j]) if k % 3 else (v[i] + v[j]) / (1.0 + v[j] * v[j])
        s = v[0]
        for u in v[1:]:
            s = s + u
        return s

    return f


def perceptron(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, t: Any) -> Any:
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    return np.mean(cb.special.logsumexp(z, axis=1) - np.sum(z * t, axis=1))


def main() -> None:
    rng = np.random.default_rng(1)
    measure("scalar tape", scalar_tape(200_000), 1, (rng.uniform(-1, 1, 64),), 15)
    f32 = np.float32
    t = np.eye(10, dtype=f32)[rng.integers(0, 10, 64)]
    args = (rng.standard_normal((784, 256)).astype(f32) * f32(0.05), np.zeros(256, f32), rng.standard_normal((256, 10)).astype(f32) * f32(0.1), np.zeros(10, f32),
            rng.standard_normal((64, 784)).astype(f32), t)  # fmt: skip
    measure("perceptron, batch 64", perceptron, 4, args, 60)


if __name__ == "__main__":
    main()
