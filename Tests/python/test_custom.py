"""The host's own in Python: derivatives given to functions, NumPy functions as operators, and exceptions that come back."""

from __future__ import annotations

import gc
import signal
import threading
import traceback
from typing import Any

import numpy as np
import pytest

import camber as cb
import camber.callback as calls
import camber.custom as host

X = np.array([0.3, -0.7, 1.9])


def pairs(f: Any, g: Any, x: Any = X) -> None:
    """f has g's value and derivatives, in every pair of transforms."""
    many = np.stack([x, x + 0.5, x - 1.25, 2 * x])
    loss_f, loss_g = (lambda x, h=h: np.sum(h(x) ** 3) for h in (f, g))
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    for transform in (
        lambda h, _: h,
        lambda h, _: cb.jacfwd(h),
        lambda h, _: cb.jacrev(h),
        lambda _, loss: cb.grad(loss),
        lambda _, loss: cb.hessian(loss),
        lambda _, loss: cb.jacfwd(cb.jacfwd(loss)),
        lambda _, loss: cb.jacrev(cb.jacrev(loss)),
        lambda _, loss: cb.jacrev(cb.jacfwd(loss)),
        lambda _, loss: lambda x: cb.hvp(loss, x, v),
        lambda h, _: lambda x: cb.jvp(h, (x,), (v,))[1],
        lambda h, _: lambda x: cb.vjp(h, x)[1](v)[0],
        lambda h, _: lambda x: cb.linearize(h, x)[1](v),
    ):
        np.testing.assert_allclose(transform(f, loss_f)(x), transform(g, loss_g)(x), rtol=1e-12, atol=1e-14)
    for transform in (
        lambda h, _: cb.vmap(h),
        lambda _, loss: cb.vmap(cb.grad(loss)),
        lambda _, loss: cb.grad(lambda m: np.sum(cb.vmap(loss)(m))),
        lambda _, loss: cb.vmap(cb.hessian(loss)),
        lambda _, loss: cb.vmap(cb.jacrev(cb.grad(loss))),
        lambda h, _: cb.function(lambda m: cb.scan(lambda c, x: (np.sin(c + h(x)), c), x, m)),
        lambda h, _: cb.grad(lambda m: np.sum(cb.scan(lambda c, x: (np.sin(c + h(x)), c), x, m)[0])),
        lambda h, _: cb.hessian(lambda m: np.sum(cb.scan(lambda c, x: (np.sin(c * h(c) + x), None), x, m)[0])),
    ):
        for a, b in zip(cb.pytree.leaves(transform(f, loss_f)(many)), cb.pytree.leaves(transform(g, loss_g)(many))):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


# ---- custom_jvp ---------------------------------------------------------------------------------------------------------------


@cb.custom_jvp
def swish(x):
    return x / (1 + np.exp(-x))


@swish.defjvp
def _swish_jvp(primals, tangents):
    (x,), (v,) = primals, tangents
    y = swish(x)  # the rule may use the function itself: it nests
    s = 1 / (1 + np.exp(-x))
    return y, (s + y * (1 - s)) * v


def plain_swish(x):
    return x / (1 + np.exp(-x))


def test_custom_jvp_in_all_pairs():
    pairs(swish, plain_swish)


def test_the_given_derivative_is_used():
    @cb.custom_jvp
    def f(x):
        return x**2

    f.defjvp(lambda p, t: (f(*p), 7.0 * t[0]))
    assert f(3.0) == 9.0  # outside a trace it is the plain function
    assert cb.grad(f)(3.0) == 7.0
    assert cb.jvp(f, (3.0,), (2.0,)) == (9.0, 14.0)
    assert cb.grad(cb.grad(f))(3.0) == 0.0
    assert cb.vmap(cb.grad(f))(np.ones(4)).tolist() == [7.0] * 4


