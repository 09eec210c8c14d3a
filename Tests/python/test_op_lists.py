"""C, C++, Python and Swift reach the same operators: their lists against the library's table and the header's functions."""

import re
from pathlib import Path

import pytest

import camber as cb
import camber.numpy as cnp

ROOT = Path(__file__).resolve().parents[2]


def _text(pattern, *folders):
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).glob(pattern)))


HEADER = re.sub(r"/\*.*?\*/|//[^\n]*", " ", "".join((ROOT / "include" / name).read_text() for name in cb._header.HEADERS), flags=re.S)
CPP = _text("*.hpp", "bindings/cpp/camber")
PYTHON = _text("**/*.py", "bindings/python/camber")
SWIFT = _text("*.swift", "Sources/Camber")

# What records on a tape: functions that take one first and give a node or fill in nodes.
BUILDERS = sorted(p.name.removeprefix("camber_") for p in cb.HEADER.prototypes if p.parameters and p.parameters[0] == "camber_tape *" and p.result in ("camber_node", "camber_status"))
ROWS = [cb.lib.op_name(i).decode() for i in range(cb.lib.op_count())]
OTHERS = [name for name in BUILDERS if name not in ROWS]


def _camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


# A function that a language has under another name: what to look for there, and why.
ELSEWHERE = {
    "python": {
        "apply": (r"def traced", "ops.traced: a row by its name"),
        "iota": (r"np\.arange|cnp\.arange", "np.arange: a constant made by NumPy"),
        "broadcast": (r"lib\.broadcast\b", "np.broadcast_to"),
        "max_pool_index": (r"return_index", "nn.max_pool(return_index=True)"),
        "random_uniform": (r"def uniform", "random.uniform"),
        "random_normal": (r"def normal", "random.normal"),
        "batch": (r"def vmap", "vmap"),
        "reverse": (r"def flip\b", "np.flip: a slice with a negative step"),
        "take_along": (r"np\.take_along_axis", "np.take_along_axis"),
        **{f"scatter_{kind}": (r"scatter_\{kind\}", "x.at[i].set, .add, .multiply, .max, .min") for kind in ("set", "add", "mul", "max", "min")},
        "tape_fail": (r"def keep\b", "a rule raises an exception"),
        "l1_penalty": (r"l1_penalty", "optim"),
        "matrix_cond": (r"np\.linalg\.cond", "np.linalg.cond"),
        "cholesky_solve": (r"def cho_solve", "linalg.cho_solve"),
        "lyapunov": (r"def solve_continuous_lyapunov", "and solve_discrete_lyapunov"),
        "l2_penalty": (r"l2_penalty", "optim"),
    },
    "swift": {
        "neg": (r"prefix func -", "an operator"), "sub": (r"static func - ", "an operator"), "mul": (r"static func \* ", "an operator"),
        "div": (r"static func / ", "an operator"), "eq": (r"static func \.== ", "an operator"), "ne": (r"static func \.!= ", "an operator"),
        "lt": (r"static func \.< ", "an operator"), "le": (r"static func \.<= ", "an operator"), "gt": (r"static func \.> ", "an operator"),
        "ge": (r"static func \.>= ", "an operator"), "logical_and": (r"static func \.& ", "an operator"), "logical_or": (r"static func \.\| ", "an operator"),
        "add": (r"static func \+ ", "an operator"),
        "reshape": (r"func reshaped\b", "a verb's participle: nothing is changed"), "transpose": (r"func transposed\b", "likewise"),
        "pad": (r"func padded\b", "likewise"), "roll": (r"func rolled\b", "likewise"), "slice": (r"subscript\(ranges", "subscripts and strided"),
        "reverse": (r"func reversed\b", "likewise"), "tile": (r"func tiled\b", "likewise"), "repeat": (r"func repeated\b", "likewise"),
        "sort": (r"func sorted\b", "likewise"), "var": (r"func variance\b", "var is a word of the language"), "std": (r"func standardDeviation\b", "in full"),
        "isin": (r"func isIn\b", "two words"), "elimination": (r"sweep == \.elimination", "a sweep of jacobian"),
        "tape_clear": (r"func clearError", "an error of a tape"), "scan_slots": (r"slots", "an argument of scan"),
        "eigh_generalized": (r"func eigh\(_ b: Node", "eigh with a second matrix"),
        "capture": (r"core\.resolve\(serial", "nodes of outer tapes are taken as they are"), "guard": (r"func expect\b", "guard is a word of the language"),
        "switch": (r"func choose\b", "likewise"), "while": (r"func loop\b", "likewise"),
        "label_from": (r"func label\(from", "an argument of label"), "label_get": (r"func labels\b", "all at once"), "node_origin": (r"func origin\b", "of a node"),
        "node_sparsity": (r"func sparsity\b", "of a node"), "tape_fail": (r"takeThrown", "a rule throws an error"),
    },
    "cpp": {"scan": (r"camber_scan_slots", "scan with slots, 0 by default"), "tape_clear": (r"camber_tape_clear", "called before an exception"), "tape_fail": (r"current_exception", "a rule throws an exception")},
}  # fmt: skip


