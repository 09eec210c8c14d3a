"""Solvers: classics to their known minima by every method, NIST's certified fits, outcomes in words, bad input."""

import re
from pathlib import Path

import camber as cb
import numpy as np
import pytest

METHODS = ["lbfgs", "newton-cg", "levenberg-marquardt", "gauss-newton-cg"]
HERE = Path(__file__).resolve()
NIST = next((up / "shared" / "data" / "nist_strd" for up in HERE.parents if (up / "shared" / "data" / "nist_strd").is_dir()), None)


# Moré, Garbow & Hillstrom, Testing Unconstrained Optimization Software (1981): residuals, first points, minima of the sum of squares.
def _bard(x):
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16)
    v, w = 16 - u, np.minimum(u, 16 - u)
    return y - (x[0] + u / (v * x[1] + w * x[2]))


def _kowalik(x):
    y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def _helical(x):
    theta = np.arctan2(x[1], x[0]) / (2 * np.pi)
    return np.stack([10 * (x[2] - 10 * theta), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def _box(x):
    t = np.arange(1, 11) / 10
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def _brown_dennis(x):
    t = np.arange(1, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def _trigonometric(x):
    n = x.shape[0]
    i = np.arange(1.0, n + 1)
    return n - np.sum(np.cos(x)) + i * (1 - np.cos(x)) - np.sin(x)


def _variably_dimensioned(x):
    i = np.arange(1.0, x.shape[0] + 1)
    s = np.sum(i * (x - 1))
    return np.concatenate([x - 1, np.stack([s, s * s])])


CLASSICS = {
    "rosenbrock": (lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), [-1.2, 1], 0, [1, 1]),
    "powell singular": (lambda x: np.stack([x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2]), [3, -1, 0, 1], 0, None),
    "wood": (lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0], 90**0.5 * (x[3] - x[2] ** 2), 1 - x[2], 10**0.5 * (x[1] + x[3] - 2), (x[1] - x[3]) / 10**0.5]),
             [-3, -1, -3, -1], 0, [1, 1, 1, 1]),
    "beale": (lambda x: np.stack([1.5 - x[0] * (1 - x[1]), 2.25 - x[0] * (1 - x[1] ** 2), 2.625 - x[0] * (1 - x[1] ** 3)]), [1, 1], 0, [3, 0.5]),
    "freudenstein roth": (lambda x: np.stack([-13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]]), [6, 5], (0, 48.98425367924), None),
    "brown badly scaled": (lambda x: np.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]), [1, 1], 0, [1e6, 2e-6]),
    "helical valley": (_helical, [-1, 0, 0], 0, [1, 0, 0]),
    "bard": (_bard, [1, 1, 1], 8.21487730657899e-3, [0.0824105598, 1.1330360920, 2.3436951787]),
    "kowalik osborne": (_kowalik, [0.25, 0.39, 0.415, 0.39], 3.07505603849e-4, None),
    "box": (_box, [0, 10, 20], 0, None),
    "brown dennis": (_brown_dennis, [25, 5, -5, -1], 85822.20162635628, None),
    "trigonometric": (_trigonometric, [0.1] * 5, None, None),
    "variably dimensioned": (_variably_dimensioned, [0.75, 0.5, 0.25, 0], 0, [1, 1, 1, 1]),
    "extended rosenbrock": (lambda x: np.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]]), [-1.2, 1] * 20, 0, [1] * 40),
    "linear": (lambda x: np.concatenate([x - 2 * np.sum(x) / 8 - 1, np.zeros(4) - 2 * np.sum(x) / 8 - 1]), [1, 1, 1, 1], 4, [-1, -1, -1, -1]),
}


def solve(method, residuals, x0, **options):
    if method in ("lbfgs", "newton-cg"):
        return cb.minimize(lambda x: np.sum(residuals(x) ** 2), x0, method=method, **options)
    return cb.least_squares(residuals, x0, method=method, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CLASSICS)
