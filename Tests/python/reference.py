"""High-precision references of the operator rows: one line a row, in mpmath; and the points to try them at."""

import ctypes
import math
from fractions import Fraction

import mpmath as mp
import numpy as np

import camber as cb

DIGITS = 60


def _phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2 if x > -1e5 else mp.mpf(0)


def _softplus(x):
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def _rint(x):
    return mp.mpf(int(mp.nint(x)))


def _lgamma(x):
    if x > 0:
        return mp.loggamma(x)
    return mp.log(abs(mp.pi / mp.sinpi(x))) - mp.loggamma(1 - x)


def _digamma(x):
    return mp.digamma(x) if x > 0 else mp.digamma(1 - x) - mp.pi / mp.tan(mp.pi * x)


def _cbrt(x):
    return mp.sign(x) * mp.cbrt(abs(x))


def _hypot(x, y):
    return mp.sqrt(x * x + y * y)


def _log1mexp(x):
    return mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x))


def _logaddexp(x, y):
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


def _ratio(x):
    """An mpf as the fraction that it is."""
    sign, man, exp, _ = x._mpf_
    whole = Fraction(-int(man) if sign else int(man))
    return whole * 2**exp if exp >= 0 else whole / 2**-exp


def _quotient(x, y, down):
    q = _ratio(x) / _ratio(y)
    return math.floor(q) if down or q > 0 else math.ceil(q)


def _remainder(x, y, down):
    r = _ratio(x) - _quotient(x, y, down) * _ratio(y)
    return mp.mpf(r.numerator) / r.denominator


def _asymptotic(x, terms):
    """1 + the terms, each the one before times terms(k), as far as they fall."""
    total = t = mp.mpf(1)
    for k in range(1, 200):
        new = t * terms(k)
        if abs(new) >= abs(t) or new == 0:
            break
        total += new
        t = new
    return total


def _erfcx(x):
    if x < 300:
        return mp.exp(x * x) * mp.erfc(x) if x > -1e5 else mp.inf
    return _asymptotic(x, lambda k: -(2 * k - 1) / (2 * x * x)) / (x * mp.sqrt(mp.pi))


def _log_phi(x):
    if x > -1:
        return mp.log1p(-_phi(-x))
    return mp.log(_erfcx(-x / mp.sqrt(2)) / 2) - x * x / 2


def _erfcinv(q):
    if q > 1:
        return -_erfcinv(2 - q)
    if q > 0.5:
        return mp.erfinv(1 - q)
    t = mp.sqrt(-2 * mp.log(q / 2))
    y = (t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))) / mp.sqrt(2)
    for _ in range(8):
        e = _erfcx(y)
        y += (mp.log(e) - y * y - mp.log(q)) * e * mp.sqrt(mp.pi) / 2
    return y


def _scaled_i(n, x):
    a = abs(x)
    if a < 2000:
        value = mp.besseli(n, a) * mp.exp(-a)
    else:
        value = _asymptotic(a, lambda k: -(4 * n * n - (2 * k - 1) ** 2) / (8 * a * k)) / mp.sqrt(2 * mp.pi * a)
    return -value if x < 0 and int(n) % 2 else value


def _i(n, x):
    return _scaled_i(n, x) * mp.exp(abs(x)) if abs(x) < 1e5 else mp.sign(x) ** int(n) * mp.inf


def _i0e_slope(n, x):
    c, a = mp.rf(mp.mpf(1) / 2, n) * 2**n / mp.factorial(n), abs(x)
    if a > 500:
        return c * mp.factorial(n) / mp.sqrt(mp.pi) * (2 * a) ** (-n - mp.mpf(1) / 2) * _asymptotic(a, lambda k: (n + k - mp.mpf(1) / 2) * (k - mp.mpf(1) / 2) / (k * 2 * a))
    return c * mp.exp(-2 * a) * mp.hyp1f1(mp.mpf(1) / 2, n + 1, 2 * a)


def _spherical_jn(n, x):
    if x == 0:
        return mp.mpf(n == 0)
    value = mp.sqrt(mp.pi / (2 * abs(x))) * mp.besselj(n + mp.mpf(1) / 2, abs(x))
    return -value if x < 0 and int(n) % 2 else value