def _python(name):
    spaces = (cb, cnp, cnp.linalg, cb.ops, cb.special, cb.random, cb.nn, cb.interpolate, cb.optim, cb.linalg)
    return bool(re.search(rf'\blib\.{name}\b|getattr\(lib, "{name}"\)|call\([^"]*"{name}"', PYTHON)) or any(hasattr(space, name) for space in spaces)


def _cpp(name):
    return bool(re.search(rf"\bcamber_{name}\b|CAMBER_X\({name}\)|CAMBER_X\({name},", CPP))


def _swift(name):
    return bool(re.search(rf"\bfunc {_camel(name)}\b|\bvar {_camel(name)}\b|\bfunc {name}\b", SWIFT))


FACES = {"python": (_python, PYTHON), "cpp": (_cpp, CPP), "swift": (_swift, SWIFT)}


def test_the_table_is_the_header():
    assert [row.name for row in cb.HEADER.rows] == ROWS and len(set(ROWS)) == len(ROWS)
    for i, row in enumerate(cb.HEADER.rows):
        assert (cb.lib.op_arity(i), cb.lib.op_class(i).decode()) == (row.arity, row.kind)
    assert set(ROWS) <= set(BUILDERS), "every row is a C function"
    assert all(hasattr(cb.lib.dll, f"camber_{name}") for name in BUILDERS), "every function of the header is in the library"
    assert len(OTHERS) > 50


def test_rows_are_in_every_language():
    assert set(cb.ops.ROWS) == set(ROWS) and all(callable(getattr(cb.ops, name)) for name in ROWS)
    # C++ expands the three lists; Swift reaches each by Node.apply and names it.
    assert all(f"CAMBER_{kind}_OPS(CAMBER_X)" in CPP for kind in ("UNARY", "BINARY", "TERNARY"))
    assert "Node.operatorNames" in SWIFT or "var operatorNames" in SWIFT
    missing = [name for name in ROWS if not _swift(name) and name not in ELSEWHERE["swift"]]
    assert not missing, f"rows without a Swift function: {missing}"


@pytest.mark.parametrize("language", FACES)
def test_functions_are_in_every_language(language):
    reached, text = FACES[language]
    missing = [name for name in OTHERS if not reached(name) and name not in ELSEWHERE[language]]
    assert not missing, f"{language} does not reach camber_{', camber_'.join(missing)}; give it the function, or say in ELSEWHERE where it is"


@pytest.mark.parametrize("language", FACES)
def test_what_is_elsewhere_is_there(language):
    _, text = FACES[language]
    for name, (pattern, why) in ELSEWHERE[language].items():
        assert name in BUILDERS, f"{name} is no function any more"
        assert re.search(pattern, text), f"{name} should be {why}"
