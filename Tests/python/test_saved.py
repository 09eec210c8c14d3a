"""cb.save and cb.load: what comes back is what was traced, to the bit, in trees as they were."""

import importlib.util
import json
import pickle
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import camber as cb

Pair = namedtuple("Pair", "first second")
rng = np.random.default_rng(5)
X = rng.normal(size=(4, 3))
MODEL = {"w": [rng.normal(size=(3, 5)), rng.normal(size=(5, 1))], "b": (rng.normal(size=5), None)}


def loss(model, x):
    h = np.tanh(x @ model["w"][0] + model["b"][0])
    return np.mean((h @ model["w"][1]) ** 2)


def same(a, b):
    la, ta = cb.pytree.flatten(a)
    lb, tb = cb.pytree.flatten(b)
    assert ta == tb
    for x, y in zip(la, lb):
        assert np.asarray(x).dtype == np.asarray(y).dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()


def test_round_trip_of_a_model_with_its_derivatives(tmp_path):
    path = tmp_path / "m.camber"
    cb.save(path, loss, MODEL, X, derivatives=("grad", "value_and_grad", "hessian", "hvp", "jvp", "vjp"), notes={"author": "é"})
    f = cb.load(path)
    assert list(f) == ["value", "grad", "value_and_grad", "hessian", "hvp", "jvp", "vjp"] and f.note("author") == "é" and f.note("x") is None
    same(f(MODEL, X), cb.function(loss)(MODEL, X))
    same(f.grad(MODEL, X), cb.grad(loss)(MODEL, X))
    same(f["value_and_grad"](MODEL, X), cb.value_and_grad(loss)(MODEL, X))
    v = cb.pytree.map(np.ones_like, MODEL)
    same(f.hvp(MODEL, X, v), cb.hvp(lambda m: loss(m, X), MODEL, v))
    same(f.jvp(MODEL, X, v), cb.jvp(lambda m: loss(m, X), (MODEL,), (v,))[1])
    same(f.vjp(MODEL, X, 2.0), cb.vjp(lambda m: loss(m, X), MODEL)[1](2.0)[0])
    assert f.grad.input_names == ["model.b.0", "model.w.0", "model.w.1", "x"] and f.grad.output_names == ["b.0", "w.0", "w.1"]
    assert "f64" in repr(f.grad.program) and f.grad.explain()
    with pytest.raises(AttributeError, match="there are value, grad"):
        f.gradient


def test_the_bytes_are_the_function():
    assert cb.dumps(loss, MODEL, X) == cb.dumps(loss, MODEL, X)
    one, two = cb.dumps(lambda x: np.sin(x) + np.cos(x) * 2, 1.0), cb.dumps(lambda x: (lambda c, s: s + c * 2)(np.cos(x), np.sin(x)), 1.0)
    assert one == two
    f = cb.loads(cb.dumps(loss, MODEL, X, derivatives="grad"))
    assert f.__reduce__()[1][0] == cb.dumps(loss, MODEL, X, derivatives="grad")


def test_one_tape_holds_all_functions():
    alone, both = len(cb.dumps(loss, MODEL, X)), len(cb.dumps({"a": loss, "b": loss, "c": lambda m, x: loss(m, x) * 2}, MODEL, X))
    assert both < alone + 2200


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_dtypes_constants_and_loops(dtype):
    x = cb.to_bf16([0.5, 1.5]) if dtype == "bf16" else np.array([0.5, 1.5], {"f64": np.float64, "f32": np.float32, "f16": np.float16}[dtype])
    table = np.arange(6, dtype=np.int32)

    def f(x, n):
        end, sums = cb.scan(lambda c, t: (c * t + x, np.sum(c)), x, cb.numpy.stack([x, x * 2, x * 3])[:, 0])
        return end, sums, cb.numpy.take(table, n), n > 2

    same(cb.loads(cb.dumps(f, x, np.int64(3)))(x, np.int64(3)), cb.function(f)(x, np.int64(3)))


def test_trees_scalars_strings_and_named_tuples():
    def f(p, k, mode):
        y = p.first * k if mode == "times" else p.first + k
        return Pair({"y": y, 3: p.second[0]}, [None, (y, y)])

    p = Pair(np.arange(3.0), [np.float32(2), None])
    g = cb.loads(cb.dumps(f, p, 2.0, "times"))
    got = g(p, 2.0, "times")
    assert type(got).__name__ == "Pair" and got._fields == ("first", "second") and got.second[0] is None
    same(tuple(got), tuple(cb.function(f)(p, 2.0, "times")))
    assert g(Pair(np.ones(3), [np.float32(1), None]), 5, "times").first["y"][0] == 5.0
    with pytest.raises(cb.InvalidError, match="saved with 'times'"):
        g(p, 2.0, "plus")
    with pytest.raises(cb.InvalidError, match="structure"):
        g((p.first, p.second), 2.0, "times")
    with pytest.raises(cb.ShapeError):
        g(Pair(np.arange(4.0), [np.float32(2), None]), 2.0, "times")
    with pytest.raises(cb.DtypeError):
        g(Pair(np.arange(3, dtype=np.float32), [np.float32(2), None]), 2.0, "times")


def test_a_loaded_function_is_traced_differentiated_and_batched():
    f = cb.loads(cb.dumps(loss, MODEL, X))
    same(cb.grad(f)(MODEL, X), cb.grad(loss)(MODEL, X))
    same(cb.function(lambda m, x: f(m, x) * 2)(MODEL, X), cb.function(lambda m, x: loss(m, x) * 2)(MODEL, X))
    wide = rng.normal(size=(6, 4, 3))
    np.testing.assert_allclose(cb.vmap(lambda x: f(MODEL, x))(wide), [loss(MODEL, x) for x in wide], rtol=1e-14)
    g = cb.loads(cb.dumps(lambda x: x * 3.0, np.float32(1)))
    assert cb.grad(lambda x: g(x) ** 2)(np.float32(2)) == np.float32(36)
    with pytest.raises(cb.ShapeError, match="f64\\[4, 3\\]"):
        cb.function(lambda x: f(MODEL, x))(X[:2])


