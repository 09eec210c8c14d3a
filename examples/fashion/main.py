"""Trains a network (784-256-128-10, relu) on the 60,000 images of Fashion-MNIST and tests it on 10,000 others.

    python main.py --precision f64|f32|bf16|f16 --epochs N --seed N --limit N (train on the first N) --data DIR --out FILE

main.c, main.cpp and main.swift are the same program: the four print the same losses to the last bit.
"""

import argparse
import gzip
import math
import sys
import time

import numpy as np

import camber as cb
import camber.special as csp

PIXELS, CLASSES, BATCH, TEST_BATCH = 784, 10, 128, 1000
WIDTHS = (PIXELS, 256, 128, CLASSES)
NAMES = ("w1", "b1", "w2", "b2", "w3", "b3")


# ---- Options and data ----------------------------------------------------------------------------------------------


def whole(low):
    def parse(text):
        if not text.isdigit() or int(text) < low:
            raise argparse.ArgumentTypeError(f"a whole number from {low}, not '{text}'")
        return int(text)

    return parse


def options():
    parser = argparse.ArgumentParser(prog="fashion", description=__doc__.splitlines()[0])
    parser.add_argument("--precision", choices=("f64", "f32", "bf16", "f16"), default="f32")
    parser.add_argument("--epochs", type=whole(1), default=10)
    parser.add_argument("--seed", type=whole(0), default=1)
    parser.add_argument("--limit", type=whole(BATCH), default=60000)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--out", default="fashion.safetensors")
    return parser.parse_args()


def read_idx(path, magic, shape):
    """The items of a gzipped IDX file: a big-endian magic number and count (for images two sizes more), then bytes."""
    try:
        with gzip.open(path) as file:
            raw = file.read()
    except FileNotFoundError:
        sys.exit(f"fashion: cannot open {path}: apt install dataset-fashion-mnist, or give --data DIR")
    except (OSError, EOFError) as problem:
        sys.exit(f"fashion: {path}: {problem}")
    header, item = 8 if shape == () else 16, math.prod(shape)
    if len(raw) < header or int.from_bytes(raw[:4], "big") != magic:
        sys.exit(f"fashion: {path} is not an IDX file of the expected kind")
    count = int.from_bytes(raw[4:8], "big")
    if len(raw) < header + count * item:
        sys.exit(f"fashion: {path} ends early")
    return np.frombuffer(raw, np.uint8, count * item, header).reshape(count, *shape)


def load(folder, kind):
    images = read_idx(f"{folder}/{kind}-images-idx3-ubyte.gz", 0x803, (PIXELS,))
    labels = read_idx(f"{folder}/{kind}-labels-idx1-ubyte.gz", 0x801, ()).astype(np.int64)
    if len(images) != len(labels):
        sys.exit(f"fashion: {folder}/{kind}: {len(images)} images and {len(labels)} labels")
    return images, labels


def splitmix(state, count):
    """The next `count` numbers of a splitmix64 generator, and its state after them."""
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        after = int(z[-1]) if count else state
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return (z ^ z >> np.uint64(31)), after


def shuffle(order, state):
    draws, state = splitmix(state, len(order) - 1)
    places = (draws % np.arange(len(order), 1, -1, dtype=np.uint64)).tolist()
    items = order.tolist()
    for i, j in zip(range(len(items) - 1, 0, -1), places):
        items[i], items[j] = items[j], items[i]
    order[:] = items
    return state


# ---- The network ---------------------------------------------------------------------------------------------------


def network(params, x):
    for i in range(0, len(params), 2):
        x = x @ params[i] + params[i + 1]
        if i + 2 < len(params):
            x = cb.ops.relu(x)
    return x


def cross_entropy(params, x, labels):
    logits = network(params, x)
    return -np.mean(np.sum(csp.one_hot(labels, CLASSES, x.dtype) * csp.log_softmax(logits, -1), -1))


