"""camber.numpy is NumPy: every traced function on random arrays, against NumPy's own result, shape and dtype."""

import numpy as np
import pytest

import camber as cb
import camber.numpy as cnp

rng = np.random.default_rng(5)
A = rng.standard_normal((3, 4))
B = rng.standard_normal((3, 4))
P = np.abs(A) + 0.1
U = rng.uniform(-0.9, 0.9, (3, 4))
V = rng.standard_normal(4)
W = rng.standard_normal(3)
S = rng.standard_normal((2, 3, 3)) + 4 * np.eye(3)
SPD = S @ S.transpose(0, 2, 1)
T3 = rng.standard_normal((2, 3, 4))
I = rng.integers(-5, 6, (3, 4))
J = rng.integers(1, 6, (3, 4))
M = A > 0
F32 = A.astype(np.float32)
NANS = np.where(M, A, np.nan)

CASES = {}


def case(name, function, *args):
    CASES[name] = (function, args)


UNARY_ANY = "negative positive absolute fabs sign floor ceil rint trunc square cbrt exp exp2 expm1 sin cos tan arctan sinh cosh tanh arcsinh sinc deg2rad rad2deg degrees radians isnan isfinite isinf isposinf isneginf signbit fix conjugate real iscomplex isreal"
for _n in UNARY_ANY.split():
    case(_n, getattr(np, _n), A)
for _n in "sqrt log log2 log10 log1p reciprocal".split():
    case(_n, getattr(np, _n), P)
for _n in "arcsin arccos arctanh".split():
    case(_n, getattr(np, _n), U)
case("arccosh", np.arccosh, P + 1)
for _n in "add subtract multiply divide true_divide floor_divide remainder mod fmod maximum minimum fmax fmin arctan2 hypot logaddexp logaddexp2 copysign equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor heaviside isclose float_power power".split():
    case(_n, getattr(np, _n), P if "power" in _n else A, B)
    case(_n + " broadcast", getattr(np, _n), P if "power" in _n else A, V)
for _n in "add subtract multiply divide floor_divide remainder fmod maximum minimum equal less copysign".split():
    case(_n + " int", getattr(np, _n), I, J)
    case(_n + " mixed", getattr(np, _n), I, A)
    case(_n + " f32", getattr(np, _n), F32, F32 * 2)
for _n in "add multiply maximum minimum bitwise_and bitwise_or bitwise_xor logical_xor equal less".split():
    case(_n + " bool", getattr(np, _n), M, B > 0)
case("invert", np.invert, M)
case("logical_not", np.logical_not, A)
case("divmod", lambda x, y: np.divmod(x, y)[0] + np.divmod(x, y)[1], A, B)
case("modf", lambda x: np.modf(x)[0], A)
for _k in (-1, 0, 0.5, 1, 2, 3, 2.5):
    case(f"power {_k}", lambda x, k=_k: x**k, P)
    case(f"rpower {_k}", lambda x, k=_k: (k + 2) ** x, P)
for _k in (0, 1, 2, 5):
    case(f"int power {_k}", lambda x, k=_k: x**k, I)
