"""The planner: what every method of differentiating would take, and the one that suits the problem."""

from __future__ import annotations

import ctypes
import html
import json
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import FileError, InvalidError, error
from ._library import lib
from ._tape import Tape, nodes, state
from ._trace import Argnums, Placed, as_argnums, on_tape
from .function import Function, leaf_key
from .program import input_array, pointers

METHODS = ("forward", "reverse", "compressed_forward", "compressed_reverse", "star_bicoloring", "star", "elimination", "edge_pushing", "stagewise", "preaccumulate")


class Plan:
    """The planner's table for one derivative, and its choice.

    Attributes
    ----------
    method
        The method chosen.
    table
        A dict for each method: method, applies, reason, flops, bytes, colors, passes, memory, predicted_ns, measured_ns, error.
    """

    def __init__(self, tape: Tape, kind: str, outputs: list[int], variables: list[int], data: list[int], arrays: list[Any] | None, accurate: bool, taste: bool,
                 rounding: bool = False, evaluations: float = 0, lock: Any = None) -> None:  # fmt: skip
        # Plans in several threads may be of one tape, of which a handle is one thread's at a time.
        self._lock = lock or threading.Lock()
        self.kind = kind
        self._picture: Callable[[], str] | None = None
        self._free = lib.plan_free
        with self._lock:
            self._handle = lib.plan_new(tape.handle, kind.encode(), nodes(outputs), len(outputs), nodes(variables), len(variables), nodes(data), len(data))
            if not self._handle:
                tape.fail()
        for name, value, usual in ((b"accurate", accurate, False), (b"taste", taste, True), (b"rounding", rounding, False), (b"evaluations", evaluations, 0)):
            if value != usual:
                self._check(lib.plan_set(self._handle, name, float(value)))
        self._check(lib.plan_run(self._handle, pointers(arrays) if arrays is not None else None))
        self.method: str = lib.plan_method(self._handle).decode()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._free(self._handle)

    def _check(self, status: int) -> None:
        if status < 0:
            raise error(status, lib.plan_message(self._handle).decode())

    def to_json(self) -> str:
        """The table, the choice and this machine's figures as JSON."""
        return lib.plan_explain(self._handle, 1).decode()  # type: ignore[no-any-return]

    @property
    def table(self) -> list[dict[str, Any]]:
        return json.loads(self.to_json())["methods"]  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return lib.plan_explain(self._handle, 0).decode()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<camber plan of a {self.kind.replace('_', ' ')}: {self.method}>"

    def _repr_html_(self) -> str:
        whole = json.loads(self.to_json())
        head = ("method", "flops", "bytes", "colors", "passes", "memory", "predicted", "measured", "error")
        rows = []
        for e in whole["methods"]:
            if not e["applies"]:
                rows.append(f"<tr><td>{e['method']}</td><td colspan='8'>does not apply: {html.escape(e['reason'])}</td></tr>")
                continue
            cells = [f"{e['flops']:.3g}", f"{e['bytes']:.3g}", e["colors"], e["passes"], f"{e['memory']:.3g} B", f"{e['predicted_ns'] / 1e3:.3g} us",
                     f"{e['measured_ns'] / 1e3:.3g} us" if e["measured_ns"] else "-", f"{e['error']:.1e}"]  # fmt: skip
            name = f"<b>{e['method']}</b>" if e["method"] == self.method else e["method"]
            rows.append(f"<tr><td>{name}</td>" + "".join(f"<td style='text-align:right'>{c}</td>" for c in cells) + "</tr>")
        title = f"{self.kind.replace('_', ' ')}, {whole['rows']} x {whole['columns']}: <b>{self.method}</b> ({whole['ground']})"
        table = "<table><tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>" + "".join(rows) + "</table>"
        return f"<div><p>{title}</p>{table}{self._picture() if self._picture else ''}</div>"


def plan(f: Callable[..., Any], *args: Any, hessian: bool = False, sparse: bool = False, argnums: Argnums = 0, accurate: bool = False, taste: bool = True,
         rounding: bool = False, evaluations: float = 0) -> Plan:  # fmt: skip
    """What each method would take for the Jacobian (Hessian) of `f` at these arguments, and the method that suits.

    Methods that are near each other by prediction are run at the arguments, in turns, unless `taste` is False.

    Parameters
    ----------
    hessian, sparse
        What is wanted: of a scalar, its Hessian; as a sparse matrix.
    argnums
        The arguments to differentiate by.
    accurate
        The method with the least predicted rounding error: bounds at these arguments, as of `cb.rounding`.
    rounding
        Those bounds for the table, too, where the fastest method is wanted.
    evaluations
        How often the derivative will be evaluated, about: planning then takes a tenth of that time, as far as it can stop. 0: it goes to its end.

    >>> import numpy as np, camber as cb
    >>> p = cb.plan(lambda x: np.sum(x**2) * x[0], np.ones(100))
    >>> p.method
    'reverse'
    >>> [e["passes"] for e in p.table if e["method"] == "forward"]
    [100]
    """
    traced = f if isinstance(f, Function) else Function(f)
    if any_traced(pytree.leaves(args)):
        raise InvalidError("plan: the arguments must be numbers, not values being traced")
    kind = ("sparse_" if sparse else "") + ("hessian" if hessian else "jacobian")
    made = _made(traced, args, as_argnums(argnums, args, "plan"), kind, accurate, taste, rounding, evaluations)

    def picture() -> str:
        from .sparse import sparse_hessian, sparse_jacobian

        x, rest = args[0], args[1:]
        matrix = (sparse_hessian if hessian else sparse_jacobian)(traced, coloring="star" if hessian else "forward")(x, *rest)
        return matrix._repr_svg_() if max(matrix.shape) <= 20000 and matrix.nnz <= 200000 else ""

    made._picture = picture if argnums == 0 else None
    return made


