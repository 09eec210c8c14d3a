"""Every row of camber_ops.h against mpmath: values, edges, derivatives to second order in both modes, batches."""

import math
import warnings

import mpmath as mp
import numpy as np
import pytest
from reference import DISCRETE, FIXED, FLAT, REAL, ROWS, SPECIAL, VALUES, exact, near_slope, operands, slope, special_operands, ulps

import camber as cb

warnings.filterwarnings("ignore")
DTYPES = {"f64": np.float64, "f32": np.float32}
COUNT = {"f64": 400, "f32": 250}
EPS = {"f64": 2.0**-53, "f32": 2.0**-24}
WORST = {}


def test_every_row_has_a_reference():
    missing = {row.name for row in REAL} - set(VALUES)
    assert not missing, f"add a line to reference.VALUES for {missing}"
    assert [row.name for row in ROWS] == list(cb.ops.ROWS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", REAL, ids=repr)
def test_values(row, dtype):
    """Within the ulps that the table promises, over the whole domain."""
    columns = operands(row, COUNT[dtype], DTYPES[dtype], 1)
    got = cb.function(row.function)(*columns)
    worst, where = 0.0, None
    for args, value in zip(zip(*columns), got):
        error = ulps(value, exact(row.name, args), DTYPES[dtype])
        if error > worst:
            worst, where = error, args
    WORST[row.name, dtype] = worst
    # an exact tie rounds by half a unit: 0.5 + what the reference's own rounding may add
    assert worst <= row.ulp + 1e-9, f"{row.name} {dtype}: {worst:.3g} ulp at {where} (promised {row.ulp})"


# ---- Edges -------------------------------------------------------------------------------------------------------------------

EDGES = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 1e-310, 1.0, -1.0, 0.5, -2.0, 3.0, 1.7976931348623157e308]
NUMPY = {
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "round": np.rint, "trunc": np.trunc, "square": np.square,
    "reciprocal": np.reciprocal, "sqrt": np.sqrt, "cbrt": np.cbrt, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2,
    "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "isnan": np.isnan,
    "isfinite": np.isfinite, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power, "maximum": np.maximum,
    "minimum": np.minimum, "fmax": np.fmax, "fmin": np.fmin, "atan2": np.arctan2, "hypot": np.hypot, "eq": np.equal, "ne": np.not_equal,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "fmod": np.fmod, "mod": np.mod, "floor_divide": np.floor_divide,
    "logaddexp": np.logaddexp, "logaddexp2": np.logaddexp2,
}  # fmt: skip


