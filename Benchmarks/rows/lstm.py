"""ADBench's LSTM, 2 layers, 1024 characters: loss and gradient. Its "logsumexp" is log(2 + sum(exp(y)))."""

import numpy as np

from harness import ADBENCH, Engine, Inputs, Row
from rows import _casadi, _enzyme

PROBLEM = ("-DPROBLEM=Lstm",)


def inputs() -> Inputs:
    numbers = np.array((ADBENCH / "lstm/lstm_l2_c1024.txt").read_text().split(), float)
    layers, c, b = map(int, numbers[:3])
    main, extra, state, text = np.split(numbers[3:], np.cumsum([layers * 8 * b, 3 * b, layers * 2 * b]))
    return {"main": main.reshape(layers, 2, 4, b), "extra": extra.reshape(3, b), "state": state.reshape(layers, 2, b), "text": text.reshape(c, b)}


def loss(np, sigmoid, scan, main, extra, state, text):
    def step(carry, x):
        signal, rest = x, []
        for (weights, bias), (hidden, cell) in zip(main, carry):
            forget, ingate = sigmoid(signal * weights[0] + bias[0]), sigmoid(hidden * weights[1] + bias[1])
            outgate, change = sigmoid(signal * weights[2] + bias[2]), np.tanh(hidden * weights[3] + bias[3])
            cell = cell * forget + ingate * change
            signal = outgate * np.tanh(cell)
            rest.append((signal, cell))
        return rest, signal

    _, signals = scan(step, [(s[0], s[1]) for s in state], text[:-1] * extra[0])
    y = signals * extra[1] + extra[2]
    normed = y - np.log(np.exp(y).sum(1, keepdims=True) + 2)
    return -(text[1:] * normed).sum() / y.size


def jax(i: Inputs):
    import jax
    import jax.numpy as jnp

    main, extra, state, text = (jnp.asarray(i[name]) for name in ("main", "extra", "state", "text"))
    f = jax.jit(jax.value_and_grad(lambda m, e: loss(jnp, jax.nn.sigmoid, jax.lax.scan, m, e, state, text), argnums=(0, 1)))
    return lambda: jax.block_until_ready(f(main, extra))


def casadi_function(i: Inputs):
    import casadi as ca

    layers, c, b = len(i["main"]), *i["text"].shape
    main, extra = ca.SX.sym("main", layers * 8 * b), ca.SX.sym("extra", 3 * b)
    part = lambda x, k: x[k * b : (k + 1) * b]  # noqa: E731
    sigmoid = lambda x: 1 / (1 + ca.exp(-x))  # noqa: E731
    state = [[ca.SX(ca.DM(s)) for s in pair] for pair in i["state"]]
    total = 0
    for t in range(c - 1):
        signal = ca.DM(i["text"][t]) * part(extra, 0)
        for layer, (hidden, cell) in enumerate(state):
            w, bias = ([part(main, (2 * layer + k) * 4 + gate) for gate in range(4)] for k in range(2))
            forget, ingate = sigmoid(signal * w[0] + bias[0]), sigmoid(hidden * w[1] + bias[1])
            outgate, change = sigmoid(signal * w[2] + bias[2]), ca.tanh(hidden * w[3] + bias[3])
            cell = cell * forget + ingate * change
            signal = outgate * ca.tanh(cell)
            state[layer] = [signal, cell]
        y = signal * part(extra, 1) + part(extra, 2)
        total += ca.dot(ca.DM(i["text"][t + 1]), y - ca.log(ca.sum1(ca.exp(y)) + 2))
    loss = -total / ((c - 1) * b)
    return ca.Function("f", [main, extra], [loss, ca.gradient(loss, ca.vertcat(main, extra))])


ROWS = [
    Row("lstm-l2-c1024", "ADBench LSTM gradient, l2 c1024", inputs, [
        Engine("Camber C++, scan", source="camber_lstm.cpp", flags=("-lcamber",)),
        Engine("Camber C++, tape", source="camber_tape.cpp", flags=(*PROBLEM, "-lcamber")),
        Engine("CppAD", source="cppad.cpp", flags=PROBLEM),
        Engine("JAX, scan", jax, ("jax",)),
        _casadi.engine(casadi_function, {"main": 0, "extra": 0}, vm=True),
        _enzyme.engine("Lstm"),
        Engine("ADOL-C", source="adolc.cpp", flags=(*PROBLEM, "-ladolc")),
        Engine("primal C++", source="primal.cpp", flags=PROBLEM),
    ], threads=(1,)),
]  # fmt: skip
