"""Rounding errors against mpmath; derivatives held against differences."""

import math
import sys
from fractions import Fraction
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from scipy import special

import camber as cb

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks" / "health"))
import expressions  # noqa: E402
import rounding as bench  # noqa: E402


def test_the_targets_hold_on_a_sample_of_the_expressions():
    tallies = bench.measure(1, 7, texts=expressions.EXPRESSIONS[::4])
    for kind, t in tallies.items():
        assert t.points > 40
        assert not t.violations, t.violations
        s = bench.summary(t)
        assert s["unbounded"] <= 0.01, kind
        assert s["over-estimate median"] <= 5 and s["over-estimate p90"] <= 20
        assert s["informative"] >= 0.85
        assert s["estimate within half"] >= 0.9
        assert s["blame"] >= 0.9, kind   # of 17 and 16
        assert s["lost > 10 bits: recall"] >= 0.97 and s["lost > 10 bits: precision"] >= 0.8


def test_an_exact_result_is_exact():
    r = cb.rounding(lambda x: 2 * x - np.maximum(x, 1.0))(3.5)
    assert r.level == "exact" and r.bound == 0 and r.estimate == 0 and r.bits_lost == 0
    assert "exact" in str(r)


@pytest.mark.parametrize("f, true, x", [
    (lambda x, y: x + y, lambda x, y: x + y, (1.0, 1e-100)), (lambda x, y: (x + y) - x, lambda x, y: y, (1.0, 1e-100)),
    (lambda x: np.cosh(special.erfc(x)), lambda x: mp.cosh(mp.erfc(x)), (13.0,)), (np.tanh, mp.tanh, (60.0,)), (np.exp, mp.exp, (1e-200,)),
    (np.mod, lambda x, y: x + y, (-1e-100, 1.0)),
    (np.hypot, mp.hypot, (5.0, 1e-60)), (lambda x: np.sum(np.stack([x, 1e-150 * x])), lambda x: x * (1 + mp.mpf(1e-150)), (3.0,)),
])  # fmt: skip
def test_what_binary128_cannot_see_is_an_error_too(f, true, x):
    with mp.workprec(3000):
        r = cb.rounding(f)(*x)
        error = abs(mp.mpf(float(r.value)) - true(*map(mp.mpf, x)))
        assert 0 < error <= r.bound < 1e-31 * max(1, abs(float(r.value))), r


@pytest.mark.parametrize("f, x", [
    (lambda x, y: x + y * x, (3.0, 0.5)), (np.exp, (0.0,)), (np.sqrt, (16.0,)), (np.hypot, (5.0, 12.0)), (lambda x: x**7, (3.0,)), (lambda x: 1 / x, (8.0,)),
    (lambda x: np.sum(x @ x), (np.array([[1.0, 5], [7, 2]]),)), (lambda x: np.sum(x), (np.arange(1.0, 50),)),
])  # fmt: skip
def test_small_numbers_stay_exact(f, x):
    r = cb.rounding(f)(*x)
    assert r.level == "exact" and r.bound == 0, r


def test_diagnosing_changes_no_bit():
    f = cb.function(lambda x: np.sum(np.tanh(x) * np.exp(-x)))
    x = np.linspace(-3, 3, 77)
    before = f(x)
    r = cb.rounding(f)(x)
    assert r.value == before == f(x)


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_narrow_formats_are_measured_against_f64(kind):
    rng = np.random.default_rng(3)
    to = {"f32": lambda a: a.astype(np.float32), "f16": lambda a: a.astype(np.float16), "bf16": lambda a: cb.to_bf16(a.astype(np.float32))}[kind]
    back = (lambda a: cb.from_bf16(a).astype(np.float64)) if kind == "bf16" else (lambda a: np.asarray(a, np.float64))
    w, x = to(rng.standard_normal((6, 5))), to(rng.standard_normal(5))

    def f(w, x):
        return np.sum(np.tanh(w @ x) * 0.5)

    r = cb.rounding(f)(w, x)
    exact = np.sum(np.tanh(back(w) @ back(x)) * 0.5)
    error = float(r.value) - exact
    assert abs(error) <= r.bound
    assert abs(r.estimate - error) <= 1e-12 + r.remainder
    assert r.weighted_bound >= abs(error)
    g = cb.rounding(cb.grad(f))(w, x)
    assert g.bound.shape == w.shape and np.all(np.isfinite(g.bound)) and np.all(g.bound <= np.abs(g.value) + 1)


