"""What sparse derivatives and mixed mode are to reach, row by row: Camber's figure beside the reference's.

    python Benchmarks/sparse/table.py

References: AlphaGrad (Lohoff and Neftci 2024), ColPack 1.0.10, SparseConnectivityTracer.jl and Symbolics.jl as their authors measured them. The side by side run
against peers is compare.py, patterns by each way patterns.py, the planner's choices planner.py (which writes docs/planner.md).
"""

import os
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "python"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import camber as cb
import patterns
import problems
from graphs import PROGRAMS

BEST = {"HumanHeartDipole": 148, "PropaneCombustion": 88, "RoeFlux_1d": 295, "RobotArm_6DOF": 221}


def row(what, ours, theirs, ok):
    print(f"| {what} | {ours} | {theirs} | {'yes' if ok else 'NO'} |", flush=True)


def median(call, seconds=0.4):
    call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def multiplications():
    for name, f, x, alphagrad in PROGRAMS:
        begin = time.perf_counter()
        found = cb.elimination_cost(f, *x, every=True).products
        seconds = time.perf_counter() - begin
        row(f"multiplications, {name}", f"{found} in {seconds:.2f} s", f"AlphaGrad {alphagrad}, annealing {BEST[name]}; < 1 s", found <= BEST[name] and seconds < 1)


def count(rows, cols, shape, kind="column", order="portfolio"):
    c = cb.color(rows, cols, shape, kind, order)
    return sum(int(np.max(s, initial=0)) for s in c) if isinstance(c, tuple) else int(c.max())


def colours():
    orders = ("natural", "largest_first", "smallest_last", "incidence_degree")
    for n, best in ((6, (9, 9, 8, 10)), (32, (12, 12, 12, 11))):
        rows, cols = (np.array(v) for v in problems.entries(n))
        own = [count(rows, cols, (2 * n * n,) * 2, "column", o) for o in (*orders, "dynamic_largest_first", "portfolio")]
        row(f"colors, Brusselator N = {n}", f"{own[:5]}, portfolio {own[5]}", f"ColPack {list(best)}", own[5] <= min(best) and tuple(own[:4]) == best)
    n = 20
    at = np.arange(n * n).reshape(n, n)
    pairs = [(at, at), (at[1:], at[:-1]), (at[:-1], at[1:]), (at[:, 1:], at[:, :-1]), (at[:, :-1], at[:, 1:])]
    rows, cols = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
    shape = (n * n,) * 2
    own = [count(rows, cols, shape, "column", o) for o in orders]
    row("colors, 5-point Laplacian, columns", own, "ColPack [7, 7, 5, 6]", own == [7, 7, 5, 6])
    own = [count(rows, cols, shape, "star", o) for o in orders]
    row("colors, 5-point Laplacian, star", own, "[5, 5, 6, 6], fewer is better", all(a <= b for a, b in zip(own, (5, 5, 6, 6))))
    row("colors, 5-point Laplacian, acyclic", count(rows, cols, shape, "acyclic"), "4", count(rows, cols, shape, "acyclic") <= 4)
    n = 500
    i = np.arange(n)
    rows, cols = np.concatenate([i, 0 * i, i]), np.concatenate([i, i, 0 * i])
    one, two = count(rows, cols, (n, n)), count(rows, cols, (n, n), "star_bicoloring")
    row("colors, dense row and column, n = 500", f"{two} (columns alone {one})", "a handful", two <= 5)
    # A dense corner that hangs on a band: largest first, taken by asdex, begins with the wrong end.
    rng = np.random.default_rng(0)
    m = 400
    a = np.abs(np.subtract.outer(np.arange(m), np.arange(m))) <= 2
    for k in rng.integers(0, m, 4):
        a[k] = a[:, k] = True
    rows, cols = np.nonzero(a)
    star = {o: count(rows, cols, a.shape, "star", o) for o in ("largest_first", "smallest_last", "portfolio")}
    row("colors, star, band with 4 dense lines", f"portfolio {star['portfolio']} (largest first {star['largest_first']}, smallest last {star['smallest_last']})",
        "never more than the best order", star["portfolio"] <= min(star.values()))  # fmt: skip