case("clip", lambda x: np.clip(x, -0.5, 0.5), A)
case("clip one side", lambda x: np.clip(x, None, V * 0), A)
case("where", lambda x, y: np.where(x > y, x, y), A, B)
case("where scalar", lambda x: np.where(x > 0, x, 0), A)
case("select", lambda x: np.select([x > 1, x > 0], [x, 2 * x], -1.0), A)
case("nan_to_num", np.nan_to_num, np.array([np.nan, np.inf, -np.inf, 1.0]))
case("round", lambda x: np.round(x, 1), A)
case("heaviside half", lambda x: np.heaviside(x, 0.5), np.array([-1.0, 0.0, 2.0]))
case("real_if scalars", lambda x: 2 - x / 3 + 1 // 1 - (-x) % 2, A)

# ---- Reductions
for _n in "sum prod mean var std max min amax amin any all argmax argmin nansum nanprod nanmax nanmin ptp count_nonzero average".split():
    for _axis in (None, 0, -1) + (((0, 2), (1, -1)) if _n not in ("argmax", "argmin") else ()):
        for _x, _label in ((T3, ""), (rng.integers(0, 3, (2, 3, 4)), " int")):
            case(f"{_n}{_label} axis={_axis}", lambda x, f=getattr(np, _n), a=_axis: f(x, axis=a), _x)
    case(f"{_n} keepdims", lambda x, f=getattr(np, _n): f(x, axis=1, keepdims=True), T3)
case("nanmean", lambda x: np.nanmean(x, axis=0), NANS)
case("sum of bool counts", lambda x: (x > 0).sum(), A)
case("sum f32", lambda x: x.sum(axis=0), F32)
case("sum where", lambda x: np.sum(x, where=x > 0, axis=0), A)
case("mean where", lambda x: np.mean(x, where=M, axis=0), A)
case("sum initial", lambda x: np.sum(x, initial=3.0), A)
case("max initial", lambda x: np.max(x, axis=0, initial=0.5), A)
case("var ddof", lambda x: np.var(x, axis=0, ddof=1), A)
case("std ddof", lambda x: np.std(x, axis=0, ddof=1), A)
case("average weights", lambda x: np.average(x, axis=1, weights=np.arange(1.0, 5.0)), A)
case("cumsum", lambda x: np.cumsum(x, axis=1), A)
case("cumsum flat", np.cumsum, A)
case("cumsum int", lambda x: np.cumsum(x, axis=0), I)
case("cumulative_sum", lambda x: np.cumulative_sum(x, axis=1, include_initial=True), A)
case("nancumsum", np.nancumsum, NANS)
case("add.reduce", lambda x: np.add.reduce(x), A)
case("add.accumulate", lambda x: np.add.accumulate(x, axis=1), A)
case("multiply.outer", lambda x: np.multiply.outer(x, V), W)
case("maximum.reduce", lambda x: np.maximum.reduce(x, axis=1), A)
case("logical_and.reduce", lambda x: np.logical_and.reduce(x > -1, axis=1), A)
case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=1), A)
case("array_equal", lambda x: np.array_equal(x, A), A)
case("allclose", lambda x: np.allclose(x, A + 1e-12), A)

