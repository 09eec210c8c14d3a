"""What watching costs: gradient with statistics against the plain gradient, least of many alternating rounds.

    python Benchmarks/health/flow_cost.py
"""

import time

import numpy as np

import camber as cb


def loss(params, x, y):
    for i, (w, b) in enumerate(params[:-1]):
        x = cb.layer(np.tanh(x @ w + b), f"layer {i}")
    return np.mean((x @ params[-1][0] + params[-1][1] - y) ** 2)


def main():
    rng = np.random.default_rng(0)
    for depth, width, batch in ((6, 256, 64), (6, 256, 512), (12, 64, 64), (4, 1024, 64)):
        params = [((rng.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32), np.zeros(width, np.float32)) for _ in range(depth)]
        x, y = (rng.standard_normal((batch, width)).astype(np.float32) for _ in range(2))
        plain = cb.value_and_grad(loss)
        runs = {"plain": plain, "flow": cb.flow(loss), "flow every 16": cb.flow(loss, every=16)}
        least = dict.fromkeys(runs, float("inf"))
        for name, f in runs.items():
            f(params, x, y)
        for _ in range(15):
            for name, f in runs.items():
                begin = time.perf_counter()
                for _ in range(16):
                    f(params, x, y)
                least[name] = min(least[name], (time.perf_counter() - begin) / 16)
        print(f"{depth} layers of {width}, batch {batch}: plain {1e3 * least['plain']:.2f} ms,", ", ".join(f"{n} {least[n] / least['plain']:.2f}x" for n in list(runs)[1:]))


if __name__ == "__main__":
    main()