def detection():
    f, x = problems.brusselator(np, 32), np.ones(2048)
    times = {d: 1e3 * patterns.seconds(f, x, d)[0] for d in ("sets", "words")}
    row("pattern, Brusselator N = 32, ms", ", ".join(f"{d} {t:.2f}" for d, t in times.items()), "<= 2 (SCT 2.1, Symbolics 234)", max(times.values()) <= 2)
    sizes, ms = (32, 128), []
    for n in sizes:
        ms.append(1e3 * patterns.seconds(problems.brusselator(np, n), np.ones(2 * n * n), "auto")[0])
    row("  linear in entries (16 times as many): N = 32, 128, ms", ", ".join(f"{t:.2f}" for t in ms), "x 16", ms[1] <= 2 * 16 * ms[0])


def exact():
    """Patterns against what is other than zero at ten points: products with zeros, cancellations, masks."""
    a = np.diag(np.arange(1.0, 17.0))
    cases = {
        "product with a diagonal constant": (lambda x: a @ x, 16, 16),
        "x - x, repeated": (lambda x: (x[::-1] * np.sum(x) - x[::-1] * np.sum(x)) + np.sin(x), 2000, 2000),
        "masked by a constant": (lambda x: x * (np.arange(300) % 3 == 0) + 0 * np.sum(x), 300, 100),
        "sums of blocks": (lambda x: np.sum((x.reshape(100, 4) @ np.tril(np.ones((4, 4)))) ** 2, axis=1), 400, 400),
    }
    for name, (f, n, true) in cases.items():
        found = cb.sparse_jacobian(f)(np.linspace(0.3, 1.0, n)).nnz
        swept = cb.sparse_jacobian(f, coloring="forward", detection="words")(np.linspace(0.3, 1.0, n)).nnz
        row(f"entries, {name}", f"{found} (words {swept})", f"{true} are true", found == swept == true)


def again():
    """Values at a new point against 1.3 times (colors x one directional derivative)."""
    cases = [(f"Brusselator N = {n}", cb.sparse_jacobian(problems.brusselator(np, n)), problems.brusselator(np, n), np.random.default_rng(0).random(2 * n * n)) for n in (32, 128)]
    for name, made, f, x in cases:
        out = made(x).data
        colors = int(made(x).colors.max())
        values = median(lambda made=made, x=x, out=out: made(x, out=out))
        push = cb.function(lambda x, v, f=f: cb.jvp(f, (x,), (v,))[1])
        one = median(lambda push=push, x=x: push(x, x))
        row(f"values again, {name}, us", f"{1e6 * values:.0f}", f"1.3 x {colors} x {1e6 * one:.0f} = {1.3e6 * colors * one:.0f}", values <= 1.3 * colors * one)
    n = 100_000
    f, x = problems.rosenbrock(np), np.random.default_rng(0).random(n)
    made = cb.sparse_hessian(f)
    out = made(x).data
    colors = int(made(x).colors.max())
    values = median(lambda: made(x, out=out))
    push = cb.function(lambda x, v: cb.hvp(f, x, v))
    one = median(lambda: push(x, x))
    row("values again, chained Rosenbrock n = 100,000, us", f"{1e6 * values:.0f}", f"1.3 x {colors} x {1e6 * one:.0f} = {1.3e6 * colors * one:.0f}", values <= 1.3 * colors * one)


def memory():
    """Forward steps of a reverse sweep with slots, counted by a call of the host's, and the program's own peak within its limit."""
    from math import comb

    for steps, slots, want in ((10, 3, 25), (56, 5, 196), (100, 5, 416)):
        calls = [0]

        def tick(c, calls=calls):
            calls[0] += 1
            return c

        def f(x, steps=steps, slots=slots, tick=tick):
            def step(c, _):
                return np.sin(cb.host_call(tick, c, c, jvp=lambda p, y, d: d[0], vjp=lambda p, y, d: (d,))), None

            return cb.scan(step, x, None, length=steps, slots=slots)[0]

        g = cb.grad(f)
        g(0.3)
        calls[0] = 0
        g(0.3)
        # The value's own last step is run before the one that is gone back over.
        r = next(r for r in range(1000) if comb(slots + r, slots) >= steps)
        row(f"checkpoints, {steps} steps, {slots} slots: forward steps", f"{calls[0]}, 1 of them for the value", f"{want} (revolve: {steps} + {r * steps - comb(slots + r, slots + 1)})",
            calls[0] <= want + 1)  # fmt: skip


def main():
    print("| what | Camber | reference | reached |\n|---|---|---|---|")
    for part in (multiplications, colours, detection, exact, again, memory):
        part()


if __name__ == "__main__":
    main()