# ---- Shapes
for _n, _f in {
    "reshape": lambda x: np.reshape(x, (4, -1)), "reshape F": lambda x: x.reshape((2, 12), order="F"), "reshape method": lambda x: x.reshape(6, 4),
    "ravel": np.ravel, "flatten": lambda x: x.flatten(), "transpose": np.transpose, "transpose axes": lambda x: x.transpose(1, -1, 0),
    "T": lambda x: x.T, "mT": lambda x: x.mT, "swapaxes": lambda x: np.swapaxes(x, 0, -1), "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "moveaxis two": lambda x: np.moveaxis(x, (0, 1), (-1, 0)), "rollaxis": lambda x: np.rollaxis(x, 2), "rollaxis 1 3": lambda x: np.rollaxis(x, 0, 3),
    "matrix_transpose": np.matrix_transpose, "permute_dims": lambda x: np.permute_dims(x, (2, 0, 1)),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)), "squeeze": lambda x: np.squeeze(x[:1]), "squeeze axis": lambda x: np.squeeze(x[:, :1], axis=1),
    "broadcast_to": lambda x: np.broadcast_to(x, (5, 2, 3, 4)), "broadcast_arrays": lambda x: np.broadcast_arrays(x, x[0, 0])[1],
    "atleast_2d": lambda x: np.atleast_2d(x[0, 0]), "atleast_3d": lambda x: np.atleast_3d(x[0]), "atleast_1d": lambda x: np.atleast_1d(x[0, 0, 0]),
    "flip": np.flip, "flip axis": lambda x: np.flip(x, (0, 2)), "fliplr": np.fliplr, "flipud": np.flipud, "rot90": np.rot90, "rot90 3": lambda x: np.rot90(x, 3),
    "rot90 2": lambda x: np.rot90(x, 2), "roll": lambda x: np.roll(x, 5), "roll axes": lambda x: np.roll(x, (1, -2), (0, 2)), "repeat": lambda x: np.repeat(x, 2, axis=1),
    "repeat flat": lambda x: np.repeat(x, 3), "repeat counts": lambda x: np.repeat(x, [1, 0, 2], axis=1), "tile": lambda x: np.tile(x, (2, 1, 3)), "tile less": lambda x: np.tile(x, 2),
    "tile more": lambda x: np.tile(x, (2, 1, 1, 2)), "pad": lambda x: np.pad(x, 1), "pad widths": lambda x: np.pad(x, ((1, 0), (0, 2), (1, 1))),
    "pad value": lambda x: np.pad(x, ((1, 0), (0, 2), (1, 1)), constant_values=2.5), "pad edge": lambda x: np.pad(x, 2, mode="edge"),
    "pad reflect": lambda x: np.pad(x, 1, mode="reflect"), "pad wrap": lambda x: np.pad(x, 1, mode="wrap"), "pad symmetric": lambda x: np.pad(x, 1, mode="symmetric"),
    "take": lambda x: np.take(x, [2, 0, -1], axis=1), "take flat": lambda x: np.take(x, [[3, 5], [0, 23]]), "take clip": lambda x: np.take(x, [5, -3], axis=0, mode="clip"),
    "take_along_axis": lambda x: np.take_along_axis(x, np.argsort(T3, axis=1), axis=1), "compress": lambda x: np.compress([True, False, True], x, axis=1),
    "delete": lambda x: np.delete(x, 1, axis=1), "diagonal": np.diagonal, "diagonal offset": lambda x: np.diagonal(x, 1, 1, 2), "trace": np.trace,
    "trace offset": lambda x: np.trace(x, -1, 1, 2), "tril": np.tril, "triu": lambda x: np.triu(x, 1), "diff": np.diff, "diff 2": lambda x: np.diff(x, 2, axis=1),
    "diff prepend": lambda x: np.diff(x, prepend=0.0), "ediff1d": lambda x: np.ediff1d(x, to_end=[1.0]), "diag": lambda x: np.diag(x[0, 0]), "diag k": lambda x: np.diag(x[0, 0], -2),
    "diag of matrix": lambda x: np.diag(x[0], 1), "diagflat": lambda x: np.diagflat(x[0]), "astype": lambda x: x.astype(np.float32), "astype int": lambda x: (x * 3).astype(int),
    "astype bool": lambda x: x.astype(bool), "zeros_like": np.zeros_like, "ones_like": lambda x: np.ones_like(x, dtype=int), "full_like": lambda x: np.full_like(x, 7),
    "shape size ndim": lambda x: x * np.size(x) + np.ndim(x) + np.shape(x)[0] + len(x), "unstack": lambda x: np.unstack(x, axis=1)[1], "iter": lambda x: sum(row[0] for row in x),
    "copy": np.copy, "ufunc dtype": lambda x: np.add(x, 1, dtype=np.float32),
}.items():  # fmt: skip
    case(_n, _f, T3)

# ---- Together and apart
for _n, _f in {
    "concatenate": lambda x, y: np.concatenate([x, y]), "concatenate 1": lambda x, y: np.concatenate((x, y[:, :1]), axis=-1), "concatenate flat": lambda x, y: np.concatenate([x, y], axis=None),
    "concat": lambda x, y: np.concat([x, B]), "stack": lambda x, y: np.stack([x, y], axis=1), "stack -1": lambda x, y: np.stack([x, y, A], axis=-1), "vstack": lambda x, y: np.vstack([x, y[0]]),
    "hstack": lambda x, y: np.hstack([x, y]), "hstack 1d": lambda x, y: np.hstack([x[0], y[1]]), "dstack": lambda x, y: np.dstack([x, y]), "column_stack": lambda x, y: np.column_stack([x, y[:, 0]]),
    "append": lambda x, y: np.append(x, y), "append axis": lambda x, y: np.append(x, y, axis=1), "block": lambda x, y: np.block([[x, y], [y, x]]), "split": lambda x, y: np.split(x, 3)[1],
    "array_split": lambda x, y: np.array_split(x, 3, axis=1)[0], "split at": lambda x, y: np.split(x, [1, 3], axis=1)[1], "hsplit": lambda x, y: np.hsplit(x, 2)[1], "vsplit": lambda x, y: np.vsplit(x, 3)[2],
    "meshgrid": lambda x, y: np.meshgrid(x[0], y[:, 0])[1], "meshgrid ij": lambda x, y: np.meshgrid(x[0], y[:, 0], indexing="ij")[0],
}.items():  # fmt: skip
    case(_n, _f, A, B)
