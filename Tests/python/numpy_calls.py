"""Calls of NumPy's functions, by name: what the table of docs/numpy.md claims is run on these, traced and plain.

Arrays (in lists too) are traced; what `fixed` wraps, numbers, strings and tuples are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(11)
A = rng.standard_normal((3, 4))
B = rng.standard_normal((3, 4))
P = np.abs(A) + 0.1
U = rng.uniform(-0.9, 0.9, (3, 4))
V = rng.standard_normal(4)
W = rng.standard_normal(3)
S = rng.standard_normal((3, 3)) + 4 * np.eye(3)
SPD = S @ S.T
T3 = rng.standard_normal((2, 3, 4))
I = rng.integers(-5, 6, (3, 4))
J = rng.integers(1, 6, (3, 4))
M = A > 0
NAN = np.where(M, A, np.nan)
X = np.sort(rng.uniform(0, 3, 6))


class fixed:
    """An argument that stays as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


CALLS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}


def each(names: str, *args: Any, **kwargs: Any) -> None:
    for name in names.split():
        CALLS.setdefault(name, []).append((args, kwargs))


# ---- Element by element
each("abs absolute fabs negative positive sign floor ceil rint trunc fix square cbrt exp exp2 expm1 sin cos tan arctan atan sinh cosh tanh arcsinh asinh sinc "
     "deg2rad radians rad2deg degrees isnan isfinite isinf isposinf isneginf signbit conj conjugate real imag isreal iscomplex angle nan_to_num around round "
     "real_if_close modf i0", A)
each("abs negative sign square conj around floor ceil trunc rint isreal", I)
each("sqrt log log2 log10 log1p reciprocal", P)
each("arcsin asin arccos acos arctanh atanh", U)
each("arccosh acosh", P + 1)
each("add subtract multiply divide true_divide floor_divide remainder mod fmod divmod maximum minimum fmax fmin arctan2 atan2 hypot logaddexp logaddexp2 copysign "
     "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor heaviside isclose allclose array_equal array_equiv", A, B)
each("add subtract multiply divide floor_divide remainder maximum minimum equal less", I, J)
each("power pow float_power", P, V)
each("bitwise_and bitwise_or bitwise_xor", M, B > 0)
each("bitwise_not bitwise_invert invert logical_not", M)
each("left_shift right_shift bitwise_left_shift bitwise_right_shift", I, 2)
each("ldexp", A, 3)
each("clip", A, -0.5, 0.5)
each("where", M, A, B)
each("select", [M, A > -1], [A, B], 7.0)
each("choose", I % 3, [A, B, P])
each("piecewise", A, [A < 0, A >= 0], fixed([lambda x: -x, lambda x: x * x]))
each("iscomplexobj isrealobj ndim shape size", A)

# ---- Reductions, running results, order
each("sum prod mean var std max min amax amin any all argmax argmin ptp count_nonzero average median cumsum cumprod sort argsort", A)
each("sum prod max min any all argmax argmin cumsum cumprod cumulative_sum cumulative_prod sort argsort median", I, axis=0)
each("sum prod mean var std max min any all ptp median", T3, axis=(0, 2))
each("var std nanvar nanstd", A, axis=1, ddof=1)
each("nansum nanprod nanmean nanmax nanmin nanvar nanstd nanargmax nanargmin nancumsum nancumprod nanmedian", NAN)
each("cumulative_sum cumulative_prod", A, axis=1, include_initial=True)
each("percentile nanpercentile", A, 30.0)
each("quantile nanquantile", T3, fixed([0.1, 0.5, 0.9]), axis=(0, -1), keepdims=True)
each("quantile", NAN, 0.4, axis=0)
each("partition argpartition", fixed(None), 1)
each("lexsort", np.stack([I[0], J[0] % 3]))
each("searchsorted", X, A)
each("searchsorted", X, A, side="right")
each("digitize", A, X)
each("bincount", J.ravel(), minlength=9)
each("bincount", J.ravel(), P.ravel(), minlength=9)
each("isin", I, J)
each("isin", I, J, invert=True)
each("histogram", A, fixed(np.linspace(-2, 2, 6)))
each("histogram", A, 4, range=(-1.0, 1.0), density=True)
each("histogram2d", A.ravel(), B.ravel(), 3, range=((-1.0, 1.0), (-2.0, 2.0)))
each("histogramdd", A.ravel().reshape(6, 2), 3, range=((-1.0, 1.0), (-2.0, 2.0)))
each("average", A, axis=1, weights=np.arange(1.0, 5.0))
each("cov corrcoef", A)
each("ediff1d diff gradient", A)
each("trapezoid", A, dx=0.5)
each("unwrap", A * 9)
each("interp", A, X, rng.standard_normal(6))

