"""Small networks on the digits, healthy or with one seeded sickness: what runs.py trains and what the tests take a dozen of.

A network is a function of (params, x) that names its layers; parameters are a list of (name, array, fan) made healthy, then made sick.
"""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import numpy as np

import camber as cb

BATCH = 32


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1797 images of 8 x 8 in [0, 1], and one-hot labels (UCI digits, shared/data/digits)."""
    for folder in (os.environ.get("CAMBER_DATA", ""), "shared/data", "../shared/data", "../../shared/data"):
        path = Path(folder) / "digits" / "digits.csv"
        if folder and path.is_file():
            break
    else:
        return synthetic()
    with open(path) as f:
        rows = [r for r in csv.reader(f)]
    numbers = np.array([[float(v) for v in r] for r in rows if r and r[0].replace(".", "").isdigit()])
    return (numbers[:, :64] / 16).astype(np.float32), np.eye(10, dtype=np.float32)[numbers[:, 64].astype(int)]


def synthetic() -> tuple[np.ndarray, np.ndarray]:
    """Ten blurred prototypes with noise, where the digits are not at hand."""
    rng = np.random.default_rng(7)
    centres = rng.random((10, 64)) ** 3
    labels = rng.integers(0, 10, 1797)
    return np.clip(centres[labels] + 0.15 * rng.standard_normal((1797, 64)), 0, 1).astype(np.float32), np.eye(10, dtype=np.float32)[labels]


class Parameters:
    """Healthy initial values: He's for relu, Glorot's gain 1 else."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.names: list[str] = []
        self.arrays: list[np.ndarray] = []

    def weight(self, name: str, *shape: int, gain: float = 1.0) -> None:
        fan = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        self.add(name, gain * self.rng.standard_normal(shape) / np.sqrt(fan))

    def bias(self, name: str, n: int, value: float = 0.0) -> None:
        self.add(name, np.full(n, value))

    def add(self, name: str, array: np.ndarray) -> None:
        self.names.append(name)
        self.arrays.append(np.ascontiguousarray(array, np.float32))


@dataclass
class Architecture:
    """make(seed) gives parameters, apply(params, x) logits. `hidden`: for each layer that a fault may strike, its name, weight and bias."""

    name: str
    make: Callable[[int], Parameters]
    apply: Callable[[list[Any], Any], Any]
    hidden: list[tuple[str, str, str]]
    kind: str                       # "relu" or "tanh"
    rate: float = 0.05
    recurrent: bool = False
    traits: set[str] = field(default_factory=set)


def _mlp(name: str, act: str, depth: int, width: int, rate: float) -> Architecture:
    f = (lambda v: np.maximum(v, 0)) if act == "relu" else np.tanh
    gain = np.sqrt(2) if act == "relu" else 1.0

    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        for i in range(depth):
            p.weight(f"w{i}", 64 if i == 0 else width, width, gain=gain)
            p.bias(f"b{i}", width)
        p.weight("out", width, 10)
        p.bias("out_b", 10)
        return p

    def apply(p: list[Any], x: Any) -> Any:
        for i in range(depth):
            x = cb.layer(f(x @ p[2 * i] + p[2 * i + 1]), f"layer{i}")
        return x @ p[2 * depth] + p[2 * depth + 1]

    return Architecture(name, make, apply, [(f"layer{i}", f"w{i}", f"b{i}") for i in range(depth)], act, rate)


def _cnn(name: str, act: str, depth: int, channels: int, rate: float) -> Architecture:
    f = (lambda v: np.maximum(v, 0)) if act == "relu" else np.tanh
    gain = np.sqrt(2) if act == "relu" else 1.0

    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        for i in range(depth):
            p.weight(f"k{i}", channels, 1 if i == 0 else channels, 3, 3, gain=gain)
            p.bias(f"c{i}", channels)
        p.weight("out", channels * 4, 10)
        p.bias("out_b", 10)
        return p

    def apply(p: list[Any], x: Any) -> Any:
        x = x.reshape((-1, 1, 8, 8))
        for i in range(depth):
            x = cb.layer(f(cb.nn.conv2d(x, p[2 * i], padding=1) + p[2 * i + 1].reshape((1, -1, 1, 1))), f"conv{i}")
        x = cb.nn.avg_pool2d(x, 4).reshape((x.shape[0], -1))
        return x @ p[2 * depth] + p[2 * depth + 1]

    return Architecture(name, make, apply, [(f"conv{i}", f"k{i}", f"c{i}") for i in range(depth)], act, rate)


def _residual(name: str, depth: int, width: int, rate: float) -> Architecture:
    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        p.weight("in", 64, width, gain=np.sqrt(2))
        p.bias("in_b", width)
        for i in range(depth):
            p.weight(f"w{i}", width, width, gain=np.sqrt(2))
            p.bias(f"b{i}", width)
        p.weight("out", width, 10)
        p.bias("out_b", 10)
        return p

    def apply(p: list[Any], x: Any) -> Any:
        x = cb.layer(np.maximum(x @ p[0] + p[1], 0), "in")
        for i in range(depth):
            r = cb.layer(np.maximum(x @ p[2 + 2 * i] + p[3 + 2 * i], 0), f"block{i}")
            x = x + r * (1 / np.sqrt(2 * depth))
        return x @ p[2 + 2 * depth] + p[3 + 2 * depth]

    return Architecture(name, make, apply, [("in", "in", "in_b")] + [(f"block{i}", f"w{i}", f"b{i}") for i in range(depth)], "relu", rate, traits={"residual"})


