"""camber doctor: runs a saved function on saved inputs and reports: values, gradients, curvature, rounding, where a NaN came from, what to do.

    python -m camber doctor model.camber inputs.npz [--function value] [--wrt w,b] [--html report.html] [--json]

Inputs come from .npz, .npy (one input) or .safetensors files, by the names of the function's inputs, or in order where no name fits. Exit status: 0 no
finding beyond notes, 1 warnings, 2 errors, 64 wrong use.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import saved as saved_files
from ._array import Array
from ._errors import Error
from ._library import lib
from .curvature import curvature
from .function import Function
from .report import Report
from .tensors import load_tensors


def read_inputs(paths: Sequence[str]) -> dict[str, Any]:
    """Arrays by name."""
    found: dict[str, Any] = {}
    for path in paths:
        if path.endswith(".npy"):
            found[os.path.splitext(os.path.basename(path))[0]] = np.load(path)
        elif path.endswith(".npz"):
            with np.load(path) as arrays:
                found.update({name: arrays[name] for name in arrays.files})
        else:
            found.update(load_tensors(path))
    return found


def chosen(names: Sequence[str], kinds: Sequence[Any], arrays: dict[str, Any]) -> list[Any]:
    """The function's inputs, in its order."""
    if all(name in arrays for name in names) and len(set(names)) == len(names):
        values = [arrays[name] for name in names]
    elif len(arrays) == len(names):
        values = list(arrays.values())
    else:
        raise SystemExit(f"doctor: the function takes {', '.join(names) or 'nothing'}; the files hold {', '.join(arrays) or 'nothing'}")
    out = []
    for name, value, (shape, code) in zip(names, values, kinds):
        array = np.asarray(value)
        if array.shape != tuple(shape):
            raise SystemExit(f"doctor: {name} is {array.shape} in the file; the function takes {tuple(shape)}")
        wanted = dt.NUMPY[code]
        if array.dtype != wanted:
            if code not in dt.FLOATS or not np.issubdtype(array.dtype, np.number):
                raise SystemExit(f"doctor: {name} is {array.dtype} in the file; the function takes {wanted}")
            array = array.astype(wanted)
        out.append(np.array(array, order="C"))
    return out


