"""Expressions in the manner of FPBench and Herbie's suites, written for this project: text, and the range of each variable.

Each is evaluated twice from one text: by Camber (f64) and by mpmath. Constants are the binary numbers that the text's decimals round to.
"""

BIG, SMALL = (1e3, 1e15), (1e-12, 1e-2)
ONE, UNIT, WIDE, SIGNED = (0.1, 10.0), (1e-3, 0.999), (1e-8, 1e8), (-10.0, 10.0)

# text, ranges in the order in which the variables x, y, z, w appear below
EXPRESSIONS: list[tuple[str, tuple[tuple[float, float], ...]]] = [
    # Cancellation of roots, fractions, powers
    ("sqrt(x + 1) - sqrt(x)", (BIG,)), ("sqrt(x + y) - sqrt(x)", (BIG, ONE)), ("1 / (x + 1) - 1 / x", (BIG,)), ("1 / (x - 1) - 2 / x + 1 / (x + 1)", (BIG,)),
    ("cbrt(x + 1) - cbrt(x)", (BIG,)), ("(x + 1) ** 0.25 - x ** 0.25", (BIG,)), ("x - sqrt(x * x - 1)", ((2, 1e7),)), ("sqrt(x * x + 1) - x", ((2, 1e7),)),
    ("(sqrt(1 + x) - 1) / x", (SMALL,)), ("(1 - sqrt(1 - x * x)) / x", ((1e-6, 0.9),)), ("1 / sqrt(x) - 1 / sqrt(x + 1)", (BIG,)), ("x * (sqrt(x * x + 1) - x)", ((1, 1e6),)),
    ("(x ** 3 - y ** 3) / (x - y)", (ONE, ONE)), ("(1 + x) ** 10 - 1", (SMALL,)), ("((1 + x) ** 3 - 1) / x", (SMALL,)), ("x ** 5 - 5 * x ** 4 + 10 * x ** 3 - 10 * x ** 2 + 5 * x - 1", ((0.9, 1.1),)),
    # Exponentials and logarithms
    ("exp(x) - 1", (SMALL,)), ("(exp(x) - 1) / x", (SMALL,)), ("exp(x) - 1 - x", (SMALL,)), ("log(1 + x)", (SMALL,)), ("log(1 + x) / x", (SMALL,)), ("log(1 + exp(x))", ((-30, 30),)),
    ("log(exp(x) - 1)", ((1e-3, 30),)), ("log(1 - exp(-x))", ((1e-6, 20),)), ("exp(x) - 2 + exp(-x)", (SMALL,)), ("(exp(x) - exp(-x)) / 2", (SMALL,)), ("log(x + 1) - log(x)", (BIG,)),
    ("log(exp(x) + exp(y))", (SIGNED, SIGNED)), ("log(x + sqrt(x * x + 1))", ((1e-6, 1e3),)), ("log(x + sqrt(x * x - 1))", ((1.0001, 1e3),)), ("log((1 + x) / (1 - x)) / 2", (SMALL,)),
    ("exp(x) / (exp(x) - 1)", ((1e-6, 10),)), ("x / (exp(x) - 1)", ((1e-8, 10),)), ("(exp(2 * x) - 1) / (exp(x) - 1)", ((1e-6, 2),)), ("log(x) - log(y)", (ONE, ONE)), ("x * log(x) - x", (ONE,)),
    ("x * log(x / y) - x + y", (ONE, ONE)), ("exp(-x * x) * x", (SIGNED,)), ("exp2(x) - 1", (SMALL,)), ("log2(1 + x)", (SMALL,)), ("log10(x / y)", (ONE, ONE)), ("expm1(x) - x", (SMALL,)),
    ("log1p(x) - x", (SMALL,)), ("expm1(x) / x - 1", (SMALL,)), ("exp(log(x) * y)", (ONE, SIGNED)), ("log(cosh(x))", ((1e-6, 20),)), ("exp(sin(x)) - exp(x)", (SMALL,)),
    # Trigonometry
    ("1 - cos(x)", (SMALL,)), ("(1 - cos(x)) / (x * x)", ((1e-7, 1),)), ("(1 - cos(x)) / sin(x)", ((1e-7, 1),)), ("sin(x + y) - sin(x)", (ONE, SMALL)), ("cos(x + y) - cos(x)", (ONE, SMALL)),
    ("tan(x + y) - tan(x)", ((0.1, 1), SMALL)), ("x - sin(x)", ((1e-6, 1),)), ("tan(x) - sin(x)", ((1e-5, 1),)), ("(x - sin(x)) / (x - tan(x))", ((1e-4, 1),)), ("1 / x - 1 / tan(x)", ((1e-7, 1),)),
    ("sin(x) * sin(x) + cos(x) * cos(x) - 1", (SIGNED,)), ("atan(x + 1) - atan(x)", (BIG,)), ("acos(1 - x)", ((1e-12, 0.1),)), ("asin(x) - x", ((1e-6, 0.5),)), ("atan2(y, x) - atan2(y + 1, x)", (BIG, ONE)),
    ("sin(x) / x - 1", ((1e-6, 1),)), ("cos(x) - exp(-x * x / 2)", ((1e-3, 1),)), ("sin(1000 * x)", (ONE,)), ("sin(x) * cos(y) - cos(x) * sin(y)", (ONE, ONE)), ("tan(x) * tan(y)", ((0.1, 1.5), (0.1, 1.5))),
    ("acos(x) + asin(x)", (UNIT,)), ("sin(3 * x) - 3 * sin(x) + 4 * sin(x) ** 3", (ONE,)), ("atan(1 / x) + atan(x)", (ONE,)), ("sin(x * x) / cos(x)", ((0.1, 1.4),)),
    # Hyperbolic
    ("1 - tanh(x)", ((0.1, 15),)), ("1 - tanh(x) * tanh(x)", ((0.1, 15),)), ("sinh(x) - x", ((1e-5, 1),)), ("cosh(x) - 1", (SMALL,)), ("sinh(x) / x - 1", ((1e-6, 1),)), ("tanh(x) - x", ((1e-5, 1),)),
    ("asinh(x) - x", ((1e-5, 1),)), ("acosh(1 + x)", ((1e-10, 1),)), ("atanh(x) - x", ((1e-5, 0.5),)), ("cosh(x) * cosh(x) - sinh(x) * sinh(x)", ((0.1, 15),)), ("tanh(x) / tanh(2 * x)", (ONE,)),
    # Quadratics and other formulas
    ("(-y + sqrt(y * y - 4 * x * z)) / (2 * x)", (ONE, (1e3, 1e8), ONE)), ("(-y - sqrt(y * y - 4 * x * z)) / (2 * x)", (ONE, (1e3, 1e8), ONE)), ("2 * z / (-y + sqrt(y * y - 4 * x * z))", (ONE, (1e3, 1e6), ONE)),
    ("x * y - z * w", (ONE, ONE, ONE, ONE)), ("x * x - y * y", (ONE, ONE)), ("(x + y) * (x - y)", (ONE, ONE)), ("x * (x - y) - z", (BIG, BIG, ONE)), ("(x + y) - x", (BIG, ONE)), ("(x - y) / (x + y)", (WIDE, WIDE)),
    ("sqrt(x * x + y * y)", (WIDE, WIDE)), ("sqrt((x + y + z) / 2 * ((x + y + z) / 2 - x) * ((x + y + z) / 2 - y) * ((x + y + z) / 2 - z))", ((3, 4), (4, 5), (6, 6.9))),
    ("333.75 * y ** 6 + x * x * (11 * x * x * y * y - y ** 6 - 121 * y ** 4 - 2) + 5.5 * y ** 8 + x / (2 * y)", ((1, 100), (1, 100))), ("4 * x ** 4 - y ** 4 + 2 * y * y", (ONE, ONE)), ("9 * x ** 4 - y ** 4 + 2 * y * y", (BIG, BIG)),
    ("x / (x + y + z)", (WIDE, WIDE, WIDE)), ("1 / (1 / x + 1 / y)", (WIDE, WIDE)), ("x * y / (1 + x)", (WIDE, ONE)), ("x ** y", (ONE, SIGNED)), ("(x * y) ** z / x ** z", (ONE, ONE, SIGNED)), ("x ** 2 * y ** 2 - (x * y) ** 2", (ONE, ONE)),
    ("(x + y) ** 2 - x ** 2 - 2 * x * y", (ONE, SMALL)), ("x * 9.81 / (2 * y * cos(z))", (ONE, ONE, (0.1, 1.4))), ("-331.4 - 0.6 * x", (SIGNED,)), ("(331.4 + 0.6 * z) * y / (331.4 + 0.6 * z + x) ** 2", ((-100, 100), (20, 2e4), (-30, 50))),
    ("x + y + z + w", (WIDE, SIGNED, WIDE, SIGNED)), ("x - y + z - w", (BIG, BIG, ONE, ONE)), ("(x - y) * (z - w)", (ONE, ONE, ONE, ONE)), ("1 - x * x / 2 + x ** 4 / 24", (UNIT,)), ("x - x ** 3 / 6 + x ** 5 / 120", (UNIT,)),
    # Polynomials near their roots
    ("x * x - 2 * x + 1", ((0.999, 1.001),)), ("(x - 1) ** 3", ((0.99, 1.01),)), ("x ** 3 - 3 * x * x + 3 * x - 1", ((0.99, 1.01),)), ("((x - 3) * x + 3) * x - 1", ((0.99, 1.01),)), ("x * x * x - 2 * x - 5", ((2.09, 2.1),)),
    ("x * (x * (x * (x - 10) + 35) - 50) + 24", ((0.5, 4.5),)), ("8 * x ** 4 - 8 * x * x + 1", (UNIT,)), ("128 * x ** 8 - 256 * x ** 6 + 160 * x ** 4 - 32 * x * x + 1", (UNIT,)),
    # Statistics and machine learning
    ("(x * x + y * y + z * z) / 3 - ((x + y + z) / 3) ** 2", ((1e3, 1.001e3), (1e3, 1.001e3), (1e3, 1.001e3))), ("1 / (1 + exp(-x))", ((-30, 30),)), ("1 - 1 / (1 + exp(-x))", ((0.1, 30),)), ("log(1 / (1 + exp(-x)))", ((-20, 30),)),
    ("exp(x) / (exp(x) + exp(y) + exp(z))", (SIGNED, SIGNED, SIGNED)), ("log(exp(x) / (exp(x) + exp(y)))", (SIGNED, SIGNED)), ("-(x * log(y) + (1 - x) * log(1 - y))", (UNIT, UNIT)), ("x * log(x) + (1 - x) * log(1 - x)", (UNIT,)),
    ("sigmoid(x) - sigmoid(y)", (SIGNED, SIGNED)), ("softplus(x) - x", ((1, 30),)), ("log_sigmoid(x) + log_sigmoid(-x)", (SIGNED,)), ("logaddexp(x, y) - x", (ONE, ONE)), ("relu(x - y) * z", (ONE, ONE, ONE)), ("gelu(x) - x", ((0.1, 5),)),
    ("silu(x) - x", ((0.1, 20),)), ("erf(x) - 1", ((0.5, 4),)), ("1 - erf(x)", ((0.1, 4),)), ("erfc(x) * exp(x * x)", ((0.1, 5),)), ("erf(x + y) - erf(x)", ((0.1, 2), SMALL)), ("normal_cdf(x) - normal_cdf(y)", ((-3, 3), (-3, 3))),
    ("exp(-((x - y) ** 2) / (2 * z * z)) / (z * sqrt(2 * 3.141592653589793))", (SIGNED, SIGNED, ONE)), ("-((x - y) ** 2) / (2 * z) - log(2 * 3.141592653589793 * z) / 2", (SIGNED, SIGNED, ONE)),
    # Special functions
    ("lgamma(x + 1) - lgamma(x)", (BIG,)), ("lgamma(x) - (x - 0.5) * log(x) + x", ((1, 1e6),)), ("gamma(x) - 1", ((0.9, 2.1),)), ("digamma(x + 1) - digamma(x)", ((1, 1e6),)), ("digamma(x) - log(x)", ((1, 1e6),)),
    ("i0e(x) * sqrt(x)", ((0.1, 100),)), ("i1(x) / i0(x)", ((0.1, 30),)), ("gammainc(2.5, x)", ((1e-3, 20),)), ("gammaincc(3.5, x)", ((1e-3, 30),)), ("betainc(2.0, 3.0, x)", (UNIT,)), ("xlogy(x, y) - xlogy(y, x)", (ONE, ONE)),
    ("beta(x, y) * (x + y)", (ONE, ONE)), ("betaln(x, y) + log(x + y)", (ONE, ONE)), ("erfinv(x) - x", ((1e-3, 0.9),)), ("normal_quantile(x) ** 2", (UNIT,)), ("zeta(2.5, x)", (ONE,)), ("polygamma(1.0, x) - 1 / x", ((1, 1e4),)),
    ("logit(x) - logit(y)", (UNIT, UNIT)), ("log1mexp(-x)", ((1e-6, 20),)), ("erfcx(x) * x", ((0.1, 50),)), ("sinc(x) - 1", (SMALL,)), ("log_normal_cdf(x) - log_normal_cdf(y)", ((-10, 3), (-10, 3))),
    # Choices
    ("maximum(x, y) - minimum(x, y)", (ONE, ONE)), ("where(x > y, (x - y) / x, (y - x) / y)", (ONE, ONE)), ("where(x * x - y * y > 0, sqrt(absolute(x * x - y * y)), 0 * x)", (ONE, ONE)), ("hypot(x, y) - x", ((1e3, 1e8), ONE)),
    ("absolute(x - y) / maximum(x, y)", (ONE, ONE)), ("clip(x - y, 0.0, 1.0) * z", (ONE, ONE, ONE)), ("fma(x, y, -z)", (ONE, ONE, ONE)), ("where(x < 1, x * x - x + 0.25, log(x))", ((0.1, 3),)), ("x % y", ((10, 100), (1, 3))),
    ("sqrt(x) * sqrt(x) - x", (WIDE,)), ("rsqrt(x) * x - sqrt(x)", (WIDE,)), ("reciprocal(x) * x - 1", (WIDE,)), ("square(x + y) - square(x)", (BIG, ONE)), ("log(absolute(sin(x)))", ((0.1, 3),)),
]  # fmt: skip


