"""The planner: every method's values, the table, the choice, verdicts."""

import json
import threading

import numpy as np
import pytest

import camber as cb


def banded(x):
    return np.sin(x) * np.roll(x, 1) + x**2


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", ["forward", "reverse", "compressed_forward", "compressed_reverse", "star_bicoloring", "elimination", "stagewise", "auto", "accurate"])
def test_dense_methods(method):
    x = np.linspace(0.2, 1.4, 12)
    want = cb.jacobian(banded, mode="forward")(x)
    assert np.allclose(cb.jacobian(banded, method=method)(x), want, rtol=1e-13, atol=1e-14)
    g = lambda x: np.sum(cb.jacobian(banded, method=method)(x) ** 2)
    assert np.allclose(cb.grad(g)(x), cb.grad(lambda x: np.sum(cb.jacobian(banded)(x) ** 2))(x), rtol=1e-12)
    two = cb.jacobian(lambda a, b: {"y": banded(a) * b, "z": np.sum(a)}, (0, 1), method=method)(x, 2.0)
    assert np.allclose(two["y"][0], 2.0 * want) and np.allclose(two["y"][1], banded(x)) and np.allclose(two["z"][0], 1.0) and two["z"][1] == 0


@pytest.mark.parametrize("method", ["forward", "reverse", "star", "elimination", "auto", "accurate"])
def test_dense_hessians(method):
    x = np.linspace(0.2, 1.4, 9)
    assert np.allclose(cb.hessian(rosenbrock, method=method)(x), cb.hessian(rosenbrock)(x), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("method", ["auto", "accurate", "accumulate", "compressed_forward", "compressed_reverse", "star_bicoloring", "acyclic_bicoloring", "elimination"])
def test_sparse_methods(method):
    x = np.linspace(0.2, 1.4, 12)
    J = cb.sparse_jacobian(banded, method=method)(x)
    assert np.allclose(J.to_dense(), cb.jacobian(banded)(x), rtol=1e-13, atol=1e-14)
    assert J.nnz == 24


@pytest.mark.parametrize("triangle", ["full", "lower", "upper"])
def test_sparse_hessian_by_elimination(triangle):
    x = np.linspace(0.2, 1.4, 9)
    want = cb.hessian(rosenbrock)(x)
    want = {"full": want, "lower": np.tril(want), "upper": np.triu(want)}[triangle]
    for method in ("elimination", "auto"):
        assert np.allclose(cb.sparse_hessian(rosenbrock, method=method, triangle=triangle)(x).to_dense(), want, rtol=1e-12, atol=1e-10)


def test_table():
    x = np.ones(60)
    p = cb.plan(banded, x)
    table = {e["method"]: e for e in p.table}
    assert table["forward"]["passes"] == 60 and table["reverse"]["passes"] == 60 and table["finite_differences"]["passes"] == table["finite_differences"]["colors"] + 1
    assert table["compressed_forward"]["colors"] in (2, 3)
    assert p.method != "finite_differences" and table[p.method]["applies"]
    assert table["finite_differences"]["error"] > 1e-9 > table["forward"]["error"] > 1e-16
    assert table["forward"]["flops"] > table["compressed_forward"]["flops"] > 0
    assert all(e["memory"] > 0 and e["predicted_ns"] > 0 for e in table.values() if e["applies"])
    assert not table["stagewise"]["applies"] and table["stagewise"]["reason"]
    assert p.method in str(p) and "finite_differences" in str(p)
    page = p._repr_html_()
    assert "<table>" in page and "<svg" in page and f"<b>{p.method}</b>" in page
    assert json.loads(p.to_json())["rows"] == 60
    assert p.method in repr(p)


def test_choices_that_are_clear():
    cb.forget_plans()
    a = np.linspace(-1, 1, 2000).reshape(4, 500)
    assert cb.plan(lambda x: np.sin(a @ (x * x)), np.ones(500)).method not in ("forward", "compressed_forward")
    assert cb.plan(lambda x: np.sin(x @ a[:, :400]), np.ones(4)).method not in ("reverse", "compressed_reverse")
    assert cb.plan(banded, np.ones(3000), sparse=True).method in ("accumulate", "compressed_forward")
    assert cb.plan(lambda x: np.tanh(a.T[:300] @ np.sin(a[:, :300] @ x)), np.ones(300)).method == "stagewise"


def test_mixed_modes_are_chosen():
    """By counts alone: a bicoloring, an elimination, stages, local Jacobians of a loop's steps."""
    def arrow(x):
        c = np.linalg.cholesky((2 + x * x).reshape(-1, 1, 1)).ravel()
        return np.concatenate([np.sum(c * x)[None], x[1:] * x[0] + c[1:]])

    plan = cb.plan(arrow, np.ones(3000), sparse=True, taste=False)
    assert plan.method.endswith("bicoloring") and {e["method"]: e for e in plan.table}[plan.method]["colors"] <= 6
    scalars = lambda x: np.stack([np.sin(x[0] * x[1]) * x[2], np.exp(x[0] * x[1]) / x[2], x[2] ** 3 * x[0] * x[1]])  # noqa: E731
    assert cb.plan(scalars, np.ones(3), taste=False).method == "elimination"
    a = np.linspace(-1, 1, 1200).reshape(4, 300)
    assert cb.plan(lambda x: np.tanh(a.T @ np.sin(a @ x)), np.ones(300), taste=False).method == "stagewise"

    def recurrent(x):
        def step(c, u):
            p, q = c
            for _ in range(6):
                p, q = np.sin(p * q + u) * 0.5 + q * 0.1, np.cos(p - q) * np.tanh(p) + 0.01 * u
            return (p, q), p

        return cb.scan(step, (x[0], x[1]), x)[1]

    x = np.linspace(0.1, 1, 60)
    assert cb.plan(recurrent, x, taste=False).method == "preaccumulate"
    assert np.allclose(cb.jacobian(recurrent, method="preaccumulate")(x), cb.jacobian(recurrent, mode="forward")(x), rtol=1e-12, atol=1e-14)
    last = lambda x: recurrent(x)[-1]  # noqa: E731
    assert np.allclose(cb.hessian(last, method="preaccumulate")(x), cb.hessian(last)(x), rtol=1e-10, atol=1e-12)


def test_what_bounds_leave_behind_is_not_made():
    cb.forget_plans()
    a = np.linspace(-1, 1, 2000).reshape(1000, 2)
    p = cb.plan(lambda x: np.exp(-((a @ x) ** 2)), np.ones(2))
    table, whole = {e["method"]: e for e in p.table}, json.loads(p.to_json())
    assert table[p.method]["made"] and not all(e["made"] for e in p.table if e["applies"])
    assert all(e["predicted_ns"] > 2 * table[p.method]["predicted_ns"] for e in p.table if e["applies"] and not e["made"])
    assert whole["planning"]["counting_ns"] > 0 and "planning took" in str(p) and "not made" in str(p)
    accurate = cb.plan(banded, np.ones(40), accurate=True)
    assert all(e["made"] for e in accurate.table if e["applies"])


def test_verdicts(tmp_path):
    cb.forget_plans()
    x = np.ones(30)
    f = cb.function(banded)
    first = json.loads(cb.plan(f, x).to_json())
    again = json.loads(cb.plan(f, x).to_json())
    assert first["ground"] in ("tasted", "predicted") and again["ground"] == "remembered" and again["chosen"] == first["chosen"]
    file = tmp_path / "verdicts"
    cb.save_plans(file)
    cb.forget_plans()
    assert json.loads(cb.plan(f, x, taste=False).to_json())["ground"] == "predicted"
    cb.load_plans(file)
    assert json.loads(cb.plan(f, x).to_json())["ground"] == "remembered"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(["camber plan 1 1234", *lines[1:]]))
    cb.forget_plans()
    cb.load_plans(file)
    assert json.loads(cb.plan(f, x).to_json())["ground"] != "remembered"
    file.write_text("something else\n")
    with pytest.raises(cb.FileError):
        cb.load_plans(file)
    with pytest.raises(cb.FileError):
        cb.load_plans(tmp_path / "none")
    with pytest.raises(cb.FileError):
        cb.save_plans(tmp_path / "no" / "folder")


