"""calls.py HEADER ABI.C OUT: a caller with random arguments for every function of the header whose parameters say what they take, as C for abi.c.

What cannot be made from types alone (raw memory, callbacks) abi.c and its parts in abi/ call by hand; a function that is in neither is an error that names it.
"""

import re
import subprocess
import sys
from pathlib import Path

header, by_hand, out = sys.argv[1:]
text = subprocess.run(["gcc", "-E", "-P", header], capture_output=True, text=True, check=True).stdout
prototypes = re.findall(r"([A-Za-z_][\w ]*?[ *]+)(camber_\w+) ?\(([^()]*)\) ?;", re.sub(r"\s+", " ", text))
hand = {name for file in [Path(by_hand), *Path(by_hand).with_suffix("").glob("*.h")] for name in re.findall(r"\bcamber_\w+", file.read_text())}
names = {name for _, name, _ in prototypes}
HANDLES = {"tape": "tapes, TAPES", "program": "programs, PROGRAMS", "workspace": "spaces, SPACES", "linear": "linears, LINEARS"} | {
    kind: f"{kind}s, FEW" for kind in ("optimizer", "schedule", "scaler", "archive", "solver", "flow", "nonfinite", "stabilizer", "rounding", "check")} | {"tensors": "files, FEW", "findings": "found, FEW"}

# By hand alone: they take memory or time as large as their arguments, or the harness keeps account of them.
GUARDED = {"camber_tape_clear", "camber_program_alias", "camber_run", "camber_workspace_new", "camber_linear_new", "camber_scan", "camber_scan_slots", "camber_while", "camber_map", "camber_minimize",
           "camber_least_squares", "camber_solver_run", "camber_flow_new", "camber_flow_run", "camber_flow_findings", "camber_flow_standard",
           "camber_nonfinite_new", "camber_nonfinite_run", "camber_optimizer_nonfinite", "camber_stabilizer_new",
           "camber_stabilizer_sample", "camber_stabilizer_run",
           "camber_rounding_new", "camber_rounding_run", "camber_rounding_at", "camber_rounding_along", "camber_check_new", "camber_check_run", "camber_check_remainders"}

# An argument of a type: its declaration and how it is made.
VALUES = {
    "camber_node": "any(t)", "size_t": "some_count()", "int64_t": "some_integer()", "int32_t": "(int32_t)some_integer()", "uint32_t": "byte()",
    "uint64_t": "(uint64_t)odd_number()", "double": "number()", "camber_dtype": "dtype()", "camber_status": "(camber_status)odd_number()",
    "const char *": "some_text()", "const char *const *": "some_texts()", "const camber_node *": "some_nodes(t)", "const int64_t *": "some_integers()",
    "const int32_t *": "some_orders()",
}
# Where something is written: a place with room for what small counts ask for.
PLACES = {"camber_node *": "out_nodes", "size_t *": "out_sizes", "double *": "out_doubles", "camber_dtype *": "out_dtypes", "int64_t *": "out_integers",
          "const char **": "out_texts", "const void **": "out_datas", "const int64_t **": "out_shapes", "void **": "out_places", "camber_status *": "out_dtypes",
          "int32_t *": "out_dtypes"}


def parameters(text: str) -> list[tuple[str, str]]:
    """(type, name) of each, types as written above."""
    found = []
    for p in [] if text.strip() in ("", "void") else text.split(","):
        m = re.fullmatch(r"\s*(.*?)(\w+)\s*", p)
        found.append((re.sub(r"\s*\*\s*", " *", m[1]).strip().replace("* const", "*const"), m[2]))
    return found


def kind(type: str) -> str | None:
    m = re.fullmatch(r"(?:const )?camber_(\w+) \*", type)
    return m[1] if m and m[1] in HANDLES else None


def argument(type: str, name: str, first: bool) -> str | None:
    if name == "path":
        return "(one_in(16) ? NULL : one_in(16) ? \"/nowhere/x\" : path)"
    if kind(type) == "tape" and first:
        return "t"
    if kind(type):
        return f"PICK({HANDLES[kind(type)]})"
    if type in PLACES:
        return f"(one_in(16) ? NULL : {PLACES[type]})"
    return VALUES.get(type)


lines, callers, missing = [], [], []
for result, name, text in prototypes:
    given = parameters(text)
    made = [argument(type, p, i == 0) for i, (type, p) in enumerate(given)]
    result = result.strip()
    simple = result in ("void", "camber_status", "camber_node", "size_t", "int64_t", "int32_t", "uint32_t", "uint64_t", "double", "const char *", "camber_dtype") or kind(result)
    if name.endswith("_free") or name in GUARDED or None in made or not simple:
        if name not in hand:
            missing.append(name)
        continue
    body = []
    for i, ((type, _), how) in enumerate(zip(given, made)):
        declared = type.removeprefix("const ") if kind(type) else type
        body.append(f"  {declared}{'' if declared.endswith('*') else ' '}a{i} = {how};")
    call = f"{name}({', '.join(f'a{i}' for i in range(len(made)))})"
    tape = bool(given) and given[0][0] == "camber_tape *" and not name.startswith("camber_node_")   # what asks leaves no error on the tape
    writes = any(type == "camber_node *" for type, _ in given)
    if writes:
        body.insert(0, "  if (!is_small(t)) return;\n  for (int i = 0; i < 16; i++) out_nodes[i] = UNTOUCHED;")
    if result == "camber_node" and tape:
        body.append(f"  BUILD(t, {call});")
    elif result == "camber_status":
        body.append(f"  {'enter(t), ' if tape else ''}TRACE(\"  {name}\");\n  camber_status s = known({call});")
        if tape:
            body.append(f"  if (s != CAMBER_EHANDLE) leave(t, s != CAMBER_OK, \"{name}\");")
        elif given and kind(given[0][0]) and "camber_tape *" not in [type for type, _ in given] and not given[0][0].startswith("const") and f"camber_{kind(given[0][0])}_message" in names:
            body.append(f"  if (s < 0 && s != CAMBER_EHANDLE) sentence(camber_{kind(given[0][0])}_message(a0), \"{name}\");")
        body.append("  (void)s;")
        if writes:
            body.append(f"  collect({'t' if tape else 'NULL'}, s, \"{name}\");")
    elif kind(result):
        body.append(f"  TRACE(\"  {name}\");\n  camber_{kind(result)}_free({call});")
    elif result == "const char *":
        body.append(f"  touch({call});")
    elif result == "void":
        body.append(f"  {call};")
    else:
        body.append(f"  (void){call};")
    unused = "" if any("(t" in line or " t;" in line or "t, " in line for line in body) else "  (void)t;\n"
    lines.append(f"static void gen_{name}(camber_tape *t) {{\n{unused}" + "\n".join(body) + "\n}")
    callers.append(f"gen_{name}")
if missing:
    sys.exit("fuzz: not called: " + ", ".join(missing) + " (by types alone they cannot be: call them in Tests/fuzz/abi/)")
lines.append("static void (*const generated[])(camber_tape *) = {" + ", ".join(callers) + "};")
Path(out).write_text("/* Made by calls.py. */\n" + "\n".join(lines) + "\n")
print(f"{len(callers)} functions called by their types, {len(names) - len(callers)} by hand")