def test_loops_are_followed_step_by_step():
    def logistic(x):
        return cb.scan(lambda c, _: (3.75 * c * (1 - c), c), x, None, length=30)[0]

    r = cb.rounding(logistic)(0.4)
    with mp.workprec(400):
        x = mp.mpf(0.4)
        for _ in range(30):
            x = 3.75 * x * (1 - x)
        error = float(mp.mpf(float(r.value)) - x)
    assert abs(error) <= r.bound <= 5 * abs(error) and abs(r.estimate - error) <= abs(error) * 1e-6
    assert r.ranking[0].op in ("mul", "sub")

    def newton(a):
        return cb.while_loop(lambda c: np.abs(c * c - a) > 1e-12 * a, lambda c: (c + a / c) / 2, a)

    r = cb.rounding(newton)(2.0)
    assert r.bound < 1e-15 and math.isclose(float(r.corrected), math.sqrt(2), rel_tol=1e-11)


def test_who_is_to_blame():
    """One operator; all of one kind; two: without them the error is half or less. Each with the place in the program."""
    r = cb.rounding(lambda x: np.sqrt(x + 1) - np.sqrt(x))(1e12)
    assert r.ranking[0].op == "sqrt" and r.ranking[0].place.startswith(__file__ + ":") and __file__ in str(r)
    r = cb.rounding(lambda x: cb.label(np.sqrt(x + 1), "upper") - cb.label(np.sqrt(x), "lower"))(1e15)
    assert {m.text for c in r.ranking for m in c.members} >= {"upper", "lower"} and ("upper" in str(r) or "lower" in str(r))
    # Two roundings of one size that meet: only both are.
    seen = set()
    for x in np.exp(np.random.default_rng(0).uniform(9, 30, 60)):
        for f in (lambda x: np.sqrt(x + 1) - np.sqrt(x), lambda x: np.sqrt(x * x + 1) - x, lambda x: np.tan(1 / x) - np.sin(1 / x)):
            r = cb.rounding(f)(x)
            if r.bits_lost <= 10:
                continue
            first = r.ranking[0]
            assert abs(r.first_order - first.error) <= abs(r.first_order) / 2 and first.error == pytest.approx(sum(m.error for m in first.members))
            assert first.node == first.members[0].node and all(len(c.members) == 1 for c in r.ranking[1:])
            seen.add((len(first.members), len({m.op for m in first.members})))
    assert {(1, 1), (2, 1), (2, 2)} <= seen, seen
    # A gradient's operators have the place of what they are derivatives of; a loop's body its own.
    r = cb.rounding(cb.grad(lambda x: cb.label(np.sqrt(x + 1), "upper") - np.sqrt(x)))(1e12)
    assert any(m.text == "upper" for c in r.ranking for m in c.members)
    r = cb.rounding(lambda x: cb.scan(lambda c, _: (cb.label(np.sin(c) * 1.7, "step"), c), x, None, length=9)[0])(0.3)
    assert any(m.text == "step" for c in r.ranking for m in c.members)


def test_reductions_products_and_solutions():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((7, 7)) + 4 * np.eye(7), rng.standard_normal(7)
    with mp.workprec(300):
        exact = mp.lu_solve(mp.matrix(a.tolist()), mp.matrix(b.tolist()))
        r = cb.rounding(lambda a, b: np.linalg.solve(a, b))(a, b)
        for i in range(7):
            e = abs(mp.mpf(float(r.value[i])) - exact[i])
            assert e <= r.bound[i] <= 20 * e + 1e-17
    x = rng.standard_normal(1000) * 10.0 ** rng.integers(-8, 8, 1000)
    for f, g in ((np.sum, lambda v: mp.fsum(v)), (lambda v: np.sum(v * v), lambda v: mp.fsum(t * t for t in v)), (lambda v: np.linalg.norm(v), lambda v: mp.sqrt(mp.fsum(t * t for t in v)))):
        with mp.workprec(300):
            r = cb.rounding(f)(x)
            e = float(abs(mp.mpf(float(r.value)) - g([mp.mpf(t) for t in x])))
            assert e <= r.bound and e <= r.weighted_bound and abs(abs(r.estimate) - e) <= 1e-6 * e + 1e-30


def test_a_comparison_that_rounding_turns():
    r = cb.rounding(lambda x, y, z: np.where(x + y - z == 0, 1.0, 2.0))(1e16, 1.0, 1e16)
    assert r.value == 1 and r.bound >= 1 and r.corrected == 2
    assert len(r.unstable) == 1 and r.unstable[0].turns and r.unstable[0].other == 2 and "comparison" in str(r)
    # Branches of a loop go the exact way too.
    r = cb.rounding(lambda x, y, z: cb.cond(x + y > z, lambda v: v + 1.0, lambda v: v - 1.0, x))(1e16, 1.0, 1e16)
    assert 1 <= r.bound < 1.1 and r.corrected == 1e16   # exactly 1e16 + 1: the other branch


