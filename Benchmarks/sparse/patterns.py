"""How long patterns take by sets, by words forwards, by words backwards, and by what Camber chooses among them: detection alone, in ms of the processor.

    python Benchmarks/sparse/patterns.py [--write FILE]
"""

import argparse
import os
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "python"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import camber as cb
import problems
from camber._library import lib
from camber._tape import nodes
from camber.function import leaf_key

DETECTIONS = ("auto", "sets", "words", "reverse_words")

RNG = np.random.default_rng(7)


def sparse_product(m, n, per_row):
    a = np.zeros((m, n))
    a[np.arange(m)[:, None], RNG.integers(0, n, (m, per_row))] = 1
    return a


def cases():
    """name, function, point"""
    yield "Brusselator N = 32", problems.brusselator(np, 32), np.ones(2048)
    yield "Brusselator N = 128", problems.brusselator(np, 128), np.ones(32768)
    for width in (3, 20, 100):
        def band(x, width=width):
            return sum(np.roll(x, k) ** 2 for k in range(width)) * x
        yield f"band of {width}, n = 20,000", band, np.ones(20000)
    for n, k in ((500, 5), (1500, 30), (1500, 300)):
        a, b = sparse_product(n, n, k), sparse_product(n, n, k)
        yield f"two products, {k} a row, n = {n:,}", lambda x, a=a, b=b: np.sin(b @ np.sin(a @ x)), np.ones(n)
    a, b = sparse_product(40, 20000, 300), sparse_product(40, 40, 8)
    yield "wide, 40 x 20,000", lambda x: np.sin(b @ np.sin(a @ x)), np.ones(20000)
    c = RNG.integers(0, 1000, (60000, 3))
    yield "tall, 60,000 x 1,000", lambda x: np.sin(x[c]).prod(1), np.ones(1000)
    yield "running sum, n = 3,000", lambda x: np.cumsum(np.sin(x)) * x, np.ones(3000)
    yield "running sum, n = 10,000", lambda x: np.cumsum(np.sin(x)) * x, np.ones(10000)
    yield "smoothed 12 times, n = 20,000", smoothed(12), np.ones(20000)
    yield "smoothed 100 times, n = 5,000", smoothed(100), np.ones(5000)
    yield "scan, 500 steps of 8", lambda x: cb.scan(lambda c, v: (np.sin(c) * 0.5 + v, c * v), np.zeros(8), x.reshape(-1, 8))[1], np.ones(4000)


def smoothed(times):
    def f(x):
        for _ in range(times):
            x = np.sin(x) + np.roll(x, 1) * np.roll(x, -1)
        return x

    return f


def seconds(f, x, detection, budget=3.0):
    """The pattern alone: all columns get one color, which clashes, and preparing ends there."""
    g = cb.sparse_jacobian(cb.function(f))
    points, tree, _ = g._arguments(x, ())
    tape, inputs, _, result = g.function._trace(tree, tuple(leaf_key(p) for p in points))
    y, v = nodes([result._node]), nodes([inputs[0]._node])
    ones = np.ones(x.size, np.int32)
    times, begin, found = [], time.perf_counter(), ""
    while len(times) < 3 or len(times) < 9 and time.perf_counter() - begin < 0.3:
        handle = lib.sparse_jacobian(tape.handle, y, 1, v, 1, None, 0)
        lib.sparse_set(handle, b"detection", float(DETECTIONS.index(detection)))
        lib.sparse_use_colors(handle, None, 0, ones.ctypes.data, ones.size)
        # Of this thread, which does it all: what else runs on the machine does not count.
        start = time.thread_time()
        status = lib.sparse_prepare(handle)
        times.append(time.thread_time() - start)
        message = lib.sparse_message(handle).decode()
        if status == 0 or "clash" not in message:
            print("   ", detection, message)
        found = DETECTIONS[lib.sparse_detection(handle)]
        lib.sparse_free(handle)
        if time.perf_counter() - begin > budget:
            break
    return statistics.median(times), found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    lines = ["| pattern | sets, ms | words | words backwards | chosen | |", "|---|---:|---:|---:|---:|---|"]
    print("\n".join(lines))
    for name, f, x in cases():
        if args.only not in name:
            continue
        made = {d: seconds(f, x, d) for d in DETECTIONS}
        cells = " | ".join(f"{1e3 * made[d][0]:.2f}" for d in ("sets", "words", "reverse_words", "auto"))
        lines.append(f"| {name} | {cells} | {made['auto'][1]} |")
        print(lines[-1], flush=True)
    if args.write:
        with open(args.write, "w") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