def _ierfcx(n, x):
    return mp.exp(x * x / 2) / mp.sqrt(mp.mpf(2) ** (n - 1) * mp.pi) * mp.pcfd(-n - 1, x * mp.sqrt(2))


def _more(f):
    """Where digits cancel: in three times as many."""

    def call(*args):
        with mp.workdps(3 * mp.mp.dps):
            value = f(*args)
        return +value

    return call


def _gamma_density(a, x):
    return mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))


def _beta_density(a, b, x):
    return mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b))


def _betaln(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


VALUES = {
    "rsqrt": lambda x: 1 / mp.sqrt(x) if x else mp.inf, "log_sigmoid": lambda x: -_softplus(-x), "logit": lambda x: mp.log(x / (1 - x)) if x < 1 else mp.inf, "log1mexp": _log1mexp,
    "erfcx": _erfcx, "erfinv": lambda x: mp.erfinv(x) if abs(x) < 0.5 else mp.sign(x) * _erfcinv(1 - abs(x)), "erfcinv": _erfcinv, "normal_cdf": _phi, "log_normal_cdf": _log_phi,
    "normal_quantile": lambda p: -mp.sqrt(2) * _erfcinv(2 * p), "gamma": lambda x: mp.gamma(x) if x < 200 else mp.inf,
    "i0": lambda x: _i(0, x), "i1": lambda x: _i(1, x), "i0e": lambda x: _scaled_i(0, x), "i1e": lambda x: _scaled_i(1, x), "sinc": mp.sincpi,
    "fmod": lambda x, y: _remainder(x, y, False), "mod": lambda x, y: _remainder(x, y, True), "floor_divide": lambda x, y: mp.mpf(_quotient(x, y, True)),
    "logaddexp": _logaddexp, "logaddexp2": lambda x, y: _logaddexp(x * mp.log(2), y * mp.log(2)) / mp.log(2),
    "xlogy": lambda x, y: x * mp.log(y) if x else mp.mpf(0), "xlog1py": lambda x, y: x * mp.log1p(y) if x else mp.mpf(0),
    "beta": _more(lambda a, b: mp.exp(_betaln(a, b))), "betaln": _more(_betaln), "gammainc": lambda a, x: mp.gammainc(a, 0, x, regularized=True),
    "gammaincc": lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), "gamma_density": _gamma_density, "zeta": mp.zeta,
    "iv": _i, "i0e_slope": _i0e_slope, "spherical_jn": _spherical_jn, "ierfcx": _ierfcx, "fma": lambda x, y, z: x * y + z,
    "betainc": lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), "beta_density": _beta_density,
    "polygamma_drop": _more(lambda n, a, b: mp.psi(int(n), a) - mp.psi(int(n), a + b)),
    "neg": lambda x: -x, "abs": abs, "sign": mp.sign, "floor": mp.floor, "ceil": mp.ceil, "round": _rint,
    "trunc": lambda x: mp.floor(x) if x > 0 else mp.ceil(x), "square": lambda x: x * x, "reciprocal": lambda x: 1 / x, "sqrt": mp.sqrt,
    "cbrt": _cbrt, "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "log": mp.log, "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10), "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "asin": mp.asin, "acos": mp.acos,
    "atan": mp.atan, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "asinh": mp.asinh, "acosh": mp.acosh, "atanh": mp.atanh,
    "sigmoid": _sigmoid, "softplus": _softplus, "relu": lambda x: max(x, mp.mpf(0)), "gelu": lambda x: x * _phi(x), "silu": lambda x: x * _sigmoid(x),
    "erf": mp.erf, "erfc": lambda x: mp.erfc(x) if x < 1e5 else mp.mpf(0), "lgamma": _lgamma, "digamma": _digamma, "stop_gradient": lambda x: x,
    "sech_squared": lambda x: mp.sech(x) ** 2, "logistic_density": lambda x: _sigmoid(x) * _sigmoid(-x),
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y, "pow": lambda x, y: x**y,
    "maximum": max, "minimum": min, "fmax": max, "fmin": min, "atan2": mp.atan2, "hypot": _hypot, "polygamma": lambda n, x: mp.psi(int(n), x),
    "select": lambda m, x, y: x if m else y, "gate": lambda m, x, y: x * y if m else mp.mpf(0), "clamp": lambda x, a, b: min(max(x, a), b),
}  # fmt: skip

