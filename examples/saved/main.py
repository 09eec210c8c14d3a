"""Fits a small network in Python and saves it with its gradient; the other languages load and run it.

main.py save PATH: trains and writes the file. main.py PATH: loads it and runs what the other languages run.
"""

import sys

import numpy as np

import camber as cb


def predict(model, x):
    return np.tanh(x @ model["w1"] + model["b1"]) @ model["w2"]


def loss(model, x, y):
    return np.mean((predict(model, x) - y) ** 2)


def train(path):
    grid = np.linspace(-1, 1, 32)[:, None]
    target = np.sin(3 * grid[:, 0])
    model = {
        "w1": np.linspace(-2, 2, 8)[None, :],
        "b1": np.linspace(1, -1, 8),
        "w2": np.zeros(8),
    }
    step = cb.value_and_grad(loss)
    for _ in range(5000):
        _, slope = step(model, grid, target)
        model = cb.pytree.map(lambda p, g: p - 0.2 * g, model, slope)

    # What is known now is a constant of the file: the model. What will be asked for later is an input: x.
    def value(x):
        return predict(model, x[None, :])[0]

    x = np.zeros(1)
    cb.save(path, value, x, derivatives=("grad", "hessian"), notes={"about": "sin(3 x) on [-1, 1]"})


def run(path):
    f = cb.load(path)
    print("functions", " ".join(f))
    print("about", f.note("about"))
    for x in (-0.5, 0.0, 0.75):
        at = np.array([x])
        print(f"{x:.2f} {float(f(at)).hex()} {float(f.grad(at)[0]).hex()} {float(f.hessian(at)[0, 0]).hex()}")


if __name__ == "__main__":
    if sys.argv[1] == "save":
        train(sys.argv[2])
    else:
        run(sys.argv[1])
