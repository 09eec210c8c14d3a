"""scan under every transform: captured values, nested loops, both directions, lengths 0 and 1, against an unrolled loop."""

import numpy as np
import pytest

import camber as cb
import camber.special as csp

rng = np.random.default_rng(21)
W = rng.standard_normal((3, 3)) / 2
B = rng.standard_normal(3)
X0 = rng.standard_normal(3)
XS = rng.standard_normal((5, 3))


def unrolled(f, init, xs, length=None, reverse=False):
    """cb.scan as a Python loop."""
    leaves = cb.pytree.leaves(xs)
    count = length if not leaves else leaves[0].shape[0]
    ys = [None] * count
    for i in reversed(range(count)) if reverse else range(count):
        init, ys[i] = f(init, cb.pytree.map(lambda a, i=i: a[i], xs))
    return init, cb.pytree.map(lambda *parts: np.stack(parts), *ys)


def rnn(loop, reverse=False):
    def f(w, b, x0, xs):
        def body(c, x):
            c = np.tanh(w @ c + x * b)
            return c, np.sum(c * c) * x[0]

        last, ys = loop(body, x0, xs, reverse=reverse)
        return np.sum(last * B) + np.sum(ys**2)

    return f


def pair(loop):
    """A carry of two kinds, one of them counted; xs a tree; outputs a tree."""

    def f(w, b, x0, xs):
        def body(c, x):
            n, h = c
            h = csp.expit(h * w[0] + x["a"] * b) + np.sin(x["b"]) / (n + 1)
            return (n + 1, h), {"h": h, "s": h[:, None] * w}

        (n, h), ys = loop(body, (0, x0), {"a": xs, "b": xs[:, 0]})
        return np.sum(h) * n + np.sum(ys["h"] ** 2) + np.sum(np.cos(ys["s"]))

    return f


def nested(loop):
    """A loop in a loop, the inner one reading both levels."""

    def f(w, b, x0, xs):
        def outer(c, x):
            def inner(d, y):
                return np.tanh(d + w[0] * y * x), d[0]

            d, ys = loop(inner, c, xs[:3, :] * b)
            return d, np.sum(ys)

        last, ys = loop(outer, x0, xs)
        return np.sum(last) + np.sum(ys**2)

    return f


def gated(loop):
    """where, max and gather inside."""

    def f(w, b, x0, xs):
        def body(c, x):
            c = np.where(x > 0, c * x, np.sqrt(np.abs(c) + 1)) + w[np.argmax(x)]
            return np.maximum(c, b), c[::-1]

        last, ys = loop(body, x0, xs, reverse=True)
        return np.sum(last) + np.sum(ys * ys)

    return f


def unused(loop):
    """A carry that nothing reads, an x that nothing reads, a captured constant."""

    def f(w, b, x0, xs):
        def body(c, x):
            u, v = c
            return (u * 2, v + np.ones(3) @ w), None

        last, _ = loop(body, (x0, b), xs)
        return np.sum(last[1] ** 2)

    return f


MODELS = {"rnn": rnn, "rnn reverse": lambda loop: rnn(loop, True), "pair": pair, "nested": nested, "gated": gated, "unused": unused}
ARGS = (W, B, X0, XS)