def test_defjvps():
    @cb.custom_jvp
    def f(x, y):
        return np.sin(x) * y

    f.defjvps(lambda v, value, x, y: np.cos(x) * y * v, lambda w, value, x, y: np.sin(x) * w)
    assert cb.grad(f, (0, 1))(0.4, 3.0) == pytest.approx((3 * np.cos(0.4), np.sin(0.4)), rel=1e-15)
    f.defjvps(None, None)
    assert cb.grad(f, (0, 1))(0.4, 3.0) == (0.0, 0.0)


def test_trees_integers_and_static_arguments():
    @cb.custom_jvp
    def f(d, n):
        return {"a": d["w"] * n + d["b"][0], "n": n}

    @f.defjvp
    def _(primals, tangents):
        (d, n), (v, zero) = primals, tangents
        assert zero.dtype == np.int64
        return f(d, n), {"a": 10 * v["w"] * n + 100 * v["b"][0], "n": None}

    d = {"w": X, "b": (np.array(2.0), None)}
    g = cb.grad(lambda d: np.sum(f(d, 3)["a"]))(d)
    assert g["w"].tolist() == [30.0] * 3 and g["b"] == (300.0, None)

    def power(kind, x, k=2):
        return x**k if kind == "power" else x

    h = cb.custom_jvp(power, nondiff_argnums=(0, 2))
    h.defjvp(lambda kind, k, p, t: (h(kind, p[0], k), t[0] * k if kind == "power" else t[0]))
    assert cb.grad(lambda x: h("power", x))(5.0) == 2.0
    assert cb.grad(lambda x: h("power", x, k=4))(5.0) == 4.0
    assert cb.grad(lambda x: h("none", x))(5.0) == 1.0


def test_methods_and_names():
    class Model:
        @cb.custom_jvp
        def run(self, x):
            """Says what it does."""
            return x * self.k

        @run.defjvp
        def _(primals, tangents):  # noqa: N805
            return None, tangents[1] * 5.0

        k = 3.0

    assert Model.run.__doc__ == "Says what it does." and Model.run.__name__ == "run"
    assert cb.grad(Model().run)(2.0) == 5.0


def test_what_a_rule_may_not():
    @cb.custom_jvp
    def f(x):
        return x * 2

    with pytest.raises(cb.InvalidError, match="f: custom_jvp without a rule; define it by f.defjvp"):
        cb.grad(f)(1.0)
    f.defjvp(lambda p, t: f(*p))
    with pytest.raises(cb.InvalidError, match=r"f: its jvp rule gives a pair \(value, tangent\)"):
        cb.grad(f)(1.0)
    f.defjvp(lambda p, t: (f(*p), (t[0], t[0])))
    with pytest.raises(cb.InvalidError, match="f: the tangent of its rule: a tuple stands where an array is wanted"):
        cb.grad(f)(1.0)
    f.defjvp(lambda p, t: (f(*p), np.ones(3) * t[0]))
    with pytest.raises(cb.ShapeError, match=r"f: a tangent of its rule: shape \[3\]"):
        cb.grad(f)(1.0)
    f.defjvp(lambda p, t: (f(*p), np.clip(t[0], 0, 1)))
    assert cb.jvp(f, (1.0,), (5.0,))[1] == 1.0
    with pytest.raises(cb.DerivativeError, match="f: has a jvp alone; reverse mode transposes it, which fails"):
        cb.grad(f)(1.0)


def test_what_is_captured_has_no_derivative():
    def outer(x, y):
        f = cb.custom_jvp(lambda x: x * y)
        f.defjvp(lambda p, t: (f(*p), t[0]))
        return f(x)

    assert cb.grad(outer)(2.0, 3.0) == 1.0
    with pytest.raises(cb.DerivativeError, match="beside its arguments; make that an argument"):
        cb.grad(outer, argnums=1)(2.0, 3.0)
    stopped = lambda x: cb.grad(lambda x: outer(x, cb.stop_gradient(x)))(x)  # noqa: E731
    assert stopped(2.0) == 1.0


# ---- custom_vjp ---------------------------------------------------------------------------------------------------------------