def _pow(x, y):
    """C's pow: NumPy takes the square root where y is 1/2, which differs at -0 and -inf."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        odd = math.isfinite(y) and y % 2 == 1
        return (math.copysign(math.inf, x) if odd else math.inf) if x == 0 and y < 0 else math.nan


NUMPY["pow"] = _pow
INF, NAN = math.inf, math.nan
OTHERS = {
    "sign": [(0.0, 0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (5e-324, 1.0), (-5e-324, -1.0)],
    "sigmoid": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN), (5e-324, 0.5)],
    "softplus": [(INF, INF), (-INF, 0.0), (NAN, NAN), (0.0, math.log(2))],
    "relu": [(0.0, 0.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (5e-324, 5e-324), (-5e-324, 0.0)],
    "gelu": [(0.0, 0.0), (INF, INF), (-INF, 0.0), (NAN, NAN)],
    "silu": [(0.0, 0.0), (INF, INF), (-INF, 0.0), (NAN, NAN)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (5e-324, 5e-324)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (NAN, NAN)],
    "lgamma": [(0.0, INF), (-0.0, INF), (INF, INF), (-INF, INF), (NAN, NAN), (1.0, 0.0), (2.0, 0.0), (-2.0, INF)],
    "digamma": [(INF, INF), (NAN, NAN), (0.0, -INF), (-0.0, INF)],
    "sech_squared": [(0.0, 1.0), (INF, 0.0), (-INF, 0.0), (NAN, NAN)],
    "logistic_density": [(0.0, 0.25), (INF, 0.0), (-INF, 0.0), (NAN, NAN)],
    "rsqrt": [(0.0, INF), (INF, 0.0), (NAN, NAN), (4.0, 0.5), (-1.0, NAN)],
    "log_sigmoid": [(INF, 0.0), (-INF, -INF), (NAN, NAN), (-1e308, -1e308)],
    "logit": [(0.0, -INF), (1.0, INF), (0.5, 0.0), (-0.1, NAN), (1.1, NAN), (NAN, NAN)],
    "log1mexp": [(-INF, 0.0), (0.0, -INF), (1.0, NAN), (NAN, NAN)],
    "erfcx": [(0.0, 1.0), (INF, 0.0), (-INF, INF), (NAN, NAN), (-30.0, INF), (1e308, 1 / (1e308 * math.sqrt(math.pi)))],
    "erfinv": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (NAN, NAN)],
    "erfcinv": [(0.0, INF), (1.0, 0.0), (2.0, -INF), (-1.0, NAN), (3.0, NAN), (NAN, NAN)],
    "normal_cdf": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN), (-1e308, 0.0), (1e308, 1.0)],
    "log_normal_cdf": [(0.0, -math.log(2)), (INF, 0.0), (-INF, -INF), (NAN, NAN), (-1e308, -INF)],
    "normal_quantile": [(0.0, -INF), (0.5, 0.0), (1.0, INF), (-1.0, NAN), (NAN, NAN)],
    "gamma": [(0.0, INF), (-0.0, -INF), (-1.0, NAN), (-1.5, 2.3632718012073544), (INF, INF), (-INF, NAN), (NAN, NAN), (5.0, 24.0), (1e308, INF)],
    "i0": [(0.0, 1.0), (INF, INF), (-INF, INF), (NAN, NAN)], "i1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    "i0e": [(0.0, 1.0), (INF, 0.0), (-INF, 0.0), (NAN, NAN)], "i1e": [(0.0, 0.0), (INF, 0.0), (-INF, -0.0), (NAN, NAN)],
    "sinc": [(0.0, 1.0), (-0.0, 1.0), (3.0, 0.0), (INF, 0.0), (NAN, NAN), (5e-324, 1.0)],
    "stop_gradient": [(NAN, NAN), (INF, INF), (-0.0, -0.0)],
}
TIES = ("maximum", "minimum", "fmax", "fmin", "sign", "relu", "gelu", "silu", "log_sigmoid", "log1mexp", "sinc", "erfcinv", "log_normal_cdf")  # the sign of a zero is open


def _same(got, want, signed, slack):
    if np.isnan(want):
        return np.isnan(got)
    if want == 0 or np.isinf(want):
        return got == want and (not signed or np.signbit(got) == np.signbit(want))
    return abs(float(got) - float(want)) <= slack * abs(float(want)) + 5e-324


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in NUMPY or row.name in OTHERS], ids=repr)
def test_edges(row):
    """Zeros, infinities, NaN and subnormals as C99 says."""
    wrong = []
    with np.errstate(all="ignore"):
        if row.name in OTHERS:
            cases = [((x,), want) for x, want in OTHERS[row.name]]
        elif row.arity == 1:
            cases = [((x,), NUMPY[row.name](np.float64(x))) for x in EDGES]
        else:
            cases = [((x, y), NUMPY[row.name](np.float64(x), np.float64(y))) for x in EDGES for y in EDGES]
    columns = [np.array([args[i] for args, _ in cases]) for i in range(row.arity)]
    got = cb.function(row.function)(*columns)
    for (args, want), value in zip(cases, got):
        if not _same(value, want, row.name not in TIES, 1e-15):
            wrong.append(f"{row.name}{args} = {value}, not {want}")
    assert not wrong, "; ".join(wrong[:12])


def test_discrete_rows():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    for name, f in {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}.items():
        assert (getattr(cb.ops, name)(a, b) == f(a, b)).all()
    assert (cb.ops.logical_not(a) == ~a).all()
    k = cb.ops.fold_key(np.int64(3), np.arange(1000))
    assert k.dtype == np.int64 and len(set(k.tolist())) == 1000
    assert (k == cb.ops.fold_key(np.int64(3), np.arange(1000))).all()


SPECIAL_EDGES = {
    "xlogy": [((0.0, 0.0), 0.0), ((0.0, -1.0), 0.0), ((0.0, NAN), NAN), ((1.0, 0.0), -INF), ((NAN, 1.0), NAN), ((0.0, INF), 0.0)],
    "xlog1py": [((0.0, -1.0), 0.0), ((0.0, NAN), NAN), ((2.0, -1.0), -INF), ((0.0, INF), 0.0)],
    "beta": [((1.0, 1.0), 1.0), ((2.0, 3.0), 1 / 12), ((-0.5, 2.0), -4.0), ((NAN, 1.0), NAN), ((1e300, 1e300), 0.0), ((0.0, 1.0), INF)],
    "betaln": [((1.0, 1.0), 0.0), ((-0.5, 2.0), math.log(4)), ((1.0, INF), -INF), ((0.0, 1.0), INF)],
    "gammainc": [((1.0, 0.0), 0.0), ((1.0, INF), 1.0), ((0.0, 1.0), 1.0), ((0.0, 0.0), NAN), ((INF, 1.0), 0.0), ((-1.0, 1.0), NAN), ((1e300, 1e299), 0.0), ((1e10, 1e10), 0.5000013298076014)],
    "gammaincc": [((1.0, 0.0), 1.0), ((1.0, INF), 0.0), ((0.0, 1.0), 0.0), ((INF, INF), NAN), ((1e300, 1e301), 0.0), ((1e10, 1e10), 0.4999986701923986)],
    "gamma_density": [((1.0, 0.0), 1.0), ((0.5, 0.0), INF), ((2.0, 0.0), 0.0), ((2.0, INF), 0.0), ((-1.0, 1.0), NAN)],
    "zeta": [((2.0, 1.0), math.pi**2 / 6), ((1.0, 1.0), INF), ((0.5, 1.0), NAN), ((2.0, -1.0), NAN), ((INF, 1.0), 1.0)],
    "iv": [((0.0, 0.0), 1.0), ((3.0, 0.0), 0.0), ((1.5, 1.0), NAN), ((-1.0, 1.0), NAN), ((1.0, -1.0), -0.5651591039924851), ((2.0, -INF), INF)],
    "i0e_slope": [((0.0, 0.0), 1.0), ((1.0, 0.0), 1.0), ((61.0, 0.0), NAN), ((1.0, INF), 0.0)],
    "spherical_jn": [((0.0, 0.0), 1.0), ((2.0, 0.0), 0.0), ((0.0, INF), 0.0), ((0.5, 1.0), NAN)],
    "ierfcx": [((0.0, 0.0), 1.0), ((1.0, 0.0), 1 / math.sqrt(math.pi)), ((1.0, INF), 0.0), ((1.0, -INF), INF), ((1.5, 0.0), NAN)],
    "fma": [((1e200, 1e200, -INF), -INF), ((3.0, 4.0, 5.0), 17.0), ((1 + 2.0**-30, 1 + 2.0**-30, -1 - 2.0**-29), 2.0**-60)],
    "betainc": [((2.0, 3.0, 0.0), 0.0), ((2.0, 3.0, 1.0), 1.0), ((2.0, 3.0, 0.5), 0.6875), ((-1.0, 3.0, 0.5), NAN), ((2.0, 3.0, 1.5), NAN), ((1e6, 1e6, 0.5), 0.5)],
    "beta_density": [((1.0, 3.0, 0.0), 3.0), ((2.0, 3.0, 0.0), 0.0), ((2.0, 3.0, 0.5), 1.5), ((0.5, 0.5, 1.0), INF), ((2.0, 2.0, -0.5), NAN)],
    "polygamma_drop": [((0.0, 1.0, 1.0), -1.0), ((1.0, 1.0, 1.0), 1.0), ((0.5, 1.0, 1.0), NAN), ((0.0, 2.0, 0.0), 0.0)],
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL_EDGES)
def test_special_edges(name):
    for args, want in SPECIAL_EDGES[name]:
        got = float(getattr(cb.ops, name)(*args))
        assert (math.isnan(want) and math.isnan(got)) or got == want or abs(got - want) <= 4e-16 * abs(want), (args, got, want)


def test_integers():
    x = np.array([-7, 0, 5, 2**40])
    for name, f in {"neg": np.negative, "abs": np.abs, "sign": np.sign, "square": np.square, "relu": lambda v: np.maximum(v, 0)}.items():
        got = getattr(cb.ops, name)(x)
        assert got.dtype == np.int64 and (got == f(x)).all()
    for name, f in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum, "lt": np.less, "eq": np.equal, "fmod": np.fmod, "mod": np.mod, "floor_divide": np.floor_divide}.items():
        for cut in (np.int64, np.int32):
            a, b = (np.array([-7, 0, 5, 9, 7, -7, -7, 7, np.iinfo(cut).min, 5, 0], cut), np.array([3, -2, 5, 9, -3, -3, 7, -1, -1, 0, 0], cut))
            got = getattr(cb.ops, name)(a, b)
            assert got.dtype == f(a, b).dtype and (got == f(a, b)).all()
    assert (cb.ops.clamp(x, -1, 6) == np.clip(x, -1, 6)).all()


# ---- Derivatives -------------------------------------------------------------------------------------------------------------

SMOOTH = [row for row in REAL if row.kind in ("FLOAT", "NUMBER") and row.name not in ("clamp", "polygamma", *SPECIAL)]
REACH = {"f64": 12, "f32": 6}


def _points(row, dtype, count=60):
    columns = operands(row, count, DTYPES[dtype], 7, reach=REACH[dtype], interior=True)
    columns = [np.concatenate([c, np.array([20.0 + slot], DTYPES[dtype])]) if low < 20 < high else c for slot, (c, (low, high)) in enumerate(zip(columns, row.domain))]
    size = min(len(c) for c in columns)
    return [c[:size] for c in columns]


def _orders(arity, order):
    """Those of one operand, one after the other, first come those of the first."""
    return [tuple(order * (i == k) for k in range(arity)) for i in range(arity)]


def _check(row, dtype, columns, order, got, label, slope=slope):
    """|got - d| <= 16 u (|d| + sum |x d'|): d one of the partials of this order."""
    kind, u = DTYPES[dtype], EPS[dtype]
    tiny, wrong = float(np.finfo(kind).tiny) * 4, []
    top = float(np.finfo(kind).max)
    for args, value in zip(zip(*columns), got):
        want = slope(row.name, args, order)
        move = mp.fsum(abs(mp.mpf(float(x)) * slope(row.name, args, tuple(o + (i == k) for k, o in enumerate(order)))) for i, x in enumerate(args))
        bound = 16 * u * (abs(want) + move)
        if abs(want) + bound > top / 4:
            continue
        error = abs(mp.mpf(float(value)) - want) if math.isfinite(float(value)) else mp.inf
        if not error <= bound + tiny:
            wrong.append((float(error / (bound + tiny)), tuple(map(float, args)), float(value), float(want)))
    wrong.sort(reverse=True)
    assert not wrong, f"{row.name} {dtype} {label} {order}: {len(wrong)} of {len(got)} outside, (x bound, at, got, want): {wrong[:4]}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", SMOOTH, ids=repr)