@pytest.mark.parametrize("name", MODELS)
def test_transforms(name):
    f, g = MODELS[name](cb.scan), MODELS[name](unrolled)
    every = (0, 1, 2, 3)
    v = tuple(rng.standard_normal(a.shape) for a in ARGS)
    close = lambda a, b, tol=1e-11: np.testing.assert_allclose(a, b, rtol=tol, atol=tol)  # noqa: E731
    close(cb.function(f)(*ARGS), cb.function(g)(*ARGS))
    for a, b in zip(cb.grad(f, every)(*ARGS), cb.grad(g, every)(*ARGS)):
        close(a, b)
    close(cb.jvp(f, ARGS, v)[1], cb.jvp(g, ARGS, v)[1])
    close(cb.jvp(f, ARGS, v)[1], sum(np.sum(a * b) for a, b in zip(cb.grad(f, every)(*ARGS), v)))
    for a, b in zip(cb.hvp(lambda p: f(*p), list(ARGS), list(v)), cb.hvp(lambda p: g(*p), list(ARGS), list(v))):
        close(a, b, 1e-9)
    close(cb.hessian(f, 1)(*ARGS), cb.hessian(g, 1)(*ARGS), 1e-9)
    close(cb.hessian(f, 1)(*ARGS), cb.jacobian(cb.grad(f, 1), 1, mode="reverse")(*ARGS), 1e-9)
    for which in every:
        axes = tuple(0 if i == which else None for i in every)
        many = [a if i != which else np.stack([a, a * 1.1, a - 0.2]) for i, a in enumerate(ARGS)]
        single = [[a if i != which else many[which][k] for i, a in enumerate(ARGS)] for k in range(3)]
        close(cb.vmap(f, axes)(*many), [cb.function(f)(*a) for a in single])
        close(cb.vmap(cb.grad(f, 0), axes)(*many), [cb.grad(f, 0)(*a) for a in single])
        close(cb.vmap(cb.grad(f, 3), axes)(*many), [cb.grad(f, 3)(*a) for a in single])
    y, lin = cb.linearize(lambda w, b: f(w, b, X0, XS), W, B)
    close(lin(v[0], v[1]), cb.jvp(lambda w, b: g(w, b, X0, XS), (W, B), v[:2])[1])
    for a, b in zip(lin.T(1.0), cb.grad(f, (0, 1))(*ARGS)):
        close(a, b)
    close(cb.simplify(cb.grad(f))(*ARGS), cb.grad(f)(*ARGS))


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short(length):
    f = lambda c, xs: cb.scan(lambda c, x: (c * x, c), c, xs)  # noqa: E731
    xs = np.full(length, 3.0)
    last, ys = f(2.0, xs)
    assert last == 2.0 * 3**length and ys.shape == (length,)
    assert cb.grad(lambda c: f(c, xs)[0])(2.0) == 3.0**length
    assert cb.grad(lambda xs: f(2.0, xs)[0])(xs).shape == (length,)


def test_long():
    """Ten thousand steps: value and gradient by the closed form."""
    n = 10000
    f = lambda a: cb.scan(lambda c, _: (a * c + 1.0, None), 0.0, None, length=n)[0]  # noqa: E731
    a = 0.999
    assert cb.function(f)(a) == pytest.approx((1 - a**n) / (1 - a), rel=1e-10)
    want = ((1 - a**n) - n * a ** (n - 1) * (1 - a)) / (1 - a) ** 2
    assert cb.grad(f)(a) == pytest.approx(want, rel=1e-9)


def test_map_and_fori():
    np.testing.assert_allclose(cb.map(np.sin, XS), np.sin(XS), rtol=1e-15)
    assert cb.grad(lambda x: cb.fori_loop(0, 5, lambda i, c: c * x + i, 1.0))(2.0) == pytest.approx(5 * 16 + 3 * 1 * 4 + 2 * 2 * 2 + 3 * 1)
    np.testing.assert_allclose(cb.grad(lambda x: np.sum(cb.map(lambda r: r**3, x)))(XS), 3 * XS**2, rtol=1e-14)


def test_random_in_a_loop():
    """A key folded at each step: the loop draws what separate calls draw."""
    k = cb.random.key(3)
    _, ys = cb.scan(lambda c, i: (c, cb.random.normal(cb.random.fold(k, i), (2,))), 0.0, np.arange(4))
    np.testing.assert_array_equal(ys, [cb.random.normal(cb.random.fold(k, i), (2,)) for i in range(4)])
    keys = cb.random.split(k, 3)
    np.testing.assert_array_equal(cb.vmap(lambda k: cb.random.uniform(k, (2,)))(keys), [cb.random.uniform(k, (2,)) for k in keys])


@pytest.mark.parametrize("compute", ["f32", "f16", "bf16"])
def test_precision_in_a_loop(compute):
    f = cb.precision(lambda w, x: rnn(cb.scan)(w, B.astype(np.float32), x, XS.astype(np.float32)), compute=compute, output="f32")
    args = W.astype(np.float32), X0.astype(np.float32)
    want = rnn(unrolled)(W, B, X0, XS)
    assert abs(f(*args) - want) < {"f32": 1e-5, "f16": 0.05, "bf16": 0.5}[compute] * (1 + abs(want))
    assert cb.grad(f)(*args).dtype == np.float32


def chain(slots, keep=None):
    """A loop that keeps so many carries, and a marked part behind it."""

    def f(x, k, xs):
        last, ys = cb.scan(lambda c, z: (np.sin(c * k + z), c * z), x, xs, slots=slots)
        tail = lambda a: np.cos(a) * k + np.sum(ys)  # noqa: E731
        return np.sum((cb.checkpoint(tail, keep) if keep else tail)(last) ** 2)

    return f