def _rnn(name: str, width: int, rate: float, act: str = "tanh") -> Architecture:
    f = (lambda v: np.maximum(v, 0)) if act == "relu" else np.tanh

    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        p.weight("w_in", 8, width)
        q = np.linalg.qr(p.rng.standard_normal((width, width)))[0]
        p.add("w_h", q)
        p.bias("b_h", width)
        p.weight("out", width, 10)
        p.bias("out_b", 10)
        return p

    def apply(p: list[Any], x: Any) -> Any:
        h = None
        for t in range(8):
            z = x[:, 8 * t : 8 * t + 8] @ p[0] + p[2]
            h = cb.layer(f(z if h is None else z + h @ p[1]), f"h{t}")
        return h @ p[3] + p[4]

    return Architecture(name, make, apply, [("h0", "w_h", "b_h")], act, rate, True)


def _lstm(name: str, width: int, rate: float) -> Architecture:
    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        p.weight("w_in", 8, 4 * width)
        p.weight("w_h", width, 4 * width)
        b = np.zeros(4 * width)
        b[:width] = 1
        p.add("b_h", b)
        p.weight("out", width, 10)
        p.bias("out_b", 10)
        return p

    def apply(p: list[Any], x: Any) -> Any:
        h = c = None
        s = cb.ops.sigmoid
        for t in range(8):
            z = x[:, 8 * t : 8 * t + 8] @ p[0] + p[2]
            z = z if h is None else z + h @ p[1]
            f, i, o, g = s(z[:, :width]), s(z[:, width : 2 * width]), s(z[:, 2 * width : 3 * width]), np.tanh(z[:, 3 * width :])
            c = i * g if c is None else f * c + i * g
            h = cb.layer(o * np.tanh(c), f"h{t}")
        return h @ p[3] + p[4]

    return Architecture(name, make, apply, [("h0", "w_h", "b_h")], "tanh", rate, True)


def _transformer(name: str, blocks: int, width: int, rate: float) -> Architecture:
    def make(seed: int) -> Parameters:
        p = Parameters(seed)
        p.weight("embed", 8, width)
        p.add("place", 0.3 * p.rng.standard_normal((8, width)))
        for i in range(blocks):
            for n in "qkvo":
                p.weight(f"{n}{i}", width, width)
            p.weight(f"up{i}", width, 2 * width, gain=np.sqrt(2))
            p.bias(f"up_b{i}", 2 * width)
            p.weight(f"down{i}", 2 * width, width)
        p.weight("out", width, 10)
        p.bias("out_b", 10)
        return p

    def norm(x: Any) -> Any:
        m = np.mean(x, axis=-1, keepdims=True)
        return (x - m) / np.sqrt(np.mean((x - m) ** 2, axis=-1, keepdims=True) + 1e-5)

    def apply(p: list[Any], x: Any) -> Any:
        x = x.reshape((-1, 8, 8)) @ p[0] + p[1]
        for i in range(blocks):
            q, k, v, o, up, bias, down = p[2 + 7 * i : 9 + 7 * i]
            h = norm(x)
            scores = (h @ q) @ np.swapaxes(h @ k, -1, -2) / np.sqrt(width)
            e = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
            x = x + cb.layer((e / np.sum(e, axis=-1, keepdims=True)) @ (h @ v) @ o, f"attention{i}")
            x = x + cb.layer(np.maximum(norm(x) @ up + bias, 0), f"mlp{i}") @ down
        return np.mean(x, axis=1) @ p[-2] + p[-1]

    return Architecture(name, make, apply, [(f"mlp{i}", f"up{i}", f"up_b{i}") for i in range(blocks)], "relu", rate, traits={"normalised"})


ARCHITECTURES = {a.name: a for a in (
    _mlp("mlp_tanh", "tanh", 8, 32, 0.1),
    _mlp("mlp_relu", "relu", 8, 32, 0.05),
    _cnn("cnn_relu", "relu", 3, 8, 0.2),
    _rnn("rnn", 32, 0.1),
    # Held out: no threshold was chosen on these.
    _mlp("mlp_deep", "tanh", 14, 24, 0.1),
    _cnn("cnn_tanh", "tanh", 4, 8, 0.2),
    _lstm("lstm", 24, 0.4),
    _rnn("rnn_relu", 32, 0.05, "relu"),
    _residual("residual", 6, 32, 0.03),
    _transformer("transformer", 2, 16, 0.1),
)}  # fmt: skip
TUNED = ("mlp_tanh", "mlp_relu", "cnn_relu", "rnn")


def loss_of(a: Architecture) -> Callable[..., Any]:
    """Cross entropy, times a factor that makes f16 gradients small."""

    def loss(p: list[Any], x: Any, y: Any, factor: Any) -> Any:
        z = a.apply(p, x)
        m = np.max(z, axis=-1, keepdims=True)
        return factor * np.mean(np.log(np.sum(np.exp(z - m), axis=-1)) + m[:, 0] - np.sum(z * y, axis=-1))

    return loss
