"""The planner's choice against all methods measured, on a mixed set of problems; writes its confusion table.

    python Benchmarks/sparse/planner.py [--write docs/planner.md]
"""

import argparse
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "python"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import camber as cb
from graphs import PROGRAMS

RNG = np.random.default_rng(11)
# Of the second plan of each problem.
EVALUATIONS = 1000


def network(sizes, batch=0):
    w = [RNG.normal(size=(m, n)) / np.sqrt(n) for n, m in zip(sizes, sizes[1:])]

    def f(x):
        for a in w:
            x = np.tanh(x @ a.T)
        return x

    return f, RNG.normal(size=(batch, sizes[0]) if batch else sizes[0])


def banded(n, k):
    def f(x):
        y = np.sin(x)
        for s in range(1, k + 1):
            y = y + np.exp(-x) * np.roll(x, s) - np.roll(x, -s) ** 2
        return y

    return f, RNG.normal(size=n)


def recurrent(x):
    """A loop whose step computes much of little: its local Jacobian is worth accumulating."""

    def step(c, u):
        a, b = c
        for _ in range(6):
            a, b = np.sin(a * b + u) * 0.5 + b * 0.1, np.cos(a - b) * np.tanh(a) + 0.01 * u
        return (a, b), a

    return cb.scan(step, (x[0], x[1]), x)[1]


def scalars(f, x):
    return (lambda v: np.stack(f(*[v[i] for i in range(len(x))]))), np.array(x)


def chain(n):
    def f(x):
        y = [x[0]]
        for i in range(1, n):
            y.append(np.sin(y[-1]) * x[i % x.shape[0]] + 0.5)
        return np.stack(y)

    return f, RNG.normal(size=min(n, 8))


def problems():
    """(name, function, point, what): J, H: dense; sJ, sH: sparse."""
    list_ = []

    def add(name, pair, what):
        list_.append((name, pair[0], pair[1], what))

    for m, n in ((4, 400), (10, 200), (1, 1000), (20, 600)):
        a = RNG.normal(size=(m, n)) / np.sqrt(n)
        add(f"wide {m}x{n}", (lambda x, a=a: np.sin(a @ (x * x)), RNG.normal(size=n)), "J")
    for m, n in ((400, 4), (200, 10), (1000, 1), (600, 20)):
        a = RNG.normal(size=(m, n))
        add(f"tall {m}x{n}", (lambda x, a=a: np.exp(-((a @ x) ** 2)), RNG.normal(size=n)), "J")
    for n in (8, 40, 120):
        a = RNG.normal(size=(n, n)) / n
        add(f"square {n}", (lambda x, a=a: np.tanh(a @ x) * x, RNG.normal(size=n)), "J")
    for n, k in ((50, 1), (200, 1), (400, 2), (800, 1), (300, 4)):
        add(f"banded {n}, {k}", banded(n, k), "J")
    for n, k in ((1000, 1), (5000, 2), (20000, 1), (3000, 6)):
        add(f"sparse banded {n}, {k}", banded(n, k), "sJ")
    for n in (100, 300, 1000):
        add(f"arrow {n}", (lambda x: np.concatenate([np.sum(x**2, keepdims=True), x[1:] * x[0] + np.sin(x[1:])]), RNG.normal(size=n)), "sJ")
    for n in (100, 300):
        add(f"dense arrow {n}", (lambda x: np.concatenate([np.sum(x**2, keepdims=True), x[1:] * x[0] + np.sin(x[1:])]), RNG.normal(size=n)), "J")
    for n in (200, 1000):
        add(f"dense rows {n}", (lambda x: np.concatenate([np.stack([np.sum(np.sin(x)), np.prod(np.cos(x / 50)), np.sum(x) ** 2]), x**3]), RNG.normal(size=n)), "sJ")
        add(f"dense columns {n}", (lambda x: np.sin(x) * x[0] + np.exp(x[1]) * x[2] + np.roll(x, 1), RNG.normal(size=n)), "sJ")
    for n in (16, 64, 160):
        add(f"chain {n}", chain(n), "J")
    add("chain 64 sparse", chain(64), "sJ")
    for name, f, x, _ in PROGRAMS:
        add(name, scalars(f, x), "J")
        add(name + " sparse", scalars(f, x), "sJ")
    for sizes in ((20, 30, 30, 4), (4, 30, 30, 40), (60, 3, 60), (100, 5, 100, 5, 100), (300, 4, 200), (10, 10, 10), (200, 50, 1)):
        add("network " + "-".join(map(str, sizes)), network(sizes), "J")
    add("network loss 30", (lambda x, f=network((30, 40, 1))[0]: f(x)[0], RNG.normal(size=30)), "H")
    add("network loss 100", (lambda x, f=network((100, 20, 1))[0]: f(x)[0], RNG.normal(size=100)), "H")
    for n in (20, 100, 400):
        add(f"rosenbrock {n}", (lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), RNG.normal(size=n)), "H")
    for n in (100, 2000, 20000):
        add(f"sparse rosenbrock {n}", (lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), RNG.normal(size=n)), "sH")
    for n in (50, 500):
        add(f"sparse arrow hessian {n}", (lambda x: np.sum(np.sin(x) * x[0]) + np.sum(x**4), RNG.normal(size=n)), "sH")
    for n in (6, 12):
        def small(x, n=n):
            y = x[0]
            for i in range(1, n):
                y = np.sin(y * x[i]) + x[i - 1] * x[i]
            return y
        add(f"scalar hessian {n}", (small, RNG.normal(size=n)), "H")
    add("scan", (lambda x: cb.scan(lambda c, v: (np.tanh(c * v) + 0.1, c), x[0], x)[1], RNG.normal(size=40)), "J")
    add("recurrent cell", (recurrent, np.linspace(0.1, 1, 120)), "J")
    add("cumulative", (lambda x: np.cumsum(np.sin(x)) * x, RNG.normal(size=100)), "J")
    add("gathered", (lambda x, i=RNG.integers(0, 300, 900): np.sin(x[i]) * x[(i + 7) % 300], RNG.normal(size=300)), "sJ")
    add("laplacian", (lambda u: 4 * u - np.roll(u, 1, 0) - np.roll(u, -1, 0) - np.roll(u, 1, 1) - np.roll(u, -1, 1) + u**3, RNG.normal(size=(40, 40))), "sJ")
    add("blocks", (lambda x: np.reshape(np.tanh(np.reshape(x, (30, 4)) @ np.ones((4, 4))) * np.reshape(x, (30, 4)), (120,)), RNG.normal(size=120)), "J")
    return list_


