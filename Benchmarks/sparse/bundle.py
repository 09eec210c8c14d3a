"""ADBench's bundle adjustment (shared/data): the sparse Jacobian's values against 15 forward directions, which is what 15 colors take.

    python Benchmarks/sparse/bundle.py [ba1_n49_m7776_p31843 ...]
"""

import os
import statistics
import sys
import time

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path[:0] = [os.path.join(ROOT, "bindings", "python"), os.path.join(ROOT, "Tests", "python")]
import adbench_models as models
import camber as cb

DATA = os.path.join(ROOT, "..", "shared", "data", "adbench", "ba")


def main():
    print("| input | rows x columns, entries | set up, s | values, ms | 15 directions, each alone, ms | ratio | batched, ms | ratio (at most 1.5) |\n|---|---|---:|---:|---:|---:|---:|---:|")
    for name in sys.argv[1:] or ["ba1_n49_m7776_p31843"]:
        cameras, points, weights, features, who, what = models.read_ba(os.path.join(DATA, name + ".txt"))

        def residuals(v):
            c, q, w = v
            return cb.vmap(models.reprojection)(c[who], q[what], w, features), cb.vmap(models.weight_error)(w)

        at = (cameras, points, weights)
        begin = time.perf_counter()
        made = cb.sparse_jacobian(residuals).prepare(at)
        out, arrays = np.empty(made.count), [np.ascontiguousarray(a) for a in at]
        made.values(arrays, out)
        ready = time.perf_counter() - begin
        rng = np.random.default_rng(1)
        d = tuple(rng.normal(size=a.shape) for a in at)
        many = tuple(rng.normal(size=(15, *a.shape)) for a in at)
        one = cb.function(lambda v, d: cb.jvp(residuals, (v,), (d,))[1])
        batched = cb.function(lambda v, d: cb.vmap(lambda d: cb.jvp(residuals, (v,), (d,))[1])(d))
        calls = (lambda: made.values(arrays, out), lambda: [one(at, d) for _ in range(15)], lambda: batched(at, many))
        times = [[] for _ in calls]
        for k in range(12):
            for t, call in zip(times, calls):
                begin = time.perf_counter()
                call()
                if k:
                    t.append((time.perf_counter() - begin) * 1e3)
        v, alone, together = (statistics.median(t) for t in times)
        print(f"| {name.split('_')[0]} | {made.shape[0]:,} x {made.shape[1]:,}, {made.count:,} | {ready:.2f} | {v:.2f} | {alone:.1f} | {v / alone:.2f} | {together:.1f} | {v / together:.2f} |", flush=True)


if __name__ == "__main__":
    main()