def test_first_derivatives(row, dtype):
    columns = _points(row, dtype)
    ones = np.ones_like(columns[0])
    _, pullback = cb.vjp(row.function, *columns)
    back = pullback(ones)
    for i, order in enumerate(_orders(row.arity, 1)):
        along = tuple(ones if i == k else ones * 0 for k in range(row.arity))
        forth = cb.jvp(row.function, tuple(columns), along)[1]
        _check(row, dtype, columns, order, forth, "forward")
        _check(row, dtype, columns, order, back[i], "reverse")
        assert forth.dtype == back[i].dtype == DTYPES[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", SMOOTH, ids=repr)
def test_second_derivatives(row, dtype):
    columns = _points(row, dtype, 36)
    ones = np.ones_like(columns[0])

    def total(xs):
        return np.sum(row.function(*xs))

    slopes = cb.grad(total)
    for i in range(row.arity):
        along = [ones if i == k else ones * 0 for k in range(row.arity)]
        forward = cb.hvp(total, list(columns), along)
        reverse = cb.grad(lambda xs, j=i: np.sum(slopes(xs)[j]))(list(columns))
        for j in range(row.arity):
            order = tuple((i == k) + (j == k) for k in range(row.arity))
            _check(row, dtype, columns, order, forward[j], "forward over reverse")
            _check(row, dtype, columns, order, reverse[j], "reverse over reverse")


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in SPECIAL], ids=repr)
def test_special_derivatives(row):
    """First and second derivatives of the functions with dear references, both modes, in every operand that has one."""
    columns = special_operands(row.name, 10, np.float64, 21)
    keep = np.all([np.abs(c) < 1e12 for c in columns], axis=0) & np.all([np.abs(c) > 1e-12 for c in columns], axis=0) | (columns[0] == 0)
    columns = [c[keep] for c in columns]
    live = [i for i in range(row.arity) if i not in FIXED.get(row.name, ())]
    ones = np.ones_like(columns[0])

    def total(*xs):
        return np.sum(row.function(*xs))

    def at(*slots):
        return tuple(sum(s == k for s in slots) for k in range(row.arity))

    def check(got, slots, label):
        """As _check, but of the operands that have derivatives: whole orders are exact."""
        u = EPS["f64"]
        for args, value in zip(zip(*columns), got):
            want = near_slope(row.name, args, at(*slots))
            move = mp.fsum(abs(mp.mpf(float(args[k])) * near_slope(row.name, args, at(*slots, k))) for k in live)
            if abs(want) < 1e300:
                assert abs(mp.mpf(float(value)) - want) <= 16 * u * (abs(want) + move) + 1e-307, (label, slots, args, value, float(want), float(move))

    slopes = cb.grad(total, argnums=tuple(live))(*columns)
    for i, back in zip(live, slopes):
        forth = cb.jvp(lambda x, i=i: row.function(*columns[:i], x, *columns[i + 1 :]), (columns[i],), (ones,))[1]
        check(back, [i], "reverse")
        check(forth, [i], "forward")
        try:
            twice = cb.grad(lambda *xs, i=i: np.sum(cb.grad(total, argnums=i)(*xs)), argnums=tuple(live))(*columns)
        except cb.Error as e:
            assert "has no derivative in operand" in str(e) and row.name in ("gammainc", "gammaincc", "betainc", "beta"), e
            continue
        for j, second in zip(live, twice):
            check(second, [i, j], "reverse over reverse")