class _Recorded:
    """A function on a tape, for plans of it: nodes of outputs, variables and data, and where their values are among the arguments' leaves."""

    __slots__ = ("tape", "outputs", "variables", "data", "points", "lock")

    def __init__(self, traced: Function, args: tuple[Any, ...], tree: pytree.Tree, keys: tuple[Any, ...], leaves: list[Any], chosen: tuple[int, ...]) -> None:
        owner = [i for i, a in enumerate(args) for _ in pytree.leaves(a)]
        self.tape, inputs, places, result = traced._trace(tree, keys, leaves if traced._guards else None)
        wanted = [owner[p] in chosen and x._code in dt.FLOATS for x, p in zip(inputs, places)]
        order = [i for i, w in enumerate(wanted) if w] + [i for i, w in enumerate(wanted) if not w]
        self.variables, self.data = ([inputs[i]._node for i in order if wanted[i] is w] for w in (True, False))
        self.points = [(places[i], (inputs[i].shape, inputs[i]._code), f"plan: argument {k}") for k, i in enumerate(order)]
        self.outputs = [on_tape(leaf, self.tape)._node for leaf in pytree.leaves(result)]
        self.lock = threading.Lock()


def _made(traced: Function, args: tuple[Any, ...], chosen: tuple[int, ...], kind: str, accurate: bool, taste: bool, rounding: bool = False, evaluations: float = 0) -> Plan:
    leaves, tree = pytree.flatten((args, {}))
    keys = tuple([leaf_key(leaf) for leaf in leaves])
    # Recorded once for each kind of arguments, but where the function's own branches go by their values.
    key = ("plan", tree, keys, chosen)
    recorded = None if traced._guards else traced.derived.get(key)
    if recorded is None:
        recorded = _Recorded(traced, args, tree, keys, leaves, chosen)
        if not traced._guards:
            recorded = traced.derived.setdefault(key, recorded)
    arrays = [input_array(np.asarray(leaves[p], dt.NUMPY[k[1]]), k, what) for p, k, what in recorded.points]
    return Plan(recorded.tape, kind, recorded.outputs, recorded.variables, recorded.data, arrays, accurate, taste, rounding, evaluations, recorded.lock)


class Planned(Function):
    """A derivative whose method the planner chooses at the first arguments of each kind; traced, the default method."""

    def __init__(self, f: Callable[..., Any], argnums: Argnums, hessian: bool, accurate: bool, by: Callable[[str], Function], plain: Function) -> None:
        super().__init__(f, inner=plain._inner)
        self._source = f if isinstance(f, Function) else Function(f)
        self._plan, self._by, self._methods = (argnums, "hessian" if hessian else "jacobian", accurate), by, {}  # type: ignore[var-annotated]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A function whose own branches are recorded has a program for each way: no one plan is its plan.
        if state.stack or kwargs or self._guards or any_traced(pytree.leaves(args)):
            return super().__call__(*args, **kwargs)
        leaves, tree = pytree.flatten(args)
        key = (tree, tuple([leaf_key(leaf) for leaf in leaves]))
        if key not in self._methods:
            argnums, kind, accurate = self._plan
            self._methods[key] = _made(self._source, args, as_argnums(argnums, args, kind), kind, accurate, True)
        return self._by(self._methods[key].method)(*args)

    def plan(self, *args: Any) -> Plan:
        """The plan for arguments like these."""
        self(*args)
        leaves, tree = pytree.flatten(args)
        return self._methods[(tree, tuple([leaf_key(leaf) for leaf in leaves]))]  # type: ignore[no-any-return]


def blocks_by(placed: Placed, kind: str, method: str, outputs: list[int]) -> list[int]:
    """Blocks of a dense Jacobian or Hessian by a method by name."""
    count = (len(placed.inputs) if kind == "hessian" else len(outputs)) * len(placed.inputs)
    out = (ctypes.c_int64 * max(1, count))()
    if lib.plan_blocks(placed.tape.handle, kind.encode(), method.encode(), nodes(outputs), len(outputs), nodes(placed.inputs), len(placed.inputs), out):
        placed.tape.fail()
    return list(out)[:count]


def save_plans(path: str | os.PathLike[str]) -> None:
    """Writes this process's verdicts to a file."""
    if lib.plan_save(os.fsencode(path)):
        raise FileError(f"save_plans: {os.fspath(path)} cannot be written")


def load_plans(path: str | os.PathLike[str]) -> None:
    """Takes verdicts from a file that save_plans wrote on this machine; those of other machines are left out."""
    if lib.plan_load(os.fsencode(path)):
        raise FileError(f"load_plans: {os.fspath(path)} cannot be read, or holds no verdicts")


def forget_plans() -> None:
    """Forgets this process's verdicts: methods are tasted anew."""
    lib.plan_forget()