def test_custom_vjp_in_all_pairs():
    f = cb.custom_vjp(plain_swish)

    def fwd(x):
        s = 1 / (1 + np.exp(-x))
        return x * s, (x, s)

    f.defvjp(fwd, lambda res, w: ((res[1] + res[0] * res[1] * (1 - res[1])) * w,))
    pairs(f, plain_swish)


def test_custom_vjp():
    @cb.custom_vjp
    def clip(x, limit):
        return x, limit

    clip.defvjp(lambda x, limit: ((x, limit), ("kept", limit)), lambda res, w: (np.clip(w[0], -res[1], res[1]), None))
    assert cb.grad(lambda x: clip(x, 0.5)[0] * 9)(2.0) == 0.5
    assert cb.grad(lambda l: clip(2.0, l)[0] * 9)(0.5) == 0.0
    assert cb.vmap(cb.grad(lambda x: clip(x, 0.5)[0] * 9))(np.ones(3)).tolist() == [0.5] * 3
    with pytest.raises(cb.DerivativeError, match="clip: has a vjp alone; forward mode transposes it, which fails"):
        cb.jvp(lambda x: clip(x, 0.5)[0], (1.0,), (1.0,))
    bad = cb.custom_vjp(lambda x: x)
    with pytest.raises(cb.InvalidError, match="custom_vjp without a rule"):
        cb.grad(bad)(1.0)
    bad.defvjp(lambda x: (x, None), lambda _, w: w)
    with pytest.raises(cb.InvalidError, match="bwd gives a tuple of 1 gradients"):
        cb.grad(bad)(1.0)
    bad.defvjp(lambda x: x, lambda _, w: (w,))
    with pytest.raises(cb.InvalidError, match=r"fwd gives a pair \(value, residuals\)"):
        cb.grad(bad)(1.0)


def test_custom_vjp_static_and_shared_by_a_batch():
    f = cb.custom_vjp(lambda kind, w, x: w @ x, nondiff_argnums=0)
    f.defvjp(lambda kind, w, x: (w @ x, (w, x)), lambda kind, res, ct: (np.outer(ct, res[1]) * kind, ct @ res[0] * kind))
    w, xs = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(4, 3)
    loss = lambda w, k, g: np.sum(cb.vmap(lambda x: g(w, x) ** 2)(xs)) * k  # noqa: E731
    got = cb.grad(lambda w: loss(w, 1.0, lambda w, x: f(2.0, w, x)))(w)
    np.testing.assert_allclose(got, 2 * cb.grad(lambda w: loss(w, 1.0, lambda w, x: w @ x))(w), rtol=1e-14)


# ---- host_call and pure_callback ------------------------------------------------------------------------------------------------


def test_host_call_with_derivatives_as_nodes():
    calls = []

    @cb.custom_jvp
    def f(x):
        return cb.host_call(lambda x: calls.append(x) or np.sin(x) * x, x, x)

    f.defjvp(lambda p, t: (f(*p), (np.cos(p[0]) * p[0] + np.sin(p[0])) * t[0]))
    pairs(f, lambda x: np.sin(x) * x)
    assert calls and all(type(c) is np.ndarray and c.shape == (3,) and c.flags.owndata for c in calls)