def test_a_remembered_verdict_traces_and_copies_nothing():
    """The function is recorded once for each kind of arguments; the table is made when it is asked for."""
    calls = []

    def f(x):
        calls.append(x.shape)
        return banded(x)

    cb.forget_plans()
    traced, x = cb.function(f), np.ones(30)
    first = cb.plan(traced, x)
    again = [cb.plan(traced, x) for _ in range(3)]
    assert calls == [(30,)] and all(p.method == first.method for p in again)
    del traced
    table = {e["method"]: e for e in again[0].table}
    assert [e["method"] for e in again[0].table] == [e["method"] for e in first.table] and json.loads(again[0].to_json())["ground"] == "remembered"
    assert all(e["predicted_ns"] > 0 for e in table.values() if e["applies"]) and table["forward"]["passes"] == 30
    traced = cb.function(f)
    cb.plan(traced, x)
    cb.plan(traced, np.ones(31))
    cb.plan(traced, x)
    assert calls == [(30,), (30,), (31,)]
    # The other kinds are other verdicts of the same tape; forgetting in between makes one anew.
    assert json.loads(cb.plan(traced, x, sparse=True).to_json())["ground"] != "remembered"
    cb.forget_plans()
    assert json.loads(cb.plan(traced, x).to_json())["ground"] != "remembered"
    traced.clear()
    cb.plan(traced, x)
    assert len(calls) == 4
    # Branches of the function's own go by values.
    branch = cb.function(lambda x: x * x if x[0] > 0 else np.sin(x), guards=True)
    assert cb.plan(branch, x).method and cb.plan(branch, -x).method
    errors = []

    def plan():
        try:
            for _ in range(20):
                assert cb.plan(traced, x).table
        except Exception as problem:
            errors.append(problem)

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_accurate_takes_the_least_error():
    p = cb.plan(banded, np.ones(40), accurate=True)
    errors = {e["method"]: e["error"] for e in p.table if e["applies"]}
    assert errors[p.method] == min(errors.values())


