"""cb.function: caching, dtypes, results, threads, closures, and what errors say."""

import threading

import numpy as np
import pytest

import camber as cb
import camber.numpy as cnp


def counted(f):
    calls = []

    def g(*args, **kwargs):
        calls.append(1)
        return f(*args, **kwargs)

    return cb.function(g), calls


def test_traces_once_for_each_signature():
    f, calls = counted(lambda x, y: x + y)
    for x in (1.0, 2.0, 3.5):
        assert f(x, x) == 2 * x
    assert len(calls) == 1
    f(np.ones(3), 1.0), f(np.zeros(3), 2.0), f(np.ones(3, np.float32), 1.0), f(1, 2.0)
    assert len(calls) == 4
    f.clear()
    f(1.0, 1.0)
    assert len(calls) == 5


def test_static_structure():
    f, calls = counted(lambda x, how, n: {"up": x + n, "down": x - n}[how])
    assert f(1.0, "up", 2.0) == 3.0 and f(1.0, "down", 2.0) == -1.0 and f(5.0, "up", 2.0) == 7.0
    assert len(calls) == 2
    g = cb.function(lambda x, n: sum(x**k for k in range(n)), static_argnums=1)
    assert g(2.0, 3) == 7.0 and g(2.0, 4) == 15.0


def test_results_are_fresh():
    f = cb.function(lambda x: (x + 1, x + 1, x))
    for n in (3, 5000):
        x = np.zeros(n)
        a, b, c = f(x)
        a2, _, _ = f(x + 1)
        a[0] = 9
        assert b[0] == 1 and c[0] == 0 and x[0] == 0 and a2[0] == 2
        assert not np.shares_memory(a, b) and not np.shares_memory(c, x)


def test_result_kinds():
    f = cb.function(lambda x: {"s": x.sum(), "n": None, "c": 3, "i": x.argmax(), "b": x.sum() > 0, "l": [x, np.arange(2)]})
    out = f(np.ones(2, np.float32))
    assert isinstance(out["s"], np.float32) and out["n"] is None and out["c"] == 3
    assert isinstance(out["i"], np.int64) and isinstance(out["b"], np.bool_) and isinstance(out["l"], list)
    assert cb.function(lambda x: x)(True) is np.True_ or cb.function(lambda x: x)(True) == True  # noqa: E712
    assert cb.function(lambda: np.ones(2))().tolist() == [1, 1]


def test_python_scalars_stay_weak():
    f = cb.function(lambda x, s: x * s + 1)
    assert f(np.ones(2, np.float32), 0.5).dtype == np.float32
    assert f(np.ones(2, np.float32), np.float64(0.5)).dtype == np.float64
    assert f(np.ones(2, np.int64), 2).dtype == np.int64


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "bool"])
def test_dtypes_pass(dtype):
    x = np.array([0, 1, 1, 0]).astype(dtype)
    out = cb.function(lambda x: x[::-1])(x)
    assert out.dtype == x.dtype and (out == x[::-1]).all()
    assert cb.function(lambda x: x)(x[0]).dtype == x.dtype


def test_layouts():
    """Arrays that are not contiguous, not writable or byte-swapped are read as they are (copied)."""
    base = np.arange(24.0).reshape(4, 6)
    f = cb.function(lambda x: x * 2)
    for x in (base.T, base[::2, ::-1], base.astype(">f8"), np.asfortranarray(base)):
        np.testing.assert_array_equal(f(x), 2 * x.astype(float))
    base.flags.writeable = False
    np.testing.assert_array_equal(f(base), 2 * base)
    big = np.asfortranarray(np.random.default_rng(0).standard_normal((100, 90)))
    np.testing.assert_array_equal(f(big), 2 * big)


def test_empty_arrays():
    f = cb.function(lambda x: (x * 2, x.sum(), np.concatenate([x, x])))
    a, b, c = f(np.zeros((0,)))
    assert a.shape == (0,) and b == 0 and c.shape == (0,)
    assert cb.grad(lambda x: np.sum(x * x))(np.zeros((0, 3))).shape == (0, 3)


