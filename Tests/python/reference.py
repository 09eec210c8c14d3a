"""High-precision references of the operator rows: one line a row, in mpmath; and the points to try them at."""

import ctypes
import math

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


VALUES = {
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
FLAT = {"sign", "floor", "ceil", "round", "trunc", "stop_gradient"}


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
