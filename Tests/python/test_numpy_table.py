"""docs/numpy.md says what is: it is what dispatches, and all that it claims agrees with NumPy and SciPy themselves."""

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from numpy_calls import CALLS, LINALG, SPECIAL, SPECIAL_ARGS, A, fixed
from numpy_table import MODULES, ROOT, counts, functions, reason, table, traced

import camber as cb
import camber.special as csp

CLAIMED = [(m, n) for m in MODULES for n in functions(m) if traced(m, n) is not None]
INSTEAD = {"empty_like": np.zeros_like, "partition": np.sort, "argpartition": lambda a, *_, **__: np.argsort(a, kind="stable")}


def test_the_document_is_the_table():
    assert (ROOT / "docs" / "numpy.md").read_text() == table(), "docs/numpy.md is out of step: python Tests/python/numpy_table.py"


def test_counts():
    assert sum(s for s, _ in counts().values()) >= 250
    assert all(reason(m, n) for m in MODULES for n in functions(m))


def _leaves(value):
    if isinstance(value, np.ndarray):
        return [value]
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list) else []


def _rebuilt(value, arrays):
    if isinstance(value, fixed):
        return value.value
    if isinstance(value, np.ndarray):
        return arrays.pop(0)
    return [_rebuilt(part, arrays) for part in value] if isinstance(value, list) else value


def run(function, args, kwargs):
    """A call, its arrays traced."""

    def f(*arrays):
        rest = list(arrays)
        out = function(*[_rebuilt(a, rest) for a in args], **{k: _rebuilt(v, rest) for k, v in kwargs.items()})
        return tuple(out) if isinstance(out, (tuple, list)) else out

    return cb.function(f)(*[leaf for value in (*args, *kwargs.values()) for leaf in _leaves(value)])


def compare(got, want, dtypes=True):
    """Value, shape and dtype; a traced bool stands for Python's."""
    if isinstance(want, (tuple, list)):
        got = list(got)
        assert len(got) == len(want)
        for g, w in zip(got, want):
            compare(g, w, dtypes)
        return
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert not dtypes or got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


def calls(module, name):
    if module == "numpy":
        return CALLS.get(name)
    if module == "numpy.linalg":
        return LINALG.get(name)
    ufunc = getattr(scipy.special, name)
    return SPECIAL.get(name) or ([(tuple(SPECIAL_ARGS[: ufunc.nin]), {})] if isinstance(ufunc, np.ufunc) else None)


@pytest.mark.parametrize(("module", "name"), CLAIMED, ids=[f"{m}.{n}" for m, n in CLAIMED])
def test_claimed(module, name):
    plain = getattr(MODULES[module], name)
    function = getattr(csp, name) if module == "scipy.special" else plain
    cases = calls(module, name)
    if cases is None and module == "numpy.linalg":  # results that are no single array, or fixed up to signs
        own = (Path(__file__).parent / "test_linalg.py").read_text()
        assert re.search(rf"\blinalg\.{name}\b", own), f"numpy.linalg.{name} is claimed, and neither numpy_calls.py nor test_linalg.py calls it"
        return
    assert cases, f"{module}.{name} is claimed and not called: add a call to numpy_calls.py"
    for args, kwargs in cases:
        args = tuple(A if isinstance(a, fixed) and a.value is None else a for a in args)
        host = [_rebuilt(a, _leaves(a)) for a in args], {k: _rebuilt(v, _leaves(v)) for k, v in kwargs.items()}
        want = INSTEAD.get(name, plain)(*host[0], **host[1])
        compare(run(function, args, kwargs), want, module == "numpy")


def test_scipy_ufuncs_dispatch():
    x = np.array([0.5, 1.5])
    for name in ("erf", "expit", "gammaln", "psi", "log1p", "digamma"):
        f = getattr(scipy.special, name)
        np.testing.assert_allclose(cb.function(f)(x), f(x), rtol=1e-12)
    with pytest.raises(TypeError, match="struve cannot be traced"):
        cb.function(scipy.special.struve)(x, x)