def test_host_call_with_derivatives_as_numbers():
    def value(d, k):
        return d["x"] ** 2 * k, np.sum(d["x"] > 0)

    def jvp(primals, out, tangents):
        (d, k), (v, _) = primals, tangents
        assert out[0].shape == (3,) and out[1].dtype == np.int64
        return 2 * d["x"] * v["x"] * k, None

    def vjp(primals, out, w):
        d, k = primals
        assert w[1].tolist() == 0
        return {"x": 2 * d["x"] * w[0] * k}, None

    f = lambda x, k=3: cb.host_call(value, (x, np.int64(0)), {"x": x}, k, jvp=jvp, vjp=vjp)  # noqa: E731
    y, n = cb.function(f)(X)
    np.testing.assert_array_equal(y, 3 * X**2)
    assert n == 2
    np.testing.assert_allclose(cb.grad(lambda x: np.sum(f(x)[0]))(X), 6 * X, rtol=1e-15)
    np.testing.assert_allclose(cb.jvp(lambda x: f(x)[0], (X,), (X,))[1], 6 * X * X, rtol=1e-15)
    np.testing.assert_allclose(cb.jacobian(lambda x: f(x)[0])(X), np.diag(6 * X), rtol=1e-15)
    np.testing.assert_allclose(cb.vmap(cb.grad(lambda x: np.sum(f(x)[0])))(np.stack([X, 2 * X])), [6 * X, 12 * X], rtol=1e-15)
    with pytest.raises(cb.DerivativeError, match=r"value\.[jv][jv]p: has no derivative in the point|value: "):
        cb.hessian(lambda x: np.sum(f(x)[0]))(X)
    with pytest.raises(cb.DerivativeError, match="sin: has no derivative: the host gives neither"):
        cb.grad(lambda x: cb.pure_callback(np.sin, x, x))(1.0)
    with pytest.raises(cb.DerivativeError, match="only a jvp is given as numbers; reverse mode needs a vjp"):
        cb.grad(lambda x: cb.host_call(np.sin, x, x, jvp=lambda p, y, t: t[0]))(1.0)


def test_calls_are_counted():
    calls = []

    def f(x):
        calls.append(1)
        return x * 2

    twice = cb.function(lambda x: cb.host_call(f, x, x) + cb.host_call(f, x, x))
    assert twice(1.0) == 4.0 and len(calls) == 2
    calls.clear()
    once = cb.function(lambda x: cb.pure_callback(f, x, x) + cb.pure_callback(f, x, x))
    assert once(1.0) == 4.0 and len(calls) == 1
    calls.clear()
    unread = cb.function(lambda x: (cb.host_call(f, x, x), x)[1])
    assert unread(1.0) == 1.0 and not calls


def test_calls_in_branches_and_loops():
    """Only the branch taken is called, a loop's body once a step, and once more a step in its gradient's sweep; under every transform."""
    calls = []

    def value(x):
        calls.append(float(x))
        return np.sin(x)

    @cb.custom_jvp
    def g(x):
        return cb.host_call(value, cb.ShapeDtype(), x)

    g.defjvp(lambda p, t: (g(*p), np.cos(p[0]) * t[0]))

    branch = lambda x: cb.cond(x > 0, lambda x: g(x) * x, lambda x: x * x, x)  # noqa: E731
    run = cb.function(branch)
    assert run(0.5) == np.sin(0.5) * 0.5 and calls == [0.5]
    assert run(-0.5) == 0.25 and calls == [0.5]
    loop = lambda x, n: cb.while_loop(lambda c: c[1] < n, lambda c: (g(c[0]) + 0.5, c[1] + 1), (x, 0), max_steps=9)[0]  # noqa: E731
    plain = lambda x, n: x if n == 0 else plain(np.sin(x) + 0.5, n - 1)  # noqa: E731
    slope = lambda x, n: 1.0 if n == 0 else np.cos(x) * slope(np.sin(x) + 0.5, n - 1)  # noqa: E731
    calls.clear()
    run = cb.function(loop)
    assert run(0.25, 4) == plain(0.25, 4) and len(calls) == 4
    assert run(0.25, 0) == 0.25 and len(calls) == 4
    np.testing.assert_allclose(cb.grad(loop)(0.25, 4), slope(0.25, 4), rtol=1e-15)
    np.testing.assert_allclose(cb.jvp(lambda x: loop(x, 4), (0.25,), (1.0,))[1], slope(0.25, 4), rtol=1e-15)
    smooth = lambda x: cb.fori_loop(0, 4, lambda i, x: np.sin(x) + 0.5, x)  # noqa: E731
    hosted = lambda x: cb.fori_loop(0, 4, lambda i, x: g(x) + 0.5, x)  # noqa: E731
    np.testing.assert_allclose(cb.hessian(hosted)(0.25), cb.hessian(smooth)(0.25), rtol=1e-14)
    np.testing.assert_allclose(cb.vmap(cb.grad(hosted))(np.array([0.25, 0.5])), [slope(0.25, 4), slope(0.5, 4)], rtol=1e-15)
    np.testing.assert_allclose(cb.vmap(branch)(np.array([0.5, -0.5])), [np.sin(0.5) * 0.5, 0.25], rtol=1e-15)

    def failing(x):
        raise KeyError("in a loop")

    with pytest.raises(KeyError, match="in a loop"):
        cb.function(lambda x: cb.fori_loop(0, 3, lambda i, x: cb.host_call(failing, cb.ShapeDtype(), x), x))(1.0)
    assert cb.function(lambda x: cb.cond(x > 0, lambda x: x, lambda x: cb.host_call(failing, cb.ShapeDtype(), x), x))(1.0) == 1.0