def test_errors_where_terms_cancel():
    """Rows of a matrix that nearly agree, subtracted: reverse mode takes the difference of the rows first, forward mode that of its products."""
    b = np.array([1.1e8, 2.3e8, -3.7e8]) / 3
    B = np.stack([b, b + np.array([0.1, 0.2, 0.3])])

    def f(x):
        u = B @ (x * x)
        return (u[1] - u[0])[None]

    x = np.array([1.1, 0.7, 0.9])
    exact = 2 * x * (B[1] - B[0])
    off = {m: np.max(abs(cb.jacobian(f, mode=m)(x)[0] - exact)) / np.max(abs(exact)) for m in ("forward", "reverse")}
    p = cb.plan(f, x, accurate=True)
    error = {e["method"]: e["error"] for e in p.table if e["applies"]}
    assert off["forward"] > 1e-9 > 1e-14 > off["reverse"]
    assert off["forward"] <= error["forward"] < 1e3 * off["forward"] and off["reverse"] <= error["reverse"] < 1e-14
    assert p.method != "forward" and error["finite_differences"] > 10 * error["forward"]
    assert np.max(abs(cb.jacobian(f, method="accurate")(x)[0] - exact)) <= 1e-15 * np.max(abs(exact))
    # Counted roundings cannot tell them apart; bounds at the point do in a table of times, too.
    counted = {e["method"]: e["error"] for e in cb.plan(f, x, accurate=False).table}
    bounded = {e["method"]: e["error"] for e in cb.plan(f, x, rounding=True).table}
    assert counted["forward"] < 1e-14 and bounded["forward"] == error["forward"]
    # Where all terms have one sign, no method loses digits, but differences do.
    for e in cb.plan(lambda x: np.exp(x) * np.sum(x), np.linspace(0.5, 1, 6), rounding=True).table:
        assert not e["applies"] or not e["made"] or (e["error"] > 1e-9 if e["method"] == "finite_differences" else e["error"] < 1e-14)