# Rows without a real value: their own tests.
DISCRETE = {"isnan", "isfinite", "logical_not", "fold_key", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"}
# Constant pieces: derivative zero. Where mpmath's difference quotient would step over an edge.
FLAT = {"sign", "floor", "ceil", "round", "trunc", "stop_gradient", "floor_divide"}


class Row:
    """A row as the library tells it."""

    def __init__(self, i):
        lib = cb.lib
        self.name = lib.op_name(i).decode()
        self.arity = lib.op_arity(i)
        self.kind = lib.op_class(i).decode()
        self.ulp = lib.op_ulp(i)
        self.domain = []
        for slot in range(self.arity):
            low, high = ctypes.c_double(), ctypes.c_double()
            assert lib.op_domain(i, slot, ctypes.byref(low), ctypes.byref(high)) == 0
            self.domain.append((low.value, high.value))
        self.function = getattr(cb.ops, self.name)

    def __repr__(self):
        return self.name


ROWS = [Row(i) for i in range(cb.lib.op_count())]
REAL = [row for row in ROWS if row.name not in DISCRETE]


def points(low, high, count, dtype, seed, reach=None, interior=False, poles=False):
    """Numbers of a domain: every size from the smallest to the largest, the middle, both ends."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    top = math.log10(float(info.max)) if reach is None else reach
    sizes = 10.0 ** rng.uniform(-top, top, count // 3) * rng.choice([-1, 1], count // 3)
    middle = rng.uniform(-30, 30, count // 3)
    unit = rng.uniform(-2, 2, count // 3)
    found = np.concatenate([sizes, middle, unit])
    if math.isfinite(low) and math.isfinite(high):
        ends = np.concatenate([low + (high - low) * rng.uniform(0, 1, count // 2), low + (high - low) * 10.0 ** rng.uniform(-top / 4, 0, count // 4)])
        found = np.concatenate([found, ends, high - (high - low) * 10.0 ** rng.uniform(-min(top / 4, 12), 0, count // 4)])
    elif math.isfinite(low):
        found = np.concatenate([found, low + 10.0 ** rng.uniform(-top / 2, top / 2, count // 2), low + rng.uniform(0, 3, count // 4)])
    found = found.astype(dtype)
    if not interior:
        edges = [v for v in (low, high) if math.isfinite(v)]
        found = np.concatenate([found, np.array(edges, dtype)])
    found = found[(found > 0) | (found != np.rint(found))] if poles else found
    keep = (found > low) & (found < high) if interior else (found >= low) & (found <= high)
    found = np.unique(found[keep & np.isfinite(found) & (found != 0 if interior else True)])
    return rng.permutation(found)[: max(count, 8)]


def _order(top):
    return lambda g, n: g.integers(0, top, n).astype(float)


def _log(low, high, signed=False):
    """Numbers of all sizes between powers of ten."""
    return lambda g, n: 10.0 ** g.uniform(low, high, n) * (g.choice([-1, 1], n) if signed else 1)


def _flat(low, high):
    return lambda g, n: g.uniform(low, high, n)


def _each(*samplers):
    """From each sampler in turn."""
    return lambda g, n: np.stack([s(g, n) for s in samplers])[np.arange(n) % len(samplers), np.arange(n)]


_TAILS = _each(_flat(-1, 1), _log(-12, 1.4, True), _flat(-36, 36))
_SIZE = _each(_log(-3, 4), _flat(0.05, 30))
# The operands of functions whose references are dear, or not to be had everywhere: a sampler a slot; a float is a multiple of the slot before.
SPECIAL = {
    "erfcx": [_each(_flat(-26, 30), _log(-12, 12))], "erfinv": [_each(_flat(-1, 1), _log(-300, 0, True))],
    "erfcinv": [_each(_flat(0, 2), _log(-300, 0))], "normal_quantile": [_each(_flat(0, 1), _log(-300, 0))], "normal_cdf": [_TAILS],
    "log_normal_cdf": [_each(_TAILS, _log(0, 30, True))], "gamma": [_each(_flat(0.01, 30), _log(-300, 2.23))],
    "i0": [_each(_flat(-30, 30), _log(-12, 2.8, True))], "i1": [_each(_flat(-30, 30), _log(-12, 2.8, True))],
    "i0e": [_each(_flat(-40, 40), _log(-12, 12, True))], "i1e": [_each(_flat(-40, 40), _log(-12, 12, True))],
    "sinc": [_each(_flat(-8, 8), _log(-12, 12, True))], "beta": [_SIZE, _SIZE], "betaln": [_each(_SIZE, _log(-200, 12)), _each(_SIZE, _log(-12, 15))],
    "gammainc": [_each(_log(-3, 3), _flat(0.05, 30)), _each(_log(-3, 1), _flat(0.3, 3), _flat(0.97, 1.03))],
    "gammaincc": [_each(_log(-3, 3), _flat(0.05, 30)), _each(_log(-3, 1), _flat(0.3, 3), _flat(0.97, 1.03))],
    "gamma_density": [_each(_log(-3, 5), _flat(0.05, 30)), _each(_log(-3, 1), _flat(0.3, 3), _flat(0.999, 1.001))],
    "zeta": [_each(_flat(1.01, 5), _log(0.1, 1.6)), _each(_log(-3, 6), _flat(0.1, 3))],
    "iv": [_order(12), _each(_flat(-30, 30), _log(-2, 2.5, True))], "i0e_slope": [_order(12), _each(_flat(-40, 40), _log(-12, 6, True))],
    "spherical_jn": [_order(12), _each(_flat(-30, 30), _log(-2, 5, True))], "ierfcx": [_order(12), _each(_flat(-20, 4), _log(-3, 2))],
    "betainc": [_each(_flat(0.2, 30), _log(-2, 2)), _each(_flat(0.2, 30), _log(-2, 2)), _flat(0.001, 0.999)],
    "beta_density": [_each(_log(-2, 5), _flat(0.2, 30)), _each(_log(-2, 5), _flat(0.2, 30)), _flat(0.001, 0.999)],
    "polygamma_drop": [_order(5), _each(_log(-3, 6), _flat(0.1, 30)), _each(_log(-9, 6), _flat(0.1, 30))],
}  # fmt: skip
RELATIVE = {"gammainc": 1, "gammaincc": 1, "gamma_density": 1}
# Operands in which a row has no derivative, or whole orders.
FIXED = {
    "polygamma": {0}, "gammainc": {0}, "gammaincc": {0}, "zeta": {0}, "iv": {0}, "i0e_slope": {0}, "spherical_jn": {0}, "ierfcx": {0}, "betainc": {0, 1},
    "polygamma_drop": {0},
}  # fmt: skip


def special_operands(name, count, dtype, seed):
    g = np.random.default_rng(seed)
    columns = [s(g, count) for s in SPECIAL[name]]
    if name in RELATIVE:
        columns[1] = columns[1] * columns[0]
    tiny = float(np.finfo(dtype).tiny)
    return [np.where((c != 0) & (np.abs(c) < tiny), tiny, c).astype(dtype) for c in columns]


# Where a value passes through zero: relative accuracy is hardest there.
ROOTS = {
    "lgamma": (1.0, 2.0, -2.4570247382208006, -2.7476826467274126, -3.1435808883499797, -3.955294284858598, -10.000000275573192),
    "digamma": (1.4616321449683622, -0.5040830082644554, -1.5734984731623904, -2.6107208684441445),
    "sin": (math.pi, 2 * math.pi, 6381956970095103.0 * 2.0**797), "cos": (math.pi / 2, 1.5 * math.pi, 11 * math.pi / 2), "tan": (math.pi, math.pi / 2, 22.0),
    "log": (1.0,), "log2": (1.0,), "log10": (1.0,), "acosh": (1.0,), "acos": (1.0,), "gelu": (-0.0,), "log1p": (0.0,), "expm1": (0.0,),
}  # fmt: skip


def around(name, dtype):
    """Neighbours of a row's roots, from one unit in the last place outwards."""
    found = []
    for root in ROOTS.get(name, ()):
        if abs(root) < float(np.finfo(dtype).max):
            near = [dtype(root)] + [dtype(root * (1 + s * 10.0**-k)) for k in range(1, 17) for s in (-1, 1)]
            found += [x for x in near if x > 0 or x != np.rint(x)]
    return np.array(found, dtype)


def operands(row, count, dtype, seed, **rest):
    """Operand arrays for a row."""
    if row.name in SPECIAL:
        return special_operands(row.name, min(count, 48), dtype, seed)
    columns = []
    for slot, (low, high) in enumerate(row.domain):
        if row.name == "polygamma" and slot == 1:
            low = float(np.finfo(dtype).tiny)  # 0 is a pole
        if row.kind in ("SELECT", "GATE") and slot == 0:
            column = np.random.default_rng(seed).random(4 * count) < 0.5
        elif row.name == "polygamma" and slot == 0:
            column = np.random.default_rng(seed).integers(0, 8, 4 * count).astype(dtype)
        else:
            column = points(low, high, count, dtype, seed + 17 * slot, poles=row.name in ("lgamma", "digamma"), **rest)
        if row.arity == 1 and not rest:
            near = around(row.name, dtype)
            near = near[(near >= low) & (near <= high)]
            column = np.concatenate([near, column])
        columns.append(column)
    size = min(len(c) for c in columns)
    return [c[:size] for c in columns]


def exact(name, args):
    """The row's value at one point, to DIGITS digits."""
    with mp.workdps(DIGITS):
        return +VALUES[name](*[mp.mpf(float(a)) if not isinstance(a, (bool, np.bool_)) else bool(a) for a in args])


def ulps(got, want, dtype):
    """|got - want| in units of the last place of want, where want is a number of the format."""
    info = np.finfo(dtype)
    got = float(got)
    if mp.isnan(want):
        return 0.0 if math.isnan(got) else math.inf
    if math.isnan(got):
        return math.inf
    largest = mp.mpf(float(info.max))
    limit = largest + mp.mpf(2) ** (int(math.floor(math.log2(float(info.max)))) - info.nmant - 1)
    if mp.isinf(want) or abs(want) >= limit:
        return 0.0 if math.isinf(got) and (got > 0) == (want > 0) else (1.0 if abs(got) == float(info.max) else math.inf)
    exponent = mp.frexp(want)[1] - 1 if want != 0 else int(info.minexp)
    unit = mp.mpf(2) ** (max(exponent, int(info.minexp)) - info.nmant)
    if math.isinf(got):
        return 1.0 if abs(want) >= largest - 4 * unit and (got > 0) == (want > 0) else math.inf
    return float(abs(mp.mpf(got) - want) / unit)


def slope(name, args, order):
    """A partial derivative by central differences, the digits raised until two agree to 1e-22."""
    if name in FLAT:
        return mp.mpf(0)
    last = None
    for digits in (130, 400, 1100):
        with mp.workdps(digits):
            value = _difference(VALUES[name], [mp.mpf(float(a)) for a in args], order)
        if last is not None and abs(value - last) <= mp.mpf(10) ** -22 * abs(value):
            break
        last = value
    return value


def _difference(f, point, order):
    steps = [min(abs(x), mp.mpf(1)) * mp.mpf(10) ** -25 for x in point]
    terms = [(mp.mpf(1), [])]
    for x, h, n in zip(point, steps, order):
        taps = [((-1) ** k * mp.binomial(n, k), x + (mp.mpf(n) / 2 - k) * h) for k in range(n + 1)]
        terms = [(w * c, at + [y]) for w, at in terms for c, y in taps]
    total = mp.fsum(w * f(*at) for w, at in terms)
    return total / mp.fprod(h**n for h, n in zip(steps, order))


def near_slope(name, args, order):
    """The same in 100 digits, for functions that are dear; in 450 where the distribution's other tail is lost in 1."""
    with mp.workdps(450 if "normal_cdf" in name else 100):
        return _difference(VALUES[name], [mp.mpf(float(a)) for a in args], order)