# ---- Shapes
each("reshape", A, (2, 6))
each("ravel transpose permute_dims matrix_transpose squeeze atleast_1d atleast_2d atleast_3d flip fliplr flipud rot90 copy astype", A, **{})
CALLS["astype"] = [((A, fixed(np.float32)), {})]
each("swapaxes", T3, 0, 2)
each("moveaxis", T3, 0, -1)
each("rollaxis", T3, 2)
each("expand_dims", A, (0, 2))
each("broadcast_to", A, (2, 3, 4))
each("broadcast_arrays", A, V)
each("roll", A, 2, axis=1)
each("repeat", A, 2, axis=0)
each("tile", A, (2, 1, 2))
each("pad", A, ((1, 0), (2, 1)), constant_values=1.5)
each("resize", A, (5, 3))
each("take", A, fixed([2, 0, -1]), axis=1)
each("take", A, I)
each("take_along_axis", A, np.argsort(B, axis=1), axis=1)
each("compress", fixed([True, False, True]), A, axis=0)
each("extract", fixed(M), A)
each("delete", A, 1, axis=1)
each("insert", A, 1, V, axis=0)
each("insert", A, fixed([1, 3]), W[:, None], axis=1)
each("append", A, B, axis=1)
each("diagonal diag diagflat trace tril triu", A)
each("vander", V, 3)
each("concatenate concat stack vstack row_stack hstack dstack column_stack", [A, B])
each("block", [[A, B], [B, A]])
each("split array_split hsplit", A, 2, **{})
CALLS["split"] = [((A, 2), {"axis": 1})]
each("vsplit", np.vstack([A, B]), 2)
each("dsplit", T3, 2)
each("unstack", T3, axis=1)
each("meshgrid", V, W)
each("zeros_like ones_like empty_like", A)
each("full_like", A, 3.5)
each("tril_indices_from triu_indices_from", A)
each("diag_indices_from", S)
each("ravel_multi_index", [np.abs(I) % 3, J % 4], (3, 4))
each("unravel_index", np.abs(I), (2, 3))
each("linspace logspace", A, B, 4)
each("geomspace", P, P + 1, 4)
each("apply_along_axis", fixed(lambda v: v[::-1] * 2), 0, A)
each("apply_over_axes", fixed(np.sum), T3, (0, 2))

# ---- Products and polynomials
each("dot matmul", A, B.T)
each("inner", A, B)
each("outer kron", V, W)
each("vdot vecdot", A, B)
each("matvec", A, V)
each("vecmat", W, A)
each("tensordot", T3, T3, axes=((0, 1), (0, 1)))
each("einsum", "ij,kj->ik", A, B)
each("cross", A[:, :3], B[:, :3])
each("convolve correlate", V, W)
each("polyval", V, A)
each("polyadd polysub polymul", V, W)
each("polyder polyint poly", V)
each("polyfit", X, rng.standard_normal(6), 2)

LINALG: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}
for _names, _args in [
    ("cholesky", (SPD,)), ("cond det inv pinv slogdet svdvals eigvalsh matrix_rank diagonal trace matrix_norm norm svd qr", (S @ S.T,)),
    ("matrix_transpose vector_norm", (A,)), ("matrix_power", (S, 3)), ("solve", (S, W)), ("lstsq", (np.vstack([S, S + 1]), V[0] * np.arange(6.0))),
    ("cross outer", (W, W[::-1].copy())), ("matmul multi_dot", (S, SPD)), ("tensordot", (S, SPD)), ("vecdot", (A, B)),
    ("tensorinv", (rng.standard_normal((2, 3, 6)),)), ("tensorsolve", (rng.standard_normal((2, 3, 6)), rng.standard_normal((2, 3)))),
]:  # fmt: skip
    for _name in _names.split():
        LINALG[_name] = [(_args, {})]
LINALG["outer"] = [((V, W), {})]
LINALG["multi_dot"] = [(([S, SPD, W],), {})]
LINALG["tensorinv"] = [((rng.standard_normal((2, 3, 6)),), {"ind": 2})]

# scipy.special: positive numbers that nearly every function takes, unless it says otherwise here.
SPECIAL_ARGS = [np.array([0.3, 0.7, 0.9]), np.array([0.6, 0.2, 0.8]), np.array([0.4, 0.5, 0.1]), np.array([0.5, 0.6, 0.7])]
SPECIAL: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "polygamma": [((1, SPECIAL_ARGS[0]), {}), ((2, SPECIAL_ARGS[0]), {})], "softmax": [((A,), {"axis": 1})], "log_softmax": [((A,), {"axis": 1})],
    "logsumexp": [((A,), {"axis": 0})], "multigammaln": [((np.array([3.5, 4.0]), 2), {})], "comb": [((7.0, np.array([2.0, 3.0])), {})],
    "round": [((A,), {})], "softplus": [((A,), {})], "factorial": [((np.array([2.0, 3.0]),), {})], "zeta": [((P + 1.5, 1.0), {})], "zetac": [((P + 1.5,), {})],
    "eval_legendre": [((3, U), {})], "eval_chebyt": [((3, U), {})], "eval_chebyu": [((3, U), {})], "eval_hermite": [((3, U), {})],
    "eval_hermitenorm": [((3, U), {})], "eval_laguerre": [((3, U), {})], "log_ndtr": [((A,), {})], "ndtri": [((SPECIAL_ARGS[0],), {})],
    "sinc": [((A,), {})], "diric": [((A, 3), {})], "perm": [((7.0, np.array([2.0, 3.0])), {})], "poch": [((P, 2.0), {})],
    "spherical_jn": [((2, P), {})], "iv": [((2.0, P), {})], "kn": [((2, P), {})], "jn": [((2, P), {})], "expn": [((2, P), {})], "exp1": [((P,), {})],
}  # fmt: skip