def test_no_derivative_says_so():
    for name, slots in FIXED.items():
        row = next(r for r in ROWS if r.name == name)
        for slot in slots:
            args = [1.0, 1.0, 0.5][: row.arity]
            with pytest.raises(cb.Error, match=f"{name}: has no derivative in operand {slot}"):
                cb.grad(row.function, argnums=slot)(*args)


@pytest.mark.parametrize("n", range(5))
def test_polygamma_derivatives(n):
    x = np.concatenate([10.0 ** np.random.default_rng(3).uniform(-4, 4, 40), [1.0, 20.0]])
    f = lambda x: cb.special.polygamma(n, x)  # noqa: E731
    for order, got in ((1, cb.jvp(f, (x,), (np.ones_like(x),))[1]), (1, cb.grad(lambda x: np.sum(f(x)))(x)), (2, cb.hvp(lambda x: np.sum(f(x)), x, np.ones_like(x)))):
        for at, value in zip(x, got):
            want, more = mp.psi(n + order, mp.mpf(at)), mp.psi(n + order + 1, mp.mpf(at))
            assert abs(value - want) <= 16 * EPS["f64"] * (abs(want) + abs(at * more)), (at, value, want)


def test_select_gate_clamp_derivatives():
    rng = np.random.default_rng(2)
    m, a, b = rng.random(20) < 0.5, rng.standard_normal(20), rng.standard_normal(20)
    one = np.ones(20)
    ga, gb = cb.vjp(lambda a, b: cb.ops.select(m, a, b), a, b)[1](one)
    assert (ga == m).all() and (gb == ~m).all()
    ga, gb = cb.vjp(lambda a, b: cb.ops.gate(m, a, b), a, b)[1](one)
    assert (ga == np.where(m, b, 0)).all() and (gb == np.where(m, a, 0)).all()
    x = np.array([-2.0, 0.3, 2.0])
    assert cb.grad(lambda x: np.sum(cb.ops.clamp(x, -1.0, 1.0)))(x).tolist() == [0, 1, 0]
    assert cb.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.array([-1.0, 0.0, 4.0])).tolist() == [0, 0, 0.25]