def test_evaluations_bound_planning():
    cb.forget_plans()
    a = np.linspace(-1, 1, 6000).reshape(10, 600)
    f = cb.function(lambda x: np.sin(a @ (x * x)))
    x = np.linspace(0.1, 1, 600)
    few, many = cb.plan(f, x, evaluations=1), cb.plan(f, x)
    made = lambda p: sum(e["made"] for e in p.table if e["applies"])  # noqa: E731
    assert made(few) == 0 < made(many) and few.method == "reverse" and json.loads(few.to_json())["ground"] == "predicted"
    assert json.loads(cb.plan(f, x, evaluations=1e12).to_json())["ground"] in ("tasted", "remembered")
    s = cb.plan(banded, np.ones(50), sparse=True, evaluations=1)
    assert s.method == "accumulate" and made(s) == 1
    for bad in (-1, np.nan, np.inf):
        with pytest.raises(cb.InvalidError, match="evaluations"):
            cb.plan(f, x, evaluations=bad)


def test_data_and_trees():
    f = lambda p, d: {"y": np.sin(p["a"]) * d + p["b"]}
    args = ({"a": np.ones(3), "b": 2.0}, np.arange(3.0))
    for method in ("auto", "elimination"):
        J = cb.jacobian(f, method=method)(*args)
        want = cb.jacobian(f)(*args)
        assert np.allclose(J["y"]["a"], want["y"]["a"]) and np.allclose(J["y"]["b"], want["y"]["b"])


def test_edges():
    assert cb.jacobian(lambda x: x * 2.0, method="auto")(np.ones(0)).shape == (0, 0)
    assert cb.jacobian(np.sin, method="auto")(0.0) == 1.0
    assert np.isnan(cb.jacobian(np.sin, method="auto")(np.nan))
    assert cb.jacobian(np.sin, method="auto")(np.float32(0)).dtype == np.float32
    assert np.allclose(cb.jacobian(lambda x: np.asarray([1.0, 2.0]), method="auto")(np.ones(2)), 0)
    assert np.allclose(cb.vmap(cb.jacobian(banded, method="auto"))(np.ones((2, 3))), cb.jacobian(banded)(np.ones(3)))
    f = lambda x: cb.scan(lambda c, v: (np.tanh(c * v), c), x[0], x)[1]
    x = np.linspace(0.1, 1, 6)
    assert np.allclose(cb.jacobian(f, method="auto")(x), cb.jacobian(f)(x))
    branch = cb.function(lambda x: x * 2 if x > 0 else -x, guards=True)
    slope = cb.jacobian(branch, method="auto")
    assert slope(1.0) == 2 and slope(-1.0) == -1 and cb.plan(branch, 1.0).method
    assert np.allclose(cb.jacobian(cb.jacobian(lambda x: x**3, method="auto"), method="auto")(np.array([1.0, 2.0]))[1, 1], [0, 12])
    assert np.allclose(cb.grad(lambda x: np.sum(cb.hessian(lambda y: np.sum(y**4), method="auto")(x)))(np.ones(2)), 24)
    for bad, words in (({"method": "magic"}, "none of auto"), ({"method": "star"}, "does not give a dense Jacobian")):
        with pytest.raises(cb.InvalidError, match=words):
            cb.jacobian(np.sin, **bad)(np.ones(2))
    with pytest.raises(cb.ShapeError):
        cb.plan(np.sin, np.ones(2), hessian=True)
    with pytest.raises(cb.Error):
        cb.plan(lambda x: x, 1)
    with pytest.raises(cb.Error):
        cb.sparse_jacobian(banded, pattern=np.eye(3), method="auto")