def test_overflow_and_nothing_to_say():
    r = cb.rounding(lambda x: np.exp(x) / np.exp(x))(800.0)
    assert r.level == "unbounded" and np.isinf(r.bound) and "nothing" in str(r)
    r = cb.rounding(lambda x: np.exp(x) * np.exp(-2 * x))(400.0)
    assert r.value == 0 and abs(r.corrected / math.exp(-400) - 1) < 1e-12 and abs(r.bound / r.corrected - 1) < 1e-6


def test_constants_are_read_both_ways():
    f = lambda x: x * 0.1  # noqa: E731
    x, tenth = 3.0, mp.mpf(1) / 10
    for mode, wanted in ((0, mp.mpf(0.1)), (2, tenth)):
        r = cb.rounding(f, literals=mode)(x)
        with mp.workprec(300):
            e = float(mp.mpf(float(r.value)) - 3 * (mp.mpf(1) / 10 if mode else wanted))
        assert abs(r.estimate - e) <= 1e-30 and r.bound <= abs(e) * 1.01
    with mp.workprec(300):
        far = float(abs(mp.mpf(float(f(x))) - 3 * (mp.mpf(1) / 10)))
    assert cb.rounding(f)(x).bound >= far
    r = cb.rounding(cb.grad(np.log2))(3.0)
    with mp.workprec(300):
        assert float(abs(mp.mpf(float(r.value)) - 1 / (3 * mp.log(2)))) <= r.bound * (1 + 1e-9)


def test_weights_ask_about_a_sum():
    x, w = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 0.5])
    r = cb.rounding(cb.grad(lambda x: np.sum(np.exp(x) * x)), weights=w)(x)
    exact = float(sum(mp.mpf(a) * mp.exp(mp.mpf(b)) * (1 + mp.mpf(b)) for a, b in zip(w, x)))
    assert abs(r.corrected - exact) < 1e-14 * abs(exact) and r.bound < 1e-12


def test_bad_arguments():
    with pytest.raises(cb.DtypeError):
        cb.rounding(lambda x: x > 0)(1.0)
    with pytest.raises(cb.InvalidError, match="limit"):
        cb.rounding(lambda x: x * 2, limit=3)(np.ones(4))
    with pytest.raises(cb.InvalidError, match="node_limit"):
        cb.rounding(lambda x: x * 2, nonsense=3)(1.0)
    with pytest.raises(cb.MemoryRefused, match="node_limit"):
        cb.rounding(lambda x: cb.scan(lambda c, _: (c * 1.5, None), x, None, length=1000)[0], node_limit=100)(1.0)
    with pytest.raises(cb.InvalidError):
        cb.rounding(lambda x: x, weights=(np.ones(1), np.ones(1)))(1.0)
    assert cb.rounding(lambda x: x * 2.5)(np.ones((0, 3))).bound.shape == (0, 3)


def test_bounds_as_nodes():
    names = bench.camber_names()
    exact = bench._mp_names()
    rng = np.random.default_rng(2)
    seen = 0
    for text, ranges in expressions.EXPRESSIONS[:60:4]:
        code = compile(text, text, "eval")
        f = lambda *a: eval(code, {**names, **dict(zip(bench.NAMES, a))})  # noqa: B023, E731
        g = lambda *a: eval(code, {**exact, **dict(zip(bench.NAMES, a))})  # noqa: B023, E731
        point = [bench.draw(rng, *r) for r in ranges]
        value, bound = cb.rounding_bound(f)(*point)
        error = float(abs(mp.mpf(float(value)) - bench.truth(g, point)[0]))
        v, b, estimate, rest = cb.rounding_bound(f, estimate=True)(*point)
        assert v == value and b == bound and error <= bound * (1 + 1e-9), text
        signed = float(mp.mpf(float(value)) - bench.truth(g, point)[0])
        assert abs(signed - estimate) <= rest + 1e-3 * bound, text
        seen += 1
    assert seen == 15