def test_taylor_by_rules():
    """A rule's own derivative gives the coefficients, whatever the values are made of: y' = jvp(x, x')."""

    @cb.custom_jvp
    def g(x):
        return cb.host_call(lambda x: np.sin(x) * x, x, x)

    g.defjvp(lambda p, t: (g(*p), (np.cos(p[0]) * p[0] + np.sin(p[0])) * t[0]))
    got = cb.taylor(lambda x: g(x) * g(2 * x), (X,), (X + 1,), order=6)
    np.testing.assert_allclose(got, cb.taylor(lambda x: np.sin(x) * x * np.sin(2 * x) * 2 * x, (X,), (X + 1,), order=6), rtol=1e-12, atol=1e-12)

    @cb.custom_vjp
    def h(x, y):
        return np.exp(x) * y, x * y

    h.defvjp(lambda x, y: ((np.exp(x) * y, x * y), (x, y)), lambda r, w: (w[0] * np.exp(r[0]) * r[1] + w[1] * r[1], w[0] * np.exp(r[0]) + w[1] * r[0]))
    both = lambda f: cb.taylor(lambda x: (lambda a, b: a * b + a)(*f(np.sin(x), x * x)), (0.5,), (1.5,), order=5)  # noqa: E731
    np.testing.assert_allclose(both(h), both(lambda x, y: (np.exp(x) * y, x * y)), rtol=1e-12)
    other = cb.custom_jvp(lambda x: x**2)
    other.defjvp(lambda p, t: (other(*p), 3.0 * t[0]))
    assert cb.taylor(other, (2.0,), (1.0,), order=3).tolist() == [4.0, 3.0, 0.0, 0.0]
    by_numbers = lambda x: cb.host_call(np.sin, cb.ShapeDtype(), x, jvp=lambda p, y, t: np.cos(p[0]) * t[0])  # noqa: E731
    assert cb.taylor(by_numbers, (0.5,), (1.0,), order=1).tolist() == [np.sin(0.5), np.cos(0.5)]
    with pytest.raises(cb.DerivativeError, match="has no derivative in the point"):
        cb.taylor(by_numbers, (0.5,), (1.0,), order=2)


def test_vectorized():
    seen = []

    def f(x, w):
        seen.append((x.shape, w.shape))
        return np.sort(x * w, axis=-1)

    xs = np.array([[3.0, 1.0], [5.0, 9.0], [2.0, -2.0]])
    g = cb.vmap(lambda x, w: cb.pure_callback(f, x, x, w, vectorized=True), in_axes=(0, None))
    np.testing.assert_array_equal(g(xs, np.ones(2)), np.sort(xs))
    assert seen == [((3, 2), (1, 2))]
    seen.clear()
    np.testing.assert_array_equal(cb.vmap(lambda x: cb.vmap(lambda w: cb.pure_callback(f, x, x, w, vectorized=True))(xs))(xs),
                                  np.sort(xs[:, None] * xs[None], axis=-1))  # fmt: skip
    assert seen == [((9, 2), (9, 2))]
    seen.clear()
    cb.vmap(lambda x: cb.host_call(f, x, x, np.ones(2)))(xs)
    assert seen == [((2,), (2,))] * 3