def run(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measured(calls, budget=0.08):
    """Medians of interleaved runs, each behind one of its own that is not counted: a neighbour's arrays leave the caches as they leave them."""
    times = {k: [] for k in calls}
    for c in calls.values():
        c()
    start = time.perf_counter()
    while True:
        for k, c in calls.items():
            c()
            times[k].append(run(c))
        n = len(next(iter(times.values())))
        if n >= 7 and (time.perf_counter() - start > budget * len(calls) or n >= 400):
            return {k: float(np.median(v)) for k, v in times.items()}


def one(name, f, x, what):
    hessian, sparse = what.endswith("H"), what.startswith("s")
    traced = cb.function(f)
    traced(x)
    # The processor's time: others may be at the machine.
    cb.forget_plans()
    start = time.process_time()
    hasty = cb.plan(traced, x, hessian=hessian, sparse=sparse, evaluations=EVALUATIONS)
    middle = time.process_time()
    cb.forget_plans()
    again = time.process_time()
    plan = cb.plan(traced, x, hessian=hessian, sparse=sparse)
    seconds = (time.process_time() - again, middle - start)
    # Again, by the verdict.
    remembered = float(np.median([run(lambda: cb.plan(traced, x, hessian=hessian, sparse=sparse)) for _ in range(9)]))
    table = {e["method"]: e for e in plan.table}
    calls, prepared = {}, {}
    for method, e in table.items():
        if not e["applies"] or method == "finite_differences":
            continue
        try:
            first = time.process_time()
            if sparse:
                g = (cb.sparse_hessian if hessian else cb.sparse_jacobian)(traced, method=method)
                made = g.prepare(x)
                arrays, out = [np.ascontiguousarray(x)], np.empty(made.count)
                calls[method] = lambda made=made, arrays=arrays, out=out: made.values(arrays, out)
            else:
                g = (cb.hessian if hessian else cb.jacobian)(traced, method=method)
                g(x)
                calls[method] = lambda g=g: g(x)
            prepared[method] = time.process_time() - first
        except cb.Error as problem:
            print("   ", name, method, problem)
    best = min(table[m]["predicted_ns"] for m in calls)
    calls = {m: c for m, c in calls.items() if table[m]["predicted_ns"] <= 60 * best or m in (plan.method, hasty.method)}
    times = measured(calls)
    fastest = min(times, key=times.get)
    return plan.method, hasty.method, fastest, times, seconds, remembered, prepared[plan.method], json_spent(plan)


def json_spent(plan):
    import json

    whole = json.loads(plan.to_json())
    return whole["ground"], whole["spent"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    rows, confusion, good = [], {}, 0
    for name, f, x, what in problems():
        if options.only not in name:
            continue
        chosen, quick, fastest, times, seconds, remembered, prepare, (ground, spent) = one(name, f, x, what)
        ratio, other, best = times[chosen] / times[fastest], times[quick] / times[fastest], times[chosen]
        good += ratio <= 1.10
        confusion[fastest, chosen] = confusion.get((fastest, chosen), 0) + 1
        rows.append((name, what, chosen, fastest, ratio, times[fastest], seconds[0], prepare, seconds[0] / best, spent, quick, other, seconds[1], seconds[1] / times[quick], remembered, remembered / best))
        others = ", ".join(f"{m} {t * 1e6:.1f}" for m, t in sorted(times.items(), key=lambda p: p[1])[:5])
        print(f"{name:24} {what:3} {chosen:20} x{ratio:5.2f} {ground:9} ({seconds[0] * 1e3:6.1f} ms, preparing {prepare * 1e3:6.1f}; {quick} x{other:.2f} in {seconds[1] * 1e3:.2f} ms) us: {others}", flush=True)
    middle = lambda k: float(np.median([r[k] for r in rows]))  # noqa: E731
    text = [f"{good} of {len(rows)} choices within 10 % of the best measured.", "",
            f"Planning took {middle(6) * 1e3:.2g} ms at the median ({max(r[6] for r in rows) * 1e3:.0f} at the most), which is {middle(8):.0f} evaluations; tasting runs {middle(9):.0f} of them. Preparing the "
            f"chosen method (tracing, making, compiling, one run), which is paid with and without a plan, took {middle(7) * 1e3:.2g} ms.", "",
            f"A verdict that is remembered takes {middle(14) * 1e6:.0f} us at the median, {middle(15):.1f} evaluations ({max(r[15] for r in rows):.0f} at the most; 10 or fewer on {sum(r[15] <= 10 for r in rows)}).", "",
            f"With evaluations={EVALUATIONS}: {middle(12) * 1e3:.2g} ms, {middle(13):.0f} evaluations; {sum(r[11] <= 1.1 for r in rows)} choices within 10 % and {sum(r[11] <= 2 for r in rows)} within a factor of 2; "
            f"the time of planning and of {EVALUATIONS} evaluations is at the median {np.median([(r[12] + EVALUATIONS * r[11] * r[5]) / (r[6] + EVALUATIONS * r[4] * r[5]) for r in rows]):.2f} of that after a whole plan.", "", "Rows: the method that was fastest; columns: the method chosen.", ""]
    names = sorted({m for pair in confusion for m in pair})
    text += ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for a in names:
        text.append(f"| {a} | " + " | ".join(str(confusion.get((a, b), "")) for b in names) + " |")
    text += ["", f"| problem | kind | chosen | fastest | chosen / fastest | fastest, us | planned in, ms | remembered in, us | evaluations | prepared in, ms | with evaluations={EVALUATIONS} | / fastest | planned in, ms |",
             "|---|---|---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|"]
    text += [f"| {n} | {w} | {c} | {b} | {r:.2f} | {t * 1e6:.1f} | {s * 1e3:.1f} | {v * 1e6:.0f} | {e:.1f} | {p * 1e3:.1f} | {q} | {o:.2f} | {h * 1e3:.2f} |" for n, w, c, b, r, t, s, p, _, _, q, o, h, _, v, e in rows]
    print("\n".join(text[:12 + len(names)]))
    if options.write:
        with open(options.write, "w") as file:
            file.write("# The planner's choices\n\nMade by `python Benchmarks/sparse/planner.py --write " + options.write + "`.\n\n" + "\n".join(text) + "\n")


if __name__ == "__main__":
    main()