def test_products_by_powers_of_two_are_exact_but_for_underflow():
    def scaled(x):
        return 0.25 * x / 8.0 * -0.5

    for x in (0.1, 3e200, 1e-300):
        value, bound, estimate, rest = cb.rounding_bound(scaled, estimate=True)(x)
        assert value == -x / 64 and 0 < bound < 1e-300 and estimate == 0 and rest < 1e-300
    smallest = 5e-324
    value, bound = cb.rounding_bound(scaled)(3 * smallest)
    assert abs(Fraction(float(value)) + Fraction(3 * smallest) / 64) <= Fraction(float(bound))
    _, bound = cb.rounding_bound(lambda x: 0.3 * x)(0.1)
    assert 0.03 * 2**-53 <= bound < 0.04 * 2**-53
    value, bound = cb.rounding_bound(lambda x: 1.0 / (x * 2.0))(1e308)
    assert value == 0 and not bound < 5e-309   # what overflowed is not called exact
    f16, f32 = np.float16, np.float32
    for dtype, least in ((f16, 2.0**-24), (f32, 2.0**-149)):
        value, bound = cb.rounding_bound(lambda x: x * 0.5)(dtype(3 * least))
        assert 0.5 * least <= bound <= 4 * least and abs(float(value) - 1.5 * least) <= bound


def test_a_bound_for_a_network_in_f32():
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((20, 30)).astype(np.float32), rng.standard_normal((8, 20)).astype(np.float32)

    def loss(w, x):
        return np.mean(cb.special.logsumexp(np.tanh(x @ w), axis=1))

    value, bound = cb.rounding_bound(loss)(w, x)
    error = abs(float(value) - float(loss(w.astype(np.float64), x.astype(np.float64))))
    assert error <= bound <= 1e-3 and bound.dtype == np.float64
    # Of a functional of the gradient.
    v = rng.standard_normal((20, 30)).astype(np.float32)
    value, bound = cb.rounding_bound(lambda w, x: np.sum(cb.grad(loss)(w, x) * v))(w, x)
    true = float(np.sum(cb.grad(loss)(w.astype(np.float64), x.astype(np.float64)) * v.astype(np.float64)))
    assert abs(float(value) - true) <= bound <= 0.1
    with pytest.raises(cb.DerivativeError, match="cb.rounding|camber_rounding"):
        cb.rounding_bound(lambda x: cb.scan(lambda c, _: (c * 1.5, None), x, None, length=3)[0])(1.0)
    with pytest.raises(cb.InvalidError, match="scalar"):
        cb.rounding_bound(lambda x: x * 2)(np.ones(3))


# ---- Derivatives held against differences -------------------------------------------------------------------------------------


def test_right_derivatives_of_every_kind_of_function():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4, 4)) + 4 * np.eye(4)
    for f, args in (
        (lambda x: np.sin(x) * np.exp(x), (0.7,)),
        (lambda x, y: x**3 * y - np.log(y), (1.3, 2.0)),
        (lambda x: np.sum(np.tanh(x) ** 2), (rng.standard_normal(9),)),
        (lambda a, x: np.linalg.solve(a, x), (a, rng.standard_normal(4))),
        (lambda x: cb.scan(lambda c, _: (np.sin(c) + 0.1 * c, c), x, None, length=12)[0], (rng.standard_normal(3),)),
        (lambda x: np.sum(x.astype(np.float32) ** 2), (rng.standard_normal(5).astype(np.float32),)),
    ):
        r = cb.check_derivatives(f)(*args)
        assert r.right, r.message
        for e in r.entries:
            assert math.isnan(e.slope) or abs(e.slope - (3 if e.kind == "hvp" else 2)) < 0.3


def test_a_wrong_rule_is_named():
    @cb.custom_vjp
    def cubed(x):
        return x**3

    cubed.defvjp(lambda x: (x**3, x), lambda x, g: (2 * x * x * g,))
    r = cb.check_derivatives(lambda x: np.sum(np.sin(cubed(x))))(np.array([0.4, -0.8]))
    assert r.verdict == "wrong" and "cubed" in r.message and "argument" not in r.message.split(";")[0]
    assert any(abs(e.slope - 1) < 0.2 for e in r.entries if e.verdict == "wrong")


def test_a_kink_is_no_wrong_derivative():
    r = cb.check_derivatives(lambda x: np.abs(x) + x)(0.0)
    assert r.verdict == "kink" and "kink" in r.message
    assert cb.check_derivatives(lambda x: np.abs(x))(1e-3).right
    assert cb.check_derivatives(lambda x: np.log(x))(-1.0).verdict == "undecided"


@pytest.mark.parametrize("x", [1e-10, 1e-6, 1e-3, 0.1])
def test_what_cancels_is_noise_and_no_wrong_derivative(x):
    """exp(x) - 1 near 0: its differences are noise of size u, not of size u x; only a real fault is called one."""
    assert cb.check_derivatives(lambda x: np.exp(x) - 1)(x).verdict in ("right", "undecided")
    wrong = cb.custom_jvp(lambda x: np.exp(x) - 1)
    wrong.defjvp(lambda p, t: (wrong(*p), 1.5 * np.exp(p[0]) * t[0]))
    assert cb.check_derivatives(wrong)(x).verdict == "wrong"