def test_bf16():
    x = np.array([1.0, 1.0 + 2**-8, 1 + 3 * 2**-8, -2.5, 1e38, np.inf])
    bits = cb.to_bf16(x)
    assert cb.from_bf16(bits)[1] == 1.0 and cb.from_bf16(bits)[2] == 1 + 4 * 2**-8  # ties go to even
    f = cb.function(lambda x: x.astype("bf16") if hasattr(x, "node") else x)
    out = f(x)
    assert out.dtype == cb.bfloat16
    np.testing.assert_array_equal(cb.from_bf16(out), cb.from_bf16(bits))
    twice = cb.function(lambda x: x + x)(out)
    np.testing.assert_array_equal(cb.from_bf16(twice), 2 * cb.from_bf16(bits))
    rng = np.random.default_rng(0)
    y = rng.standard_normal(2000) * 10.0 ** rng.uniform(-40, 38, 2000)
    np.testing.assert_array_equal(cb.from_bf16(f(y)), cb.from_bf16(cb.to_bf16(y)))


def test_methods():
    class Model:
        def __init__(self, k):
            self.k = k

        @cb.function
        def half(self, x):
            return x * self.k

    a, b = Model(2.0), Model(3.0)
    assert a.half(1.0) == 2.0 and b.half(1.0) == 3.0


# ---- Errors ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("force", "says"),
    [
        (lambda x: x if x.sum() > 0 else -x, "np.where"),
        (lambda x: float(x[0]), "float"),
        (lambda x: int(x[0]), "astype"),
        (lambda x: range(x[0]), "scan"),
        (lambda x: np.asarray(x), "cnp.stack"),
        (lambda x: np.array([x[0], x[1]]), "cnp"),
        (lambda x: x.item(), "return it"),
        (lambda x: x.tolist(), "return it"),
        (lambda x: x.__setitem__(0, 1.0), r"\.at\["),
        (lambda x: x[x > 0], "np.where"),
        (lambda x: x.__complex__(), "complex"),
    ],
)
def test_forced_values(force, says):
    with pytest.raises(cb.TracedError, match=says):
        cb.function(force)(np.ones(3))


def test_untraced_functions_say_so():
    with pytest.raises(TypeError, match="numpy.unique"):
        cb.function(np.unique)(np.ones(3))
    with pytest.raises(TypeError, match="cannot be traced"):
        cb.function(np.nextafter)(1.0, 2.0)
    with pytest.raises(TypeError, match="out="):
        cb.function(lambda x: np.add(x, 1, out=np.zeros(3)))(np.ones(3))
    with pytest.raises(cb.DerivativeError, match="np.linalg.eig: .*not symmetric"):
        cb.function(np.linalg.eig)(np.eye(2))


def test_shapes_and_dtypes_are_named():
    with pytest.raises(cb.ShapeError, match=r"\[2\] and \[3\]"):
        cb.function(lambda x, y: x + y)(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="matmul"):
        cb.function(lambda x, y: x @ y)(np.ones((2, 3)), np.ones(2))
    with pytest.raises(cb.DtypeError, match="complex128"):
        cb.function(lambda x: x)(np.ones(2) * 1j)
    with pytest.raises(TypeError):
        cb.function(lambda x: x + "a")(1.0)
    with pytest.raises(IndexError, match="out of bounds"):
        cb.function(lambda x: x[5])(np.ones(3))
    with pytest.raises(cb.InvalidError, match="scalar"):
        cb.grad(lambda x: x * 2)(np.ones(3))
    with pytest.raises(cb.DtypeError, match="float"):
        cb.grad(lambda x: (x > 0).sum())(np.ones(3))
    with pytest.raises(cb.ShapeError):
        cb.jvp(np.sin, (np.ones(3),), (np.ones(2),))
    with pytest.raises(np.exceptions.AxisError):
        cb.function(lambda x: x.sum(axis=3))(np.ones(3))


def test_index_outside_at_run_time():
    f = cb.function(lambda x, i: x[i])
    assert f(np.arange(3.0), np.array([2, -1])).tolist() == [2, 2]
    with pytest.raises(cb.Error, match="3"):
        f(np.arange(3.0), np.array([3]))
    assert f(np.arange(3.0), np.array([0, 1])).tolist() == [0, 1]