@pytest.mark.parametrize("name", ["f64", "f32", "f16", "bf16", "i64", "i32", "bool"])
def test_dtypes(name):
    t = cb.ShapeDtype((2, 2), name)
    value = np.array([[1, 0], [0, 1]]).astype(t.dtype)
    out = cb.function(lambda x: cb.host_call(lambda x: x.T.copy(), t, x))(value)
    assert out.dtype == t.dtype
    np.testing.assert_array_equal(np.asarray(out, np.float64), np.asarray(value, np.float64))


def test_results_that_are_wrong():
    def run(f, t, x=1.0):
        return cb.function(lambda x: cb.host_call(f, t, x, name="f"))(x)

    with pytest.raises(cb.ShapeError, match=r"f: its result, array 0: shape \[3\] where \[\] is declared"):
        run(lambda x: np.ones(3), cb.ShapeDtype())
    with pytest.raises(cb.DtypeError, match="f: its result, array 0: dtype float64 where i64 is declared"):
        run(lambda x: np.float64(1.5), cb.ShapeDtype((), "i64"))
    with pytest.raises(cb.InvalidError, match="a tree"):
        run(lambda x: (1.0, 2.0, 3.0), (cb.ShapeDtype(), cb.ShapeDtype()))
    with pytest.raises(cb.InvalidError, match="f: a result's type is a cb.ShapeDtype"):
        run(lambda x: x, "float")
    with pytest.raises(cb.InvalidError, match="f: no result is declared"):
        run(lambda x: None, None)
    with pytest.raises(cb.ShapeError, match="declared"):  # outside a trace too
        cb.host_call(lambda x: np.ones(3), cb.ShapeDtype(), 1.0)
    assert run(lambda x: 3, cb.ShapeDtype((), "f32")) == np.float32(3)
    assert cb.host_call(np.sort, X, X).tolist() == sorted(X)
    assert run(lambda x: np.zeros((0, 2)), cb.ShapeDtype((0, 2))).shape == (0, 2)
    assert cb.function(lambda: cb.host_call(lambda: 4.0, cb.ShapeDtype()))() == 4.0


def test_sparsity():
    seen = []

    def f(x):
        y = cb.host_call(np.cumsum, x, x, sparsity=lambda k, i: (np.array([0, 1, 1, 2]), [0, 0, 1, 2]))
        seen.append([part.tolist() for part in calls.sparsity(y, 0)])
        seen.append(calls.sparsity(cb.host_call(np.sum, cb.ShapeDtype(), x), 0)[1].tolist())
        with pytest.raises(cb.InvalidError, match="argument 1"):
            calls.sparsity(y, 1)
        return y

    cb.function(f)(X)
    assert seen == [[[0, 1, 1, 2], [0, 0, 1, 2]], [0, 1, 2]]


# ---- Exceptions ------------------------------------------------------------------------------------------------------------------


class Own(Exception):
    pass


def test_an_exception_comes_back_as_it_is():
    problem = Own("the solver diverged", 42)

    def deep(x):
        raise problem

    def value(x):
        return deep(x)

    f = cb.function(lambda x: np.exp(cb.host_call(value, x, x)))
    calls = [
        lambda: f(1.0),
        lambda: cb.vmap(f)(np.ones(3)),
        lambda: cb.scan(lambda c, x: (f(x), None), 0.0, np.ones(3)),
        lambda: cb.jvp(lambda x: cb.host_call(value, x, x, jvp=lambda p, y, t: t[0]), (1.0,), (1.0,)),
        lambda: cb.vjp(lambda x: cb.host_call(value, x, x, jvp=lambda p, y, t: t[0], vjp=lambda p, y, w: (w,)), 1.0),
    ]
    for call in calls:
        problem.__traceback__ = None
        with pytest.raises(Own) as caught:
            call()
        assert caught.value is problem
        assert "deep" in [frame.name for frame in traceback.extract_tb(problem.__traceback__)]
    # Nothing is left behind: other errors are themselves.
    with pytest.raises(cb.ShapeError):
        cb.function(lambda x: x + np.ones(2))(np.ones(3))
    good = cb.function(lambda x: cb.host_call(lambda x: 1 / x if x else problem.missing, x, x))
    with pytest.raises(AttributeError):
        good(0.0)
    assert good(4.0) == 0.25