case("dsplit", lambda x: np.dsplit(x, 2)[1], T3)

# ---- Products
for _n, _f, _args in [
    ("matmul", np.matmul, (A, B.T)), ("matmul operator", lambda x, y: x @ y, (A, V)), ("matmul row", lambda x, y: x @ y, (W, A)), ("matmul dot", lambda x, y: x @ y, (V, V)),
    ("matmul batch", np.matmul, (T3, rng.standard_normal((4, 2)))), ("matmul batch 2", np.matmul, (T3[:, None], rng.standard_normal((5, 4, 2)))), ("matmul int", np.matmul, (I, J.T)),
    ("matmul const", lambda x: np.eye(3) @ x, (A,)), ("dot", np.dot, (A, V)), ("dot nd", np.dot, (T3, rng.standard_normal((2, 4, 5)))), ("dot scalar", lambda x: np.dot(x, 2.0), (A,)),
    ("vdot", np.vdot, (A, B)), ("inner", np.inner, (A, B)), ("inner nd", np.inner, (T3, V)), ("outer", np.outer, (V, W)), ("tensordot", lambda x, y: np.tensordot(x, y, axes=([0, 1], [1, 0])), (A, B.T)),
    ("tensordot 1", lambda x, y: np.tensordot(x, y, 1), (T3, rng.standard_normal((4, 2)))), ("tensordot 0", lambda x, y: np.tensordot(x, y, 0), (V, W)), ("kron", np.kron, (A, B)), ("kron 1d", np.kron, (V, A)),
    ("cross", np.cross, (T3.transpose(0, 2, 1), T3[0].T)), ("cross axis", lambda x, y: np.cross(x, y, axis=0), (A, B)), ("vecdot", np.vecdot, (A, B)),
    ("einsum", lambda x, y: np.einsum("ij,kj->ik", x, y), (A, B)), ("einsum implicit", lambda x, y: np.einsum("ij,jk", x, y), (A, B.T)), ("einsum trace", lambda x: np.einsum("ii", x), (S[0],)),
    ("einsum diagonal", lambda x: np.einsum("bii->bi", x), (S,)), ("einsum dots", lambda x, y: np.einsum("...ij,jk->...ik", x, y), (T3, V[:, None])), ("einsum sum", lambda x: np.einsum("ijk->j", x), (T3,)),
    ("einsum three", lambda x, y, z: np.einsum("i,ij,j->", x, y, z), (W, A, V)), ("einsum outer", lambda x, y: np.einsum("i,j->ij", x, y), (V, W)), ("einsum transpose", lambda x: np.einsum("ij->ji", x), (A,)),
    ("einsum dots implicit", lambda x, y: np.einsum("...i,...i", x, y), (T3, V)),
    ("solve", np.linalg.solve, (S, T3)), ("solve vector", np.linalg.solve, (S[0], W)), ("solve broadcast", lambda s: np.linalg.solve(s, np.eye(3)), (S,)), ("inv", np.linalg.inv, (S,)), ("cholesky", np.linalg.cholesky, (SPD,)),
    ("cholesky upper", lambda s: np.linalg.cholesky(s, upper=True), (SPD,)), ("det", np.linalg.det, (S,)), ("det 4", np.linalg.det, (rng.standard_normal((4, 4)),)), ("matrix_power", lambda s: np.linalg.matrix_power(s, 3), (S,)),
    ("matrix_power -2", lambda s: np.linalg.matrix_power(s, -2), (S,)), ("matrix_power 0", lambda s: np.linalg.matrix_power(s, 0), (S,)), ("multi_dot", lambda x, y: np.linalg.multi_dot([x, y, x]), (A, B.T)),
    ("slogdet", lambda s: np.linalg.slogdet(s)[1], (S,)),
]:  # fmt: skip
    case(_n, _f, *_args)
for _ord in (None, 1, 2, 3, np.inf, -np.inf, 0):
    case(f"norm vector {_ord}", lambda x, o=_ord: np.linalg.norm(x, o), V)
    case(f"norm axis {_ord}", lambda x, o=_ord: np.linalg.norm(x, o, axis=1), T3)