def _logistic(m, x, n):
    for _ in range(n):
        x = 3.75 * x * (1 - x)
    return x


def _newton(m, x, n):
    r = x
    for _ in range(n):
        r = (r + x / r) / 2
    return r - m.sqrt(x)


def _recurrence(m, x, n):
    """Muller's: converges to 100 whatever the roundings, and to 6 without them."""
    a, b = 2.0 * x / x, -4.0 * x / x
    for _ in range(n):
        a, b = b, 111 - 1130 / b + 3000 / (a * b)
    return b


def _harmonic(m, x, n):
    s = 0.0 * x
    for k in range(1, n + 1):
        s = s + x / k
    return s


def _exponential(m, x, n):
    """e^-x by its series: cancels."""
    term = 1 + 0.0 * x
    s = term
    for k in range(1, n + 1):
        term = -term * x / k
        s = s + term
    return s


def _euler(m, x, n):
    p, v = x, 0.0 * x
    for _ in range(n):
        p, v = p + 0.01 * v, v - 0.01 * m.sin(p)
    return p


def _agm(m, x, n):
    a, b = x, 1 + 0 * x
    for _ in range(n):
        a, b = (a + b) / 2, m.sqrt(a * b)
    return a - b


def _integral(m, x, n):
    s = 0.0 * x
    for k in range(n):
        t = (k + 0.5) * x / n
        s = s + m.exp(-t * t) * x / n
    return s


LOOPS = [(_logistic, 25, (0.1, 0.9)), (_newton, 6, ONE), (_recurrence, 8, ONE), (_harmonic, 60, ONE), (_exponential, 50, (1.0, 15.0)), (_euler, 100, (0.1, 3.0)), (_agm, 3, (1.1, 5.0)),
         (_integral, 40, (0.1, 3.0))]