def test_escaped_value():
    kept = []
    cb.function(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(cb.NodeError, match="escaped"):
        kept[0] + 1
    with pytest.raises(cb.NodeError, match="escaped"):
        cb.function(lambda x: x + kept[0])(1.0)
    assert "traced" in repr(kept[0])


def test_exceptions_in_a_function_pass():
    def bad(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        cb.grad(bad)(1.0)
    assert cb.grad(np.sin)(0.0) == 1.0
    with pytest.raises(KeyError):
        cb.scan(lambda c, x: bad(x), 0.0, np.ones(3))
    assert cb._tape.current() is None


def test_check_finite():
    f = cb.function(lambda x: np.log(x), check_finite=True)
    assert f(1.0) == 0
    with pytest.raises(cb.NonFiniteError):
        f(0.0)
    assert f(np.e) == 1.0


# ---- Threads -----------------------------------------------------------------------------------------------------------------


def test_threads_share_a_function():
    g = cb.grad(lambda x, s: np.sum(np.sin(x * s)))
    xs = np.random.default_rng(0).standard_normal((8, 200, 50))
    want = np.cos(xs * 1.5) * 1.5
    failures = []

    def work(k):
        for x, w in zip(xs[k], want[k]):
            if not np.allclose(g(x, 1.5), w, rtol=1e-14):
                failures.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not failures


def test_threads_trace_apart():
    out = {}

    def work(k):
        out[k] = [float(cb.grad(lambda x, p=p: x**p)(2.0)) for p in range(1, 6)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert all(out[k] == [p * 2.0 ** (p - 1) for p in range(1, 6)] for k in range(6))


def test_same_bits_in_every_thread():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((120, 80)), rng.standard_normal((80, 90))
    f = cb.grad(lambda a, b: np.sum(np.tanh(a @ b) ** 2), argnums=(0, 1))
    want = f(a, b)
    out = []
    threads = [threading.Thread(target=lambda: out.extend([f(a, b) for _ in range(5)])) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(out) == 20 and all(x.tobytes() == y.tobytes() for got in out for x, y in zip(got, want))


# ---- The low level -----------------------------------------------------------------------------------------------------------


def test_program():
    tape = cb.Tape()
    with tape:
        x = cb.Array(tape, tape.input((3,), 0), (3,), 0)
        y = np.sin(x) * 2
    p = cb.Program(tape, [x.node], [y.node])
    assert p.memory >= 0 and p.explain() and "f64[3]" in repr(p)
    out = np.empty(3)
    assert p.run([np.ones(3)], out=[out])[0] is out
    np.testing.assert_array_equal(out, 2 * np.sin(np.ones(3)))
    with pytest.raises(cb.DtypeError, match="cast it first"):
        p.run([np.ones(3)], out=[np.empty(3, np.float32)])
    with pytest.raises(cb.InvalidError, match="contiguous"):
        p.run([np.ones(3)], out=[np.empty(6)[::2]])
    with pytest.raises(cb.ShapeError):
        p.run([np.ones(4)])
    with pytest.raises(cb.InvalidError, match="known|option|unknown|check_finite"):
        p.set("no such option", 1)
    assert tape.node_count > 0 and tape.bytes > 0


def test_explain_and_hash():
    f = cb.function(lambda x: np.exp(x) + 1)
    assert f.explain(np.ones(3)) == f.program(np.ones(3)).explain() != ""
    assert cb.tape_hash(f, 1.0) == cb.tape_hash(lambda y: np.exp(y) + 1, 2.0)
    assert cb.tape_hash(f, 1.0) != cb.tape_hash(f, np.ones(2))
    order = cb.tape_hash(lambda x: (np.sin(x), np.cos(x))[0] * np.cos(x), 1.0)
    assert order == cb.tape_hash(lambda x: np.sin(x) * np.cos(x), 1.0)


def test_header_is_the_library():
    from camber import _header

    assert cb.lib.header_digest().decode() == _header.read().digest
    assert cb.lib.version() == sum(p * s for p, s in zip(cb.HEADER.version, (10000, 100, 1)))
    assert len(cb.ops.ROWS) == cb.lib.op_count()
    with pytest.raises(AttributeError, match="no camber_nothing"):
        cb.lib.nothing  # noqa: B018


def test_speed_smoke():
    """Many calls of a small gradient, for profiles; how long they take is measured in Benchmarks."""
    g = cb.grad(lambda x, y, z: x * np.sin(y) + z * z, argnums=(0, 1, 2))
    for i in range(2000):
        out = g(1.0, float(i), 3.0)
    assert out == (np.sin(1999.0), np.cos(1999.0), 6.0)
    assert cnp.isfinite(out[0])
