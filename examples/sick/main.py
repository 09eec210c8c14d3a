"""A sick network: 40 layers of tanh whose weights begin three times too small, its gradients in f16, on the images of Fashion-MNIST. A flow watches its
training, says what is wrong and where, and its remedies are applied one by one, each verified on copies, until nothing is found; then it trains.

    python main.py --steps N (of the healed network, 400) --data DIR --report FILE (both trainings beside each other, as an HTML file)

main.c, main.cpp and main.swift are the same program: the four print the same.
"""

import argparse
import gzip
import sys

import numpy as np

import camber as cb
import camber.special as csp

PIXELS, WIDTH, DEPTH, CLASSES, BATCH, SICK = 784, 64, 40, 10, 128, 30


def load(folder, kind):
    """Images and labels from gzipped IDX files."""
    arrays = []
    for name, header, shape in ((f"{kind}-images-idx3", 16, (-1, PIXELS)), (f"{kind}-labels-idx1", 8, (-1,))):
        try:
            with gzip.open(f"{folder}/{name}-ubyte.gz") as file:
                arrays.append(np.frombuffer(file.read(), np.uint8, offset=header).reshape(shape))
        except (OSError, EOFError, ValueError) as problem:
            sys.exit(f"sick: {folder}/{name}-ubyte.gz: {problem} (apt install dataset-fashion-mnist, or give --data DIR)")
    return arrays


def batch(data, k):
    images, labels = data
    first = k * BATCH % (len(images) - len(images) % BATCH)
    return (images[first : first + BATCH] / 255).astype(np.float32), labels[first : first + BATCH].astype(np.int64)


def network(params, x):
    for i in range(DEPTH):
        x = cb.layer(np.tanh(x @ params[f"w{i + 1}"] + params[f"b{i + 1}"]), f"layer {i + 1}")
    return x @ params[f"w{DEPTH + 1}"] + params[f"b{DEPTH + 1}"]


def loss(params, x, labels):
    return -np.mean(np.sum(csp.one_hot(labels, CLASSES, x.dtype) * csp.log_softmax(network(params, x), -1), -1))


def main():
    parser = argparse.ArgumentParser(prog="sick", description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--report")
    options = parser.parse_args()
    train, test = load(options.data, "train"), load(options.data, "t10k")

    params = {}
    for i in range(DEPTH + 1):
        rows, columns = WIDTH if i else PIXELS, WIDTH if i < DEPTH else CLASSES
        params[f"w{i + 1}"], params[f"b{i + 1}"] = np.empty((rows, columns), np.float32), np.zeros(columns, np.float32)
        # The sickness.
        cb.initialize("lecun", params[f"w{i + 1}"], gain=1 / 3 if i < DEPTH else 1, seed=i)
    flow = cb.flow(loss, compute=np.float16, loss_scale=1)
    optimizer = cb.optim.Adam(params, learning_rate=2e-4)

    def step(x, labels):
        value, gradients = flow(params, x, labels)
        optimizer.step({name: g / np.float32(flow.loss_scale) for name, g in gradients.items()})
        return float(value)

    # Watch, prescribe, verify, watch again.
    sick, healed = cb.Report("40 layers of tanh, sick"), cb.Report("40 layers of tanh, healed")
    rounds = k = 0
    found = [None]
    while found and rounds < 8:
        losses = [step(*batch(train, k + i)) for i in range(SICK)]
        k += SICK
        print(f"{SICK} steps: loss {losses[0]:.4f} to {losses[-1]:.4f}, gradients change by e^{flow.slope:.2f} a layer on the way back")
        found = flow.findings()
        for f in found:
            print(f"  found: {f.kind} at {f.place}: {f.evidence}")
        if found:
            if not rounds:
                sick.add(flow)
            known = batch(train, k - 1)
            print(f"  advice: {found[0].advice}")
            print(f"  done: {flow.prescribe(found[0], params, *known, optimizer=optimizer)}")
            # Does it help? Training steps on copies, and what is then found.
            left = flow.verify(params, *known, optimizer=optimizer, steps=24)
            print(f"  verified: {left[0].evidence if left else '24 steps on copies, nothing is found'}")
        else:
            print("  nothing found")
        rounds += 1

    total = 0.0
    for i in range(options.steps):
        total += step(*batch(train, k + i))
        if (i + 1) % 100 == 0:
            print(f"step {i + 1}: loss {total / 100:.4f}")
            total = 0.0
    healed.add(flow).compare(sick, "healed", "sick")
    if options.report:
        healed.save(options.report, "html")
    classify = cb.function(lambda params, x: np.argmax(network(params, x), -1))
    batches = [batch(test, b) for b in range(len(test[1]) // BATCH)]
    right = sum(int(np.sum(classify(params, x) == labels)) for x, labels in batches)
    print(f"healed after {rounds} rounds, test accuracy: {100 * right / (BATCH * len(batches)):.2f} %")


if __name__ == "__main__":
    main()