# ---- Agreement ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", REAL, ids=repr)
def test_batched_equals_a_loop(row):
    """vmap, a vector program and single calls give the same bits, derivatives included."""
    columns = [c[:24] for c in operands(row, 24, np.float64, 3, reach=8)]
    one = cb.function(row.function)
    whole = one(*columns)
    mapped = cb.vmap(row.function)(*columns)
    single = np.array([one(*args) for args in zip(*columns)])
    assert whole.tobytes() == mapped.tobytes() == single.tobytes()
    if row.kind in ("FLOAT", "NUMBER"):
        slope_ = cb.grad(row.function, argnums=row.arity - 1)
        batched = cb.vmap(slope_)(*columns)
        loop = np.array([slope_(*args) for args in zip(*columns)])
        assert batched.tobytes() == loop.tobytes()


def test_f32_agrees_with_f64():
    """jvp and vjp in f32 are those in f64 at the same points, to f32's digits."""
    for row in SMOOTH:
        if row.name in FLAT | DISCRETE:
            continue
        columns = [c[:40] for c in operands(row, 40, np.float32, 11, reach=3, interior=True)]
        ones = np.ones_like(columns[0])
        narrow = cb.jvp(row.function, tuple(columns), tuple(ones for _ in columns))[1]
        wide = cb.jvp(row.function, tuple(c.astype(np.float64) for c in columns), tuple(ones.astype(np.float64) for _ in columns))[1]
        both = np.isfinite(wide) & (np.abs(wide) < 1e30) & (np.abs(wide) > 1e-30)
        scale = np.abs(wide) + sum(np.abs(c) for c in columns)
        assert (np.abs(narrow[both] - wide[both]) <= 1e-4 * (scale + np.abs(wide) ** 2)[both]).all(), row.name
        back = cb.vjp(row.function, *columns)[1](ones)
        total = sum(b.astype(np.float64) for b in back)
        size = sum(np.abs(b.astype(np.float64)) for b in back)
        assert (np.abs(total[both] - narrow[both]) <= 8 * EPS["f32"] * size[both] + 1e-37).all(), row.name


def test_report():
    """The worst of each row, for the log (pytest -s)."""
    for (name, dtype), worst in sorted(WORST.items(), key=lambda item: -item[1])[:20]:
        print(f"{name:18} {dtype}  {worst:.3f} ulp")