def test_exceptions_of_rules_and_derivatives():
    @cb.custom_jvp
    def f(x):
        return x * 2

    @f.defjvp
    def _(primals, tangents):
        raise Own("no rule here")

    loop = cb.grad(lambda x: cb.scan(lambda c, _: (f(c), None), x, None, length=3)[0])
    for transform, x in ((cb.grad(f), 1.0), (cb.jacfwd(f), X), (cb.vmap(cb.grad(f)), X), (loop, 1.0)):
        with pytest.raises(Own, match="no rule here"):
            transform(x)

    def bad_vjp(p, y, w):
        raise Own("in the vjp")

    with pytest.raises(Own, match="in the vjp"):
        cb.grad(lambda x: cb.host_call(np.sin, x, x, vjp=bad_vjp))(1.0)
    with pytest.raises(cb.InvalidError, match="its vjp gives a tuple of 1 gradients"):
        cb.grad(lambda x: cb.host_call(np.sin, x, x, vjp=lambda p, y, w: w))(1.0)


def test_the_core_s_own_errors_inside_rules():
    @cb.custom_jvp
    def f(x):
        return x * 2

    f.defjvp(lambda p, t: (f(*p), np.ones(3) @ np.ones((2, 2)) * t[0] if p[0].shape else cb.numpy.reshape(t[0], (7,))))
    with pytest.raises((cb.Error, ValueError)):
        cb.grad(f)(1.0)


def test_keyboard_interrupt():
    def value(x):
        signal.raise_signal(signal.SIGINT)
        for _ in range(1000):
            pass
        return x

    f = cb.function(lambda x: cb.host_call(value, x, x) * 2)
    with pytest.raises(KeyboardInterrupt):
        f(1.0)
    with pytest.raises(SystemExit):
        cb.function(lambda x: cb.host_call(lambda x: exec("raise SystemExit(3)"), x, x))(1.0)


def test_calls_inside_calls():
    inner = cb.function(lambda x: cb.host_call(lambda x: 1 / x if x > 0 else {}["none"], x, x) + 1)

    def value(x):
        try:
            inner(-1.0)
        except KeyError:
            return inner(float(x)) * 10
        return -1.0

    f = cb.function(lambda x: cb.host_call(value, x, x))
    assert f(2.0) == 15.0
    assert cb.grad(lambda x: cb.host_call(lambda x: cb.grad(np.sin)(float(x)), x, x, vjp=lambda p, y, w: (w * y,)))(0.5) == np.cos(0.5)
    # A function may not run itself in its own workspace.
    again = cb.function(lambda x: cb.host_call(lambda x: again(x), x, x))
    with pytest.raises(cb.BusyError):
        again(1.0)


def test_threads():
    f = cb.function(lambda x: cb.host_call(lambda x: (np.sin(x), threading.get_ident()), (x, np.int64(0)), x))
    f(1.0)
    wrong = []

    def work(k):
        for i in range(50):
            y, who = f(k + i / 10)
            if y != np.sin(k + i / 10) or who != threading.get_ident() % 2**63:
                wrong.append((k, i))
            try:
                cb.host_call(np.sort, cb.ShapeDtype(2), [1.0, 2.0])
            except cb.Error:
                pass

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_nothing_is_kept():
    gc.collect()
    before, rules = len(host._kept), len(host._rules)
    for _ in range(5):
        f = cb.custom_jvp(lambda x: cb.host_call(np.sin, x, x))
        f.defjvp(lambda p, t, f=f: (f(*p), np.cos(p[0]) * t[0]))
        g = cb.grad(lambda x: np.sum(f(x)))
        g(X)
        c = cb.function(lambda x: cb.pure_callback(np.cos, x, x))
        c(X)
    assert len(host._kept) > before
    del f, g, c
    gc.collect()
    assert len(host._kept) == before and len(host._rules) == rules