for _ord in (None, "fro", 1, -1, np.inf):
    case(f"norm matrix {_ord}", lambda x, o=_ord: np.linalg.norm(x, o, axis=(-2, -1), keepdims=True), T3)
case("vector_norm", lambda x: np.linalg.vector_norm(x, axis=1), A)
case("matrix_norm", lambda x: np.linalg.matrix_norm(x), A)
case("linalg.trace", lambda x: np.linalg.trace(x), S)
case("linalg.diagonal", lambda x: np.linalg.diagonal(x), S)

# ---- Curves
case("polyval", lambda p, x: np.polyval(p, x), V, A)
case("vander", np.vander, V)
case("vander increasing", lambda x: np.vander(x, 3, increasing=True), V)
case("interp", lambda x: np.interp(x, [-1.0, 0.0, 2.0], [3.0, -1.0, 5.0]), A * 2)
case("interp sides", lambda x: np.interp(x, [-1.0, 0.0, 2.0], [3.0, -1.0, 5.0], left=-9.0, right=9.0), A * 2)
case("searchsorted", lambda v: np.searchsorted(np.array([-1.0, 0.0, 0.5]), v), A)
case("digitize", lambda v: np.digitize(v, np.array([-1.0, 0.0, 0.5])), A)
for _mode in ("full", "same", "valid"):
    case(f"convolve {_mode}", lambda x, y, m=_mode: np.convolve(x, y, m), np.arange(7.0), W)
    case(f"correlate {_mode}", lambda x, y, m=_mode: np.correlate(x, y, m), np.arange(7.0), W)
case("trapezoid", lambda y: np.trapezoid(y, dx=0.5), A)
case("trapezoid x", lambda y: np.trapezoid(y, x=np.array([0.0, 1.0, 3.0, 4.0])), A)
case("gradient", lambda x: np.gradient(x, 0.5, axis=1), A)
case("cov", np.cov, A)
case("corrcoef", np.corrcoef, A)
case("unwrap", lambda x: np.unwrap(x * 4), V)

# ---- Indexing
for _n, _k in {
    "int": 1, "negative int": -1, "slice": slice(1, 3), "step": (slice(None), slice(None, None, 2)), "negative step": (slice(None, None, -1), slice(2, 0, -1)),
    "ellipsis": (Ellipsis, 0), "none": (None, slice(None), None), "none mid": (slice(1, None), None, Ellipsis), "mixed": (1, Ellipsis, slice(None, -1), None), "empty slice": slice(2, 1),
    "array": np.array([1, 0, 1]), "array axis 1": (slice(None), np.array([2, -1])), "array 2d": (slice(None), np.array([[0, 1], [2, 2]])), "list": [0, 1, 1],
    "two arrays": (np.array([0, 1]), np.array([2, 0])), "two arrays broadcast": (np.array([[0], [1]]), np.array([2, 0, 1])), "separated": (np.array([0, 1]), slice(None), np.array([3, 0])),
    "int and array": (0, np.array([1, 2])), "int sep array": (0, slice(None), np.array([1, 2])), "array and none": (None, np.array([0, 1])), "three": (np.array([0, 1]), np.array([1, 2]), np.array([3, 3])),
    "mask": T3 > 0, "mask axis": (slice(None), np.array([True, False, True])), "mask and slice": (np.array([False, True]), slice(None, None, 2)), "all": Ellipsis, "nothing": (),
    "array none array": (np.array([0, 1]), None, np.array([1, 2])), "array slice none": (slice(None), np.array([0, 2]), None, slice(1, 3)), "far slice": slice(-100, 100), "ints": (1, 2, 3),
}.items():  # fmt: skip
    case(f"index {_n}", lambda x, k=_k: x[k], T3)


@pytest.mark.parametrize("name", CASES)
def test_parity(name):
    function, args = CASES[name]
    with np.errstate(all="ignore"):
        want = np.asarray(function(*args))
    got = cb.function(function)(*args)
    got = np.asarray(got)
    assert got.shape == want.shape
    assert got.dtype == want.dtype, f"{got.dtype} where NumPy gives {want.dtype}"
    tolerance = 2e-6 if want.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", [n for n, (_, args) in CASES.items() if all(a.dtype == np.float64 for a in args)])
