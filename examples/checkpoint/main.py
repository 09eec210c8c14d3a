"""The gradient through a long loop, and through a deep network, in little memory."""
import numpy as np
import camber as cb

N, STEPS, LAYERS, WIDTH = 40, 5000, 16, 32


def rate(x):
    """Lorenz 96: dx[i]/dt = (x[i+1] - x[i-2]) x[i-1] - x[i] + 8."""
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8


def step(x, h=0.001):
    """One step of Runge and Kutta."""
    a = rate(x)
    b = rate(x + a * (h / 2))
    c = rate(x + b * (h / 2))
    d = rate(x + c * h)
    return x + ((a + b * 2) + (c * 2 + d)) * (h / 6)


def loop(slots=0, **options):
    """The squared norm of the last state and its gradient, keeping so many states; 0: all."""

    def f(x):
        last, _ = cb.scan(lambda x, _: (step(x), None), x, length=STEPS, slots=slots)
        return np.sum(np.square(last))

    return cb.function(cb.value_and_grad(f), **options)


def network(part):
    """Bytes for a network's gradient, its layers computed again in parts of so many; 0: kept."""

    def layers(h, ws):
        for w in ws:
            h = np.tanh(h @ w)
        return h

    def f(ws, h):
        for i in range(0, LAYERS, part or LAYERS):
            h = (cb.checkpoint(layers) if part else layers)(h, ws[i : i + (part or LAYERS)])
        return np.sum(h)

    square = np.zeros((WIDTH, WIDTH))
    return cb.grad(f, (0, 1)).program([square] * LAYERS, square).memory


x = 8 + 0.01 * np.arange(N)
stored, slots = loop(), loop(20)
(value, gradient), (few, other) = stored(x), slots(x)
print(f"value {value:.6f}, gradient {np.linalg.norm(gradient):.6f}")
print("20 states kept:", "the same bits" if value == few and np.array_equal(gradient, other) else "others")
print("memory:", "less than a fiftieth" if slots.program(x).memory * 50 < stored.program(x).memory else "more")

# The library chooses how many fit, or says what would be needed.
limited = loop(memory_limit=100_000)
print("in 100000 bytes:", "the same bits" if limited.program(x).memory <= 100_000 and np.array_equal(gradient, limited(x)[1]) else "others")
try:
    loop(memory_limit=1000)(x)
    print("in 1000 bytes: taken")
except cb.MemoryRefused:
    print("in 1000 bytes: refused")

print("a network in parts of 4:", "less than half the memory" if network(4) * 2 < network(0) else "more")