def _numbers(array: Any, code: int) -> np.ndarray[Any, Any]:
    if code == dt.BF16:
        return (np.asarray(array).view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return np.asarray(array, np.float64)


def _summary(report: Report, caption: str, named: Sequence[tuple[str, np.ndarray[Any, Any]]]) -> None:
    rows = []
    for _, v in named:
        finite = v[np.isfinite(v)]
        top = np.abs(finite).max() if finite.size else np.nan
        rows.append([v.size, top, top * np.sqrt(np.mean((finite / top) ** 2)) if finite.size and top > 0 else top, np.mean(v == 0) if v.size else 0.0,
                     int(np.isnan(v).sum()), int(np.isinf(v).sum())])  # fmt: skip
    report.table(caption, ["name", "elements", "largest", "rms", "share of zeros", "NaN", "infinite"], rows, [name for name, _ in named])


def examine(path: str, inputs: Sequence[str], function: str | None = None, wrt: Sequence[str] | None = None, curvature_limit: int = 200_000) -> Report:
    """The report of a saved function on saved inputs."""
    archive = saved_files.load(path)
    names = list(archive)
    if not names:
        raise SystemExit(f"doctor: {path} holds no function")
    name = function or ("value" if "value" in names else names[0])
    if name not in names:
        raise SystemExit(f"doctor: {path} has no function {name!r}; it has {', '.join(names)}")
    f = archive[name]
    handle = archive._archive.handle
    program = f.program
    ins = [lib.archive_input_name(handle, name.encode(), i).decode() or f"input {i}" for i in range(len(program.inputs))]
    outs = [lib.archive_output_name(handle, name.encode(), i).decode() or f"output {i}" for i in range(len(program.outputs))]
    arrays = chosen(ins, program.inputs, read_inputs(inputs))
    report = Report(f"{os.path.basename(path)}: {name}")
    results = program.run(arrays)

    report.section("Values", f"{name} of {', '.join(ins)}.")
    given = [(n, _numbers(a, k[1]).ravel()) for n, a, k in zip(ins, arrays, program.inputs)]
    made = [(n, _numbers(r, k[1]).ravel()) for n, r, k in zip(outs, results, program.outputs)]
    _summary(report, "Inputs", given)
    _summary(report, "Outputs", made)
    for n, v in given + made:
        bad = int((~np.isfinite(v)).sum())
        if bad:
            report.finding("nonfinite", f"{bad} of {v.size} elements are NaN or infinite.", severity="error", place=n, action="See where the first of them was born; mend the input or the operator there.")

    tape = lib.archive_tape(handle, name.encode(), None, None)
    nodes_in, nodes_out = (ctypes.c_int64 * max(len(ins), 1))(), (ctypes.c_int64 * max(len(outs), 1))()
    lib.tape_free(tape)
    tape = lib.archive_tape(handle, name.encode(), ctypes.addressof(nodes_in), ctypes.addressof(nodes_out))
    try:
        data = (ctypes.c_void_p * max(len(arrays), 1))(*[a.ctypes.data for a in arrays])
        floats = [i for i, (_, code) in enumerate(program.outputs) if code in dt.FLOATS]
        finite = all(np.isfinite(v).all() for _, v in made)
        _births(report, tape, nodes_in, len(ins), nodes_out, len(outs), data)
        if finite and floats:
            chosen_outs = (ctypes.c_int64 * len(floats))(*[nodes_out[i] for i in floats])
            sizes = [made[i][1].size for i in floats]
            _patterns(report, tape, nodes_in, len(ins), chosen_outs, sizes, data)
            lost = _rounding(report, tape, nodes_in, len(ins), chosen_outs, sizes, data)
            if any(code in dt.FLOATS for _, code in program.inputs):
                _derivatives(report, tape, nodes_in, len(ins), chosen_outs, sizes, data, lost)
    finally:
        lib.tape_free(tape)

    scalar = len(outs) == 1 and tuple(program.outputs[0][0]) == () and program.outputs[0][1] in dt.FLOATS
    variables = [i for i, (_, code) in enumerate(program.inputs) if code in dt.FLOATS and (wrt is None or ins[i] in wrt)]
    if wrt is not None and len(variables) != len(wrt):
        raise SystemExit(f"doctor: --wrt {','.join(wrt)}: the float inputs are {', '.join(ins[i] for i, k in enumerate(program.inputs) if k[1] in dt.FLOATS)}")
    if scalar and variables and all(np.isfinite(v).all() for _, v in made):
        rest = [i for i in range(len(ins)) if i not in variables]

        def loss(x: Any, *others: Any) -> Any:
            full: list[Any] = [None] * len(ins)
            for i, v in zip(variables, x):
                full[i] = v
            for i, v in zip(rest, others):
                full[i] = v
            return archive[name]._inline(full) if isinstance(x[0], Array) else None

        c = curvature(Function(loss))([arrays[i] for i in variables], *[arrays[i] for i in rest])
        gradients = [(ins[i], np.ravel(g)) for i, g in zip(variables, c.gradient())]
        report.section("Gradient", f"Of {outs[0]} in {', '.join(ins[i] for i in variables)}.")
        _summary(report, "Gradient", gradients)
        for n, g in gradients:
            if not np.isfinite(g).all():
                report.finding("nonfinite gradient", f"{int((~np.isfinite(g)).sum())} of {g.size} elements of the gradient are NaN or infinite, the value is finite.", severity="error", place=n,
                               action="Look for a square root, norm or division at 0; a structural zero or `stabilize` may mend it.")  # fmt: skip
            elif g.size and not g.any():
                report.finding("no gradient", "Every element of the gradient is zero.", severity="note", place=n, action="Check that the output depends on it smoothly here.")
        every = np.concatenate([g for _, g in gradients])
        report.histogram("Gradient's magnitudes", every)
        if np.isfinite(every).all() and c.n <= curvature_limit:
            report.add(c)
    report.add(program)
    return report


def _said(report: Report, title: str, sentence: bytes) -> None:
    """An observer that refused says why."""
    report.section(title, sentence.decode())


def _births(report: Report, tape: Any, ins: Any, n: int, outs: Any, m: int, data: Any) -> None:
    h = lib.nonfinite_new(tape, ins, n, outs, m)
    if not h:
        return _said(report, "Births of NaN and infinity", lib.tape_message(tape))
    try:
        if lib.nonfinite_run(h, data) < 0:
            return _said(report, "Births of NaN and infinity", lib.nonfinite_message(h))
        lib.report_add_nonfinite(report.handle, h)
    finally:
        lib.nonfinite_free(h)


def _rounding(report: Report, tape: Any, ins: Any, n: int, outs: Any, sizes: Sequence[int], data: Any) -> float:
    """Of up to 16 elements, evenly chosen, the one that lost most: its bits."""
    h = lib.rounding_new(tape, outs, len(sizes), ins, n)
    if not h:
        _said(report, "Rounding error", lib.tape_message(tape))
        return 0.0
    try:
        places = [(k, i) for k, size in enumerate(sizes) for i in range(0, size, max(1, sum(sizes) // 16))]
        if lib.rounding_run(h, data) < 0 or not places:
            _said(report, "Rounding error", lib.rounding_message(h))
            return 0.0
        lost = []
        for k, i in places:
            if lib.rounding_at(h, k, i) < 0:
                _said(report, "Rounding error", lib.rounding_message(h))
                return 0.0
            bits = lib.rounding_figure(h, b"bits_lost")
            lost.append(np.inf if lib.rounding_level(h) == 3 else bits if bits == bits else 0.0)
        lib.rounding_at(h, *places[int(np.argmax(lost))])
        lib.report_add_rounding(report.handle, h)
        return float(max(lost))
    finally:
        lib.rounding_free(h)


def _patterns(report: Report, tape: Any, ins: Any, n: int, outs: Any, sizes: Sequence[int], data: Any) -> None:
    """What a stable rewriting would gain; nothing is replaced in the file."""
    h = lib.stabilizer_new(tape, ins, n, outs, len(sizes))
    if not h:
        return _said(report, "Stable rewritings", lib.tape_message(tape))
    try:
        if lib.stabilizer_sample(h, data) < 0 or lib.stabilizer_run(h, (ctypes.c_int64 * max(1, len(sizes)))()) < 0:
            return _said(report, "Stable rewritings", lib.stabilizer_message(h))
        lib.report_add_stabilizer(report.handle, h)
        for i in range(lib.stabilizer_count(h)):
            before, made = ctypes.c_double(), ctypes.c_int32()
            lib.stabilizer_entry(h, i, None, None, ctypes.byref(before), None, ctypes.byref(made))
            if made.value and before.value > 10:
                report.finding("unstable expression", lib.stabilizer_sentence(h, i).decode() + ".", action="Record the function through camber.stabilize.")
    finally:
        lib.stabilizer_free(h)


def _derivatives(report: Report, tape: Any, ins: Any, n: int, outs: Any, sizes: Sequence[int], data: Any, lost: float) -> None:
    """Where rounding took many bits, second derivatives have none that could be compared."""
    h = lib.check_new(tape, outs, len(sizes), ins, n)
    if not h:
        return _said(report, "Derivative check", lib.tape_message(tape))
    try:
        if lost > 10:
            lib.check_set(h, b"order", 1.0)
        if lib.check_run(h, data) < 0:
            return _said(report, "Derivative check", lib.check_message(h))
        lib.report_add_check(report.handle, h)
    finally:
        lib.check_free(h)


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m camber", description="Camber from the command line.")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="run a saved function on saved inputs and report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    doctor.add_argument("saved", help="a file of camber.save")
    doctor.add_argument("inputs", nargs="*", help=".npz, .npy or .safetensors files")
    doctor.add_argument("--function", help="its name in the file (default: value, or the first)")
    doctor.add_argument("--wrt", help="inputs to differentiate by, with commas (default: all floats)")
    doctor.add_argument("--html", metavar="FILE", help="write the report as one HTML file")
    doctor.add_argument("--json", action="store_true", help="print JSON, not text")
    try:
        given = parser.parse_args(arguments)
    except SystemExit as stop:
        return 64 if stop.code else 0
    try:
        report = examine(given.saved, given.inputs, given.function, given.wrt.split(",") if given.wrt else None)
        if given.html:
            report.save(given.html, "html")
        sys.stdout.write(report.json() if given.json else report.text())
    except SystemExit as stop:
        print(stop.code, file=sys.stderr)
        return 64
    except (Error, OSError, ValueError) as problem:
        print(f"doctor: {problem}", file=sys.stderr)
        return 64
    worst = max((finding["severity"] for finding in report.data()["findings"]), default=0)
    return {3: 2, 2: 1}.get(worst, 0)