def test_f32_stays(name):
    """With f32 arguments the dtype is NumPy's."""
    function, args = CASES[name]
    args = [a.astype(np.float32) for a in args]
    with np.errstate(all="ignore"):
        want = np.asarray(function(*args))
    got = np.asarray(cb.function(function)(*args))
    assert got.shape == want.shape and got.dtype == want.dtype


def test_names():
    """120 functions of NumPy and more, under NumPy's names, and NumPy's own without traced arguments."""
    traced = [name for name in cnp.__all__ if name in cnp._TRACED]
    assert len(traced) >= 200
    assert all(hasattr(np, name) for name in traced)
    assert cnp.sin(0.5) == np.sin(0.5)
    assert cnp.concatenate([[1.0], [2.0]]).tolist() == [1.0, 2.0]
    with pytest.raises(AttributeError, match="cannot be traced"):
        cnp.unique  # noqa: B018


@pytest.mark.parametrize("left", ["bool", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("right", ["bool", "int32", "int64", "float16", "float32", "float64", bool, int, float])
def test_promotion(left, right):
    """The dtype of x + y is NumPy's, with Python scalars weak on either side."""
    x = np.ones(2, left)
    y = right(1) if isinstance(right, type) else np.ones(2, right)
    for f in (lambda a, b: a + b, lambda a, b: b * a, lambda a, b: np.maximum(a, b), lambda a, b: np.where(a == 1, a, b)):
        assert np.asarray(cb.function(f)(x, y)).dtype == f(x, y).dtype
    if not isinstance(right, type):
        assert np.asarray(cb.function(lambda a: a + y)(x)).dtype == (x + y).dtype


def test_small_integers_widen():
    pixels = np.arange(4, dtype=np.uint8)
    assert cb.function(lambda x: x)(pixels).dtype == np.int32
    assert cb.function(lambda x: x * pixels)(np.ones(4, np.float32)).dtype == np.float32
    np.testing.assert_array_equal(cb.function(lambda x: x / 2)(pixels), pixels / 2)


@pytest.mark.parametrize("key", [1, slice(0, 2), (slice(None), 2), np.array([1, 0]), (np.array([0, 1]), np.array([2, 0])), T3[:, :, 0] > 0])
def test_at(key):
    for name, change in {"set": lambda x, k, v: x.__setitem__(k, v), "add": lambda x, k, v: np.add.at(x, k, v), "multiply": lambda x, k, v: x.__setitem__(k, x[k] * v)}.items():
        want = T3.copy()
        change(want, key, 2.5)
        got = cb.function(lambda x, n=name: getattr(x.at[key], n)(2.5))(T3)
        np.testing.assert_allclose(got, want, rtol=1e-15)


def test_at_repeats():
    x = np.zeros(3)
    got = cb.function(lambda x: x.at[np.array([1, 1, 2])].add(np.array([1.0, 2.0, 3.0])))(x)
    assert got.tolist() == [0, 3, 3]
    got = cb.function(lambda x: x.at[np.array([1, 1, 2])].set(np.array([1.0, 2.0, 3.0])))(x)
    assert got.tolist() == [0, 2, 3]


def test_traced_indices():
    f = cb.function(lambda x, i: (x[i], x[:, i], x.at[i].set(0.0), x[i, i]))
    for i in (0, 2, -1):
        got = f(A, i)
        want = A.copy()
        want[i] = 0
        for g, w in zip(got, (A[i], A[:, i], want, A[i, i])):
            np.testing.assert_array_equal(g, w)
    idx = np.array([2, 0, 2])
    np.testing.assert_array_equal(cb.function(lambda x, i: x[i])(A, idx), A[idx])
    np.testing.assert_array_equal(cb.function(lambda x, i: x[i, i + 1])(A, idx), A[idx, idx + 1])


def test_array_of_traced():
    f = cb.function(lambda x, y: cnp.array([[x, 1.0], [y, x * y]]))
    np.testing.assert_array_equal(f(2.0, 3.0), [[2, 1], [3, 6]])