class Model:
    """What is computed, in a precision: parameters and data in `dtype`, what is between in `compute`."""

    def __init__(self, precision):
        self.dtype = np.float64 if precision == "f64" else np.float32
        self.scaled = precision == "f16"  # the loss is multiplied by a power of two
        sixteen = (lambda f: cb.precision(f, precision, "f32")) if precision in ("f16", "bf16") else (lambda f: f)
        loss, logits = sixteen(cross_entropy), sixteen(network)

        def objective(params, x, labels, scale):
            value = loss(params, x, labels)
            return (value * scale if self.scaled else value), value

        def slopes(params, x, labels, scale):
            (_, value), gradients = cb.value_and_grad(objective, has_aux=True)(params, x, labels, scale)
            return value, gradients

        def step(params, x, labels, scale):
            value, gradients = slopes(params, x, labels, scale)
            return value, gradients, [np.linalg.norm(g.reshape(-1)) for g in gradients]

        self.slopes = slopes
        self.step = cb.function(step)
        self.classes = cb.function(lambda params, x: np.argmax(logits(params, x), -1))

    def initial(self, seed):
        """He's initialisation from a counter-based generator: weights normal with variance 2 / inputs, biases zero."""

        @cb.function
        def weights(key):
            shapes = list(zip(WIDTHS, WIDTHS[1:]))
            return [cb.random.normal(cb.random.fold(key, i), s, self.dtype) * math.sqrt(2 / s[0]) for i, s in enumerate(shapes)]

        return [p for w in weights(np.int64(seed)) for p in (np.array(w), np.zeros(w.shape[1], self.dtype))]


# ---- Training --------------------------------------------------------------------------------------------------------


def accuracy(model, params, images, labels, shades):
    """Percent of the images that are told right."""
    right, batches = 0, len(labels) // TEST_BATCH
    for b in range(batches):
        part = slice(b * TEST_BATCH, (b + 1) * TEST_BATCH)
        right += int(np.sum(model.classes(params, shades[images[part]]) == labels[part]))
    return 100.0 * right / (batches * TEST_BATCH) if batches else 0.0


def main():
    o = options()
    images, labels = load(o.data, "train")
    test_images, test_labels = load(o.data, "t10k")
    order = np.arange(min(o.limit, len(labels)))
    steps = len(order) // BATCH
    if steps < 1:
        sys.exit(f"fashion: {len(order)} training images are fewer than a batch of {BATCH}")

    model = Model(o.precision)
    shades = (np.arange(256) / 255.0).astype(model.dtype)
    params = model.initial(o.seed)
    schedule = cb.optim.cosine(steps=o.epochs * steps)
    optimizer = cb.optim.AdamW(params, learning_rate=1e-3, schedule=schedule)
    scaler = cb.LossScaler()
    one = (params, shades[images[:BATCH]], labels[:BATCH], model.dtype(1))
    print(f"tape {cb.tape_hash(model.slopes, *one):016x}", flush=True)

    state, start, shown, right, factor = o.seed, time.monotonic(), 0.0, 0.0, 1.0
    terminal = sys.stdout.isatty()
    for epoch in range(1, o.epochs + 1):
        total = 0.0
        state = shuffle(order, state)
        for i in range(steps):
            batch = order[i * BATCH : (i + 1) * BATCH]
            factor = scaler.scale if model.scaled else 1.0
            loss, gradients, norms = model.step(params, shades[images[batch]], labels[batch], model.dtype(factor))
            total += float(loss)
            if not model.scaled or scaler.unscale(gradients):
                optimizer.step(gradients)
            if terminal and time.monotonic() - shown > 0.1:
                done = (epoch - 1) * steps + i + 1
                rate = done / (time.monotonic() - start)
                print(f"\repoch {epoch}/{o.epochs}  loss {total / (i + 1):.4f}  test {f'{right:.2f} %' if right else '--'}  {rate * BATCH:.0f} images/s  "
                      f"{(o.epochs * steps - done) / rate:.0f} s left \033[K", end="", flush=True)  # fmt: skip
                shown = time.monotonic()
        right = accuracy(model, params, test_images, test_labels, shades)
        print(f"{chr(13) + chr(27) + '[K' if terminal else ''}epoch {epoch} loss {(total / steps).hex()} {total / steps:.6f}", flush=True)
    for name, norm in zip(NAMES, norms):
        print(f"gradient norm {name} {float(norm) / factor:.6g}")
    if model.scaled:
        print(f"skipped steps {scaler.skipped}")
    cb.save_tensors(o.out, dict(zip(NAMES, params)))
    print(f"test accuracy: {right:.2f} %")


if __name__ == "__main__":
    try:
        main()
    except cb.Error as problem:
        sys.exit(f"fashion: {problem}")
