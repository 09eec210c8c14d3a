"""seeds.py FOLDER: the small files that fuzzing of saved functions begins with."""

import sys
from pathlib import Path

import numpy as np

import camber as cb

cnp = cb.numpy
x, m, i = np.array([0.5, -1.0, 2.0]), np.eye(3) * 2 + 0.1, np.array([2, 0, -1])


def loop(x, m):
    end, ys = cb.scan(lambda c, t: (np.tanh(m @ c + t), np.sum(c)), x, x)
    return np.sum(end) + np.sum(ys)


def marked(x, m):
    return np.sum(cb.checkpoint(lambda v: np.sin(m @ np.exp(v)))(x))


SEEDS = {
    "empty": ({}, ()),
    "elementwise": (lambda x, y: np.where(x > y, np.sin(x) * y, np.maximum(x, 0.25)), (x, x)),
    "movement": (lambda m: (m.T[::-1, 1:].reshape(6), np.concatenate([m, m], 1), np.roll(m, 1), np.broadcast_to(m[0], (2, 3))), (m,)),
    "reductions": (lambda m: (np.sum(m, 0), np.max(m), np.mean(m, 1), np.argmax(m, 1), np.cumsum(m, 0), np.linalg.norm(m), np.prod(m, 1)), (m,)),
    "indices": (lambda m, x: np.sum(cnp.take(m, i, 0) @ x), (m, x)),
    "algebra": (lambda m, x: np.linalg.solve(m, x) @ np.linalg.cholesky(m @ m.T) @ m, (m, x)),
    "random": (lambda k: cb.random.normal(k, (3,)), (cb.random.key(3),)),
    "dtypes": (lambda a, b, n: (a * np.float32(2), b + n, n > 2, np.int32(3) * n), (np.float32(1), np.float16(2), np.int32(5))),
    "loop": (loop, (x, m)),
    "marked": (marked, (x, m)),
    "tree": (lambda p, k: {"y": p["a"] * k + np.array([1.0, 2.0]), "z": np.array([True, False])}, ({"a": np.ones(2)}, 2.0)),
}


def dumped(name):
    f, args = SEEDS[name]
    return cb.dumps(f, *args, derivatives=("grad",) if name in ("indices", "loop", "marked") else (), notes={"n": "é"})


if __name__ == "__main__":
    for name in SEEDS:
        Path(sys.argv[1], name).write_bytes(dumped(name))