def test_classics(name, method):
    residuals, x0, least, at = CLASSICS[name]
    found = solve(method, residuals, np.array(x0, float), steps=3000, gradient_tolerance=1e-10)
    value = float(np.sum(np.asarray(cb.function(residuals)(found.x)) ** 2))
    assert np.isclose(found.fun, value if method in ("lbfgs", "newton-cg") else value / 2, rtol=1e-9, atol=1e-18)
    assert found.success or found.status == "stalled", found
    if least is None:  # several minima: it is one, exactly stationary
        slope = cb.grad(lambda x: np.sum(residuals(x) ** 2))(found.x)
        assert np.abs(slope).max() <= 1e-7 and np.linalg.eigvalsh(cb.hessian(lambda x: np.sum(residuals(x) ** 2))(found.x)).min() >= -1e-6
        return
    assert any(np.isclose(value, known, rtol=1e-8, atol=1e-12) for known in np.atleast_1d(least)), (value, least, found)
    if at is not None:
        assert np.allclose(found.x, at, rtol=2e-5, atol=1e-5), found.x


def nist(path):
    """The two starts, the certified parameters, their standard deviations, the certified sum of squares, y, x."""
    lines = path.read_text().splitlines()
    table = [re.match(r"\s*b\d+\s*=\s*(.*)", line) for line in lines[40:60]]
    rows = np.array([[float(v) for v in m[1].split()] for m in table if m])
    squares = next(float(line.split(":")[1]) for line in lines if line.startswith("Residual Sum of Squares"))
    data = np.array([[float(v) for v in line.split()] for line in lines[60:] if line.strip()])
    return rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], squares, data[:, 0], data[:, 1:].T


def _gauss(b, x):
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-((x - b[3]) ** 2) / b[4] ** 2) + b[5] * np.exp(-((x - b[6]) ** 2) / b[7] ** 2)


MODELS = {
    "Misra1a": lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2.0),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x * (1 + b[1] * x) ** -1.0,
    "Chwirut1": lambda b, x: np.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: np.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Lanczos3": lambda b, x: b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2),
    "Hahn1": lambda b, x: (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3),
}


@pytest.mark.skipif(NIST is None, reason="the NIST data are not beside the checkout")
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", [*MODELS, "Nelson"])
def test_nist(name, start):
    *starts, certified, deviations, squares, y, x = nist(NIST / f"{name}.dat")
    if name == "Nelson":
        y = np.log(y)
        model = lambda b, x: b[0] - b[1] * x[0] * np.exp(-b[2] * x[1])  # noqa: E731
    else:
        model, x = MODELS[name], x[0]
    fit = cb.least_squares(lambda b, x, y: y - model(b, x), starts[start], (x, y))
    digits = -np.log10(np.maximum(np.abs(fit.x - certified) / np.abs(certified), 1e-11))
    assert digits.min() >= 6, (name, start, digits, fit)
    assert abs(2 * fit.cost / squares - 1) <= 1e-6
    # The certified deviations check the Jacobian alone.
    J = cb.jacobian(lambda b: y - model(b, x))(certified)
    spread = np.sqrt(squares / (len(y) - len(certified)) * np.diag(np.linalg.inv(J.T @ J)))
    assert np.allclose(spread, deviations, rtol=1e-4)


def test_trees_dtypes_and_data():
    t = np.linspace(0, 2, 30)
    y = 2 * np.sin(3 * t) + 0.5
    model = lambda p, t: p["a"] * np.sin(p["w"][0] * t) + p["w"][1]  # noqa: E731
    x0 = {"a": np.float32(1.5), "w": np.array([2.8, 0.0])}
    fit = cb.least_squares(lambda p, t, y: [model(p, t) - y], x0, (t, y))
    assert fit.success and fit.x["a"].dtype == np.float32 and np.allclose(fit.x["a"], 2, atol=1e-5) and np.allclose(fit.x["w"], [3, 0.5], atol=1e-6)
    assert x0["a"] == np.float32(1.5) and x0["w"][0] == 2.8
    solver = cb.Solver("least_squares", lambda p, t, y: model(p, t) - y, x0, (t, y), method="lm")
    for w in (2.5, 3.0, 3.3):
        other = solver.run({"a": np.float32(1), "w": np.array([2.9, 0.1])}, (t, 2 * np.sin(w * t) + 0.5))
        assert abs(other.x["w"][0] - w) < 1e-5, other
    whole = cb.minimize(lambda x: (x - 3) ** 2, 0)
    assert whole.success and abs(whole.x - 3) < 1e-8