@pytest.mark.parametrize("slots", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("keep", [None, "nothing", "products"])
def test_slots(slots, keep):
    stored, few = chain(0), chain(slots, keep)
    for argnums in (0, 1, 2):
        np.testing.assert_array_equal(cb.grad(few, argnums)(X0, B, XS), cb.grad(stored, argnums)(X0, B, XS))
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_array_equal(cb.hvp(lambda x: few(x, B, XS), X0, v), cb.hvp(lambda x: stored(x, B, XS), X0, v))
    np.testing.assert_allclose(cb.hessian(few)(X0, B, XS), cb.hessian(stored)(X0, B, XS), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(cb.jacrev(cb.grad(few))(X0, B, XS), cb.hessian(stored)(X0, B, XS), rtol=1e-12, atol=1e-14)
    many = cb.vmap(cb.grad(few), in_axes=(0, None, None))(np.stack([X0, B]), B, XS)
    np.testing.assert_allclose(many, [cb.grad(stored)(x, B, XS) for x in (X0, B)], rtol=1e-14)


def test_slots_of_a_recurrent_network():
    def f(slots):
        return cb.grad(lambda w, b: np.sum(cb.scan(lambda c, x: (np.tanh(w @ c + x * b), None), X0, XS, slots=slots)[0] ** 2), (0, 1))

    for a, b in zip(f(2)(W, B), f(0)(W, B)):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_checkpoint_takes_trees():
    @cb.checkpoint
    def f(p, n, *, scale):
        return {"y": np.sin(p["a"] @ p["b"]) * scale, "n": n, "k": 3}

    p = {"a": W, "b": B}
    out = cb.function(lambda p: f(p, 2, scale=X0))(p)
    np.testing.assert_array_equal(out["y"], np.sin(W @ B) * X0)
    assert out["n"] == 2 and out["k"] == 3 and f(p, 1, scale=X0)["n"] == 1
    g, h = (cb.grad(lambda p, f=f: np.sum(f(p, 2, scale=X0)["y"] ** 2))(p) for f in (f, f.__wrapped__))
    np.testing.assert_array_equal(g["a"], h["a"])
    np.testing.assert_array_equal(g["b"], h["b"])


def test_memory_limit():
    f = lambda x: np.sum(cb.scan(lambda c, _: (np.sin(c) * 1.5, None), x, length=5000)[0])  # noqa: E731
    plain = cb.function(cb.value_and_grad(f))
    x = np.linspace(0, 1, 20)
    whole = plain.program(x).memory
    few = cb.function(cb.value_and_grad(f), memory_limit=60_000)
    assert few.program(x).memory <= 60_000 < 5000 * 160 < whole
    assert "memory_limit 60000: loops keep" in few.explain(x)
    for a, b in zip(plain(x), few(x)):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(cb.MemoryRefused, match="memory_limit is 100 bytes, the arena needs .* with every loop keeping one carry"):
        cb.function(cb.grad(f), memory_limit=100)(x)
    p = plain.program(x)
    p.set("scan_slots", 10)
    assert p.memory < 10_000 and "10 of 5000 carries kept" in p.explain()


def test_slots_and_keep_are_checked():
    for slots in (-1, 1.5, "all"):
        with pytest.raises(cb.InvalidError, match="slots"):
            cb.scan(lambda c, _: (c, None), 1.0, length=3, slots=slots)
    with pytest.raises(cb.InvalidError, match="nothing, products"):
        cb.checkpoint(np.sin, keep="all")


def test_lorenz_96_in_little_memory():
    """The gradient through 100,000 steps of Runge-Kutta, n = 40: at most 100 MB beyond the library; in fact 1."""

    def rate(x):
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0

    def step(x, dt=2e-4):
        a = rate(x)
        b = rate(x + 0.5 * dt * a)
        c = rate(x + 0.5 * dt * b)
        d = rate(x + dt * c)
        return x + dt / 6 * (a + 2 * b + 2 * c + d)

    def loss(slots):
        return lambda x: np.sum(cb.scan(lambda x, _: (step(x), None), x, length=100_000, slots=slots)[0] ** 2)

    x = 8 + 0.01 * np.arange(40.0)
    resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096  # noqa: E731
    few, before = cb.function(cb.value_and_grad(loss(200))), resident()
    value, gradient = few(x)
    assert resident() - before < 8e6
    assert few.program(x).memory < 100_000
    want, stored = cb.value_and_grad(loss(0))(x)
    assert value == want
    np.testing.assert_array_equal(gradient, stored)
    assert np.all(np.isfinite(gradient)) and np.linalg.norm(gradient) > 1
