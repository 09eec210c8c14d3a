"""A traced value that is forced to be a number is an error that names the line and what to use instead; what need not be forced is traced."""

import inspect
import math

import numpy as np
import pytest

import camber as cb


def branch(x):
    if x > 0:
        return x
    return -x


def loop(x):
    while x > 1:
        x = x / 2
    return x


def chained(x):
    return x if 0 < x < 1 else 0 * x


def both(x):
    return (x > 0) and x


def asserted(x):
    assert x > 0
    return x


def larger(x):
    return max(x, 0.0)


def number(x):
    return float(x)


def integer(x):
    return int(x)


def library(x):
    return math.sin(x)


def counted(x):
    return sum(x for _ in range(x.astype(int)))


def listed(x):
    return [1.0, 2.0][x.astype(int)]


def array(x):
    return np.array([x, x])


def printed(x):
    return x * len(f"{x:.3f}")


def item(x):
    return x.item()


def changed(x):
    x = x * np.ones(3)
    x[0] = 1.0
    return x


FORCED = [
    (branch, "if x > 0:", "np.where"), (loop, "while x > 1:", "cb."), (chained, "0 < x < 1", "np.where"), (both, "(x > 0) and x", "& |"),
    (asserted, "assert x > 0", "np.where"), (larger, "max(x, 0.0)", "np.where"), (number, "float(x)", "np functions"), (integer, "int(x)", ".astype(int)"),
    (library, "math.sin(x)", "np functions"), (counted, "range(x.astype(int))", "cb.while_loop"), (listed, "[1.0, 2.0][x.astype(int)]", "np.take"),
    (array, "np.array([x, x])", "cnp.stack"), (printed, ":.3f", "print it there"), (item, "x.item()", "return it"),
    (changed, "x[0] = 1.0", ".at[key].set"),
]  # fmt: skip


@pytest.mark.parametrize("function, line, instead", FORCED, ids=[f.__name__ for f, *_ in FORCED])
@pytest.mark.parametrize("transform", [cb.function, cb.grad, cb.vmap])
def test_what_is_forced_names_the_line_and_the_remedy(function, line, instead, transform):
    with pytest.raises(cb.TracedError) as caught:
        transform(function)(np.array([0.5]) if transform is cb.vmap else 0.5)
    said = str(caught.value)
    lines, first = inspect.getsourcelines(function)
    number = first + next(i for i, text in enumerate(lines) if line in text)
    assert f"{__file__}, line {number}: " in said and line in said.rsplit("\n", 1)[1]
    assert instead in said.rsplit("\n", 1)[0]


def test_within_a_loop_and_a_lambda():
    with pytest.raises(cb.TracedError) as caught:
        cb.function(lambda x: cb.scan(lambda c, _: (c if c > 0 else -c, None), x, None, length=3)[0])(1.0)
    assert f"{__file__}, line" in str(caught.value) and "c if c > 0" in str(caught.value)


def test_rounding_is_traced():
    f = cb.function(lambda x: (round(x), math.floor(x), math.ceil(x), math.trunc(x), round(x, 1), abs(x), divmod(x, 1.0)[1]))
    for v in (-1.74, 2.26):
        assert np.allclose([float(r) for r in f(v)], [round(v), math.floor(v), math.ceil(v), math.trunc(v), round(v, 1), abs(v), v % 1.0])


def test_ordinary_numpy_as_it_is():
    """Functions written for NumPy, with loops, lists, slices and keyword arguments; nothing of them knows Camber."""

    def energy(q, v, masses=(1.0, 2.0, 0.5)):
        total = 0.0
        for i, m in enumerate(masses):
            total += 0.5 * m * v[i] ** 2
        d = q[:, None] - q[None, :]
        d = d[~np.eye(3, dtype=bool)].reshape(3, 2)
        total -= np.sum(1 / np.sqrt(d**2 + 0.1)) / 2
        total += np.linalg.norm(q) * np.clip(v, -1, 1).mean() + np.where(q > 0, q, 0.1 * q).sum()
        parts = np.concatenate([np.sin(q), np.cos(v)])
        return total + np.einsum("i,i->", parts, parts) + np.hypot(*q[:2]) + np.interp(q[0], [0.0, 1.0], [1.0, 3.0])

    q, v = np.array([0.3, -0.7, 1.9]), np.array([0.2, 0.5, -0.4])
    assert np.isclose(cb.function(energy)(q, v), energy(q, v), rtol=1e-14)
    for i, g in enumerate(cb.grad(energy, argnums=(0, 1))(q, v)):
        for k in range(3):
            up, down = [q.copy(), v.copy()], [q.copy(), v.copy()]
            up[i][k] += 1e-6
            down[i][k] -= 1e-6
            assert np.isclose(g[k], (energy(*up) - energy(*down)) / 2e-6, rtol=1e-7, atol=1e-8)