def test_large_and_matrix_free():
    n = 20_000
    rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    found = cb.minimize(rosenbrock, np.full(n, 0.9), method="newton-cg", gradient_tolerance=1e-6)
    assert found.success and np.abs(found.x - 1).max() < 1e-5
    d = np.arange(1.0, n + 1)
    fit = cb.least_squares(lambda x: np.sqrt(d) * (x - 1 / d), np.zeros(n), method="gauss-newton-cg", gradient_tolerance=1e-9)
    assert fit.success and np.abs(fit.x - 1 / d).max() < 1e-8


def test_journal_and_outcomes():
    rosenbrock = CLASSICS["rosenbrock"][0]
    for method in METHODS:
        found = solve(method, rosenbrock, np.array([-1.2, 1.0]))
        values = [s.value for s in found.journal]
        assert values[0] == pytest.approx(24.2 if method in ("lbfgs", "newton-cg") else 12.1)
        assert all(b <= a * (1 + 1e-12) for a, b in zip(values, values[1:])) and found.iterations == len(values) - 1 > 3
        assert found.journal[-1].evaluations == found.evaluations >= found.iterations
        assert (found.journal[-1].products > 0) == (method in ("newton-cg", "gauss-newton-cg") or method == "levenberg-marquardt" and found.journal[-1].products > 0)
        short = solve(method, rosenbrock, np.array([-1.2, 1.0]), steps=2)
        assert short.status == "out of steps" and not short.success and short.iterations <= 2 and "steps" in short.message
        nowhere = solve(method, lambda x: np.log(x), np.array([-1.0, 2.0]))
        assert nowhere.status == "undefined" and not nowhere.success and np.array_equal(nowhere.x, [-1, 2])
    down = cb.minimize(lambda x: np.sum(-np.exp(x)), np.ones(2), method="newton-cg")
    assert not down.success and down.status in ("unbounded", "stalled", "out of steps")
    for method in ("lbfgs", "newton-cg"):  # a log barrier: trials beyond it are refused
        inside = cb.minimize(lambda x: np.sum(x - np.log(x)), np.array([0.01, 40.0]), method=method)
        assert inside.success and np.allclose(inside.x, 1, atol=1e-6)
    flat = cb.minimize(lambda x: np.sum(0 * x), np.ones(3))
    assert flat.status == "converged" and flat.iterations == 0


def test_bad_input():
    f = lambda x: np.sum(x * x)  # noqa: E731
    with pytest.raises(cb.InvalidError, match='no method "simplex"; there are lbfgs, newton-cg'):
        cb.minimize(f, np.ones(2), method="simplex")
    with pytest.raises(cb.InvalidError, match="no option .wolfe.; it has .*decrease"):
        cb.minimize(f, np.ones(2), wolfe=1)
    with pytest.raises(cb.InvalidError, match="steps = -1"):
        cb.minimize(f, np.ones(2), steps=-1)
    with pytest.raises(cb.ShapeError, match=r"f64\[2\], not a scalar"):
        cb.minimize(lambda x: x, np.ones(2))
    with pytest.raises(cb.ShapeError, match="2 values"):
        cb.minimize(lambda x: (f(x), f(x)), np.ones(2))
    with pytest.raises(cb.DtypeError, match="variables are f64 or f32"):
        cb.minimize(f, np.ones(2, np.float16))
    with pytest.raises(cb.DtypeError, match="str"):
        cb.minimize(f, "here")
    solver = cb.Solver("minimize", f, np.ones(2), method="lbfgs")
    with pytest.raises(cb.ShapeError):
        solver.run(np.ones(3))
    assert cb.least_squares(lambda x: np.zeros((0,)) * np.sum(x), np.ones(2)).status == "converged"
    assert cb.minimize(lambda x: np.sum(x) + 1.0, np.zeros(0)).status == "converged"
