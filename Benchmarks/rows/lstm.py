"""ADBench's LSTM, 2 layers, 1024 characters: loss and gradient. Its "logsumexp" is log(2 + sum(exp(y)))."""

import numpy as np

from harness import ADBENCH, Engine, Inputs, Row

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


ROWS = [
    Row("lstm-l2-c1024", "ADBench LSTM gradient, l2 c1024", inputs, [
        Engine("Camber C++, scan", source="camber_lstm.cpp", flags=("-lcamber",)),
        Engine("Camber C++, tape", source="camber_tape.cpp", flags=(*PROBLEM, "-lcamber")),
        Engine("CppAD", source="cppad.cpp", flags=PROBLEM),
        Engine("JAX, scan", jax, ("jax",)),
        Engine("ADOL-C", source="adolc.cpp", flags=(*PROBLEM, "-ladolc")),
        Engine("primal C++", source="primal.cpp", flags=PROBLEM),
    ], threads=(1,)),
]  # fmt: skip