def test_pickle():
    f = cb.loads(cb.dumps(loss, MODEL, X, derivatives=("grad",)))
    same(pickle.loads(pickle.dumps(f)).grad(MODEL, X), f.grad(MODEL, X))
    same(pickle.loads(pickle.dumps(f.grad))(MODEL, X), f.grad(MODEL, X))


def test_options_travel():
    f = cb.loads(cb.dumps(cb.function(lambda x: np.log(x), check_finite=True), 1.0))
    with pytest.raises(cb.NonFiniteError):
        f(-1.0)


def test_empty_and_scalar():
    f = cb.loads(cb.dumps(lambda x: (np.sum(x), x), np.zeros((0, 3))))
    total, x = f(np.zeros((0, 3)))
    assert total == 0 and x.shape == (0, 3)
    assert cb.loads(cb.dumps(lambda: np.float64(3) * 2))() == 6.0


def test_what_may_not_be_saved(tmp_path):
    with pytest.raises(cb.InvalidError, match="no derivative is called 'gard'"):
        cb.save(tmp_path / "f", loss, MODEL, X, derivatives=("gard",))
    with pytest.raises(cb.InvalidError, match="into the dict"):
        cb.dumps({"f": loss}, MODEL, X, derivatives=("grad",))
    with pytest.raises(cb.InvalidError, match="must be an array, a number or a string"):
        cb.dumps(lambda x, f: x, 1.0, np.sin)
    with pytest.raises(cb.FileError, match="cannot write"):
        cb.save(tmp_path / "no" / "f", lambda x: x, 1.0)
    assert not list(tmp_path.iterdir())


def test_wrong_files(tmp_path):
    data = cb.dumps(loss, MODEL, X)
    path = tmp_path / "f"
    path.write_bytes(data[:-9])
    with pytest.raises(cb.FileError, match="truncated"):
        cb.load(path)
    path.write_bytes(data[:300] + bytes([data[300] ^ 1]) + data[301:])
    with pytest.raises(cb.FileError, match="altered"):
        cb.load(path)
    with pytest.raises(cb.FileError, match="cannot read"):
        cb.load(tmp_path / "none")
    with pytest.raises(cb.FileError, match="no archive"):
        cb.loads(b"PK" + bytes(100))


@pytest.mark.parametrize("said", ["[", "{}", '{"args":3,"leaves":[],"result":"*"}', '{"args":"*","leaves":[{}],"result":{"kind":"tuple","of":["*","*"]}}',
                                  '{"args":' + '{"kind":"list","of":[' * 5000 + "]}" * 5000 + ',"leaves":[],"result":"*"}'])
def test_hostile_notes(said):
    handle, tape = cb.saved.Handle(), cb.Tape()
    x = tape.input((), 0)
    handle.check(cb.lib.archive_add(handle.handle, b"f", tape.handle, (cb.saved.ctypes.c_int64 * 1)(x), None, 1, (cb.saved.ctypes.c_int64 * 1)(x), None, 1))
    handle.check(cb.lib.archive_set_note(handle.handle, b"python:f", said.encode()))
    with pytest.raises(cb.FileError, match="does not fit"):
        cb.loads(handle.pack())


def test_registered_classes():
    class Box:
        def __init__(self, x, tag):
            self.x, self.tag = x, tag

    cb.pytree.register(Box, lambda b: ((b.x,), b.tag), lambda tag, children: Box(children[0], tag))
    data = cb.dumps(lambda b: Box(b.x * 2, "out"), Box(np.ones(2), "in"))
    got = cb.loads(data)(Box(np.full(2, 3.0), "in"))
    assert isinstance(got, Box) and got.tag == "out" and got.x[0] == 6
    del cb.pytree._REGISTERED[Box]
    with pytest.raises(cb.InvalidError, match="register it first"):
        cb.loads(data)


def test_tensors_with_surrogate_pairs(tmp_path):
    path = tmp_path / "t.safetensors"
    header = json.dumps({"😀 \ud83d\ude00 é": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    assert b"\\ud83d\\ude00" in header
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.array([2.5]).tobytes())
    assert {k: v[0] for k, v in cb.load_tensors(path).items()} == {"😀 😀 é": 2.5}
    for bad in (b"\\ud83d", b"\\ude00", b"\\ud83dx", b"\\ud83d\\u0041", b"\\u+123"):
        header = b'{"' + bad + b'":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
        with pytest.raises(cb.FileError):
            cb.load_tensors(path)


def test_files_of_version_1_stay_readable():
    """The corpus of the fuzzing: never written again unless the format changes, so what is read here was written long ago."""
    folder = Path(__file__).parents[1] / "fuzz"
    spec = importlib.util.spec_from_file_location("seeds", folder / "seeds.py")
    seeds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeds)
    files = {path.name: path for path in (folder / "corpus" / "saved").iterdir()}
    assert set(files) >= set(seeds.SEEDS)
    for name, (f, args) in seeds.SEEDS.items():
        file = cb.load(files[name])
        assert file.note("n") == "é"
        if not callable(f):
            assert len(file) == 0
            continue
        got, want = cb.pytree.leaves(file(*args)), cb.pytree.leaves(cb.function(f)(*args))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-12, err_msg=name)
        if "grad" in file:
            np.testing.assert_allclose(file.grad(*args), cb.grad(f)(*args), rtol=1e-12, err_msg=name)
