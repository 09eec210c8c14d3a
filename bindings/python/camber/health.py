"""Numerical health of a training: gradient flow, findings and their remedies.

>>> import numpy as np, camber as cb
>>> def loss(params, x):
...     for i, w in enumerate(params):
...         x = cb.layer(np.tanh(x @ w), f"layer {i}")
...     return np.sum(x**2)
>>> params = [0.001 * np.eye(4) for _ in range(12)]
>>> flow = cb.flow(loss)
>>> value, gradient = flow(params, np.ones((2, 4)))
>>> flow.findings()[0].kind
'vanish'
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._errors import InvalidError, error
from ._library import lib
from ._tape import i64s, nodes
from ._trace import as_argnums, is_number, scalar
from .function import Function, leaf_key
from .nonfinite import label
from .program import Program, input_array, output_array, pointers

SEVERITIES = ("", "note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """One row of a diagnosis.

    Attributes
    ----------
    kind
        A word or two: "explode", "vanish", "dead", ...
    severity
        "note", "warning" or "error".
    place
        The layer, parameter or input; "" for the whole.
    step
        The run at which it was first seen; -1: none.
    confidence
        From 0 to 1.
    evidence, numbers
        A sentence, and its numbers by name.
    remedy, advice
        The remedy's id ("" for none), and what it does.
    """

    kind: str
    severity: str
    place: str
    step: int
    confidence: float
    evidence: str
    remedy: str
    advice: str
    numbers: dict[str, float] = field(repr=False)

    def __str__(self) -> str:
        at = f" at {self.place}" if self.place else ""
        return f"{self.severity}: {self.kind}{at}: {self.evidence}" + (f" {self.advice}" if self.advice else "")


def rows(handle: Any) -> list[Finding]:
    """The findings behind a core handle, which is freed."""
    if not handle:
        raise error(-5, "findings: memory was refused")
    try:
        return [_row(handle, i) for i in range(lib.findings_count(handle))]
    finally:
        lib.findings_free(handle)


def _row(handle: Any, i: int) -> Finding:
    def text(name: bytes) -> str:
        return str(lib.findings_text(handle, i, name).decode())

    numbers = {}
    name, value = ctypes.c_char_p(), ctypes.c_double()
    while lib.findings_evidence(handle, i, len(numbers), ctypes.byref(name), ctypes.byref(value)) == 0:
        numbers[(name.value or b"").decode()] = value.value
    severity = SEVERITIES[int(lib.findings_number(handle, i, b"severity"))]
    return Finding(text(b"kind"), severity, text(b"place"), int(lib.findings_number(handle, i, b"step")), lib.findings_number(handle, i, b"confidence"),
                   text(b"evidence"), text(b"remedy"), text(b"advice"), numbers)  # fmt: skip


def layer(x: Any, name: str, steps: bool = False) -> Any:
    """Names a traced value for those who watch: a layer's result. Elsewhere it gives `x` back as it is.

    With `steps` each index of the first axis is a level of its own, such as a time step. Inside a loop's body it names nothing: give the loop's
    stacked result. It is a label, too: sentences about the value, and what is derived from it, name it.
    """
    if isinstance(x, Array):
        if x._tape.layers is not None:
            x._tape.layers.append((str(name), x._node, bool(steps)))
        label(x, str(name))
    return x


class Flow:
    """`value_and_grad` of a function that also watches: statistics of layers' values and adjoints, of parameters and of their updates.

    The function is traced at the first call, for the shapes of its arguments. Numbers are the same to the last bit as those of `value_and_grad`.

    Parameters
    ----------
    f
        Gives a float scalar. Layers are those that it names by `layer`; without any they are found: what follows each product with a parameter.
    argnums
        The argument that holds the parameters: a tree of float arrays.
    options
        window, warmup, every, unit_axis, loss_scale, and compute (a dtype: the precision to run in). See camber_flow_new in camber.h.
    """

    def __init__(self, f: Callable[..., Any], argnums: int = 0, **options: Any) -> None:
        self._f = f._function if isinstance(f, Function) else f
        self._argnum = argnums
        self._options = options
        self.handle: Any = None

    def __del__(self, free: Any = lib.flow_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _check(self, status: int) -> int:
        if status < 0:
            raise error(status, lib.flow_message(self.handle).decode())
        return status

    def _trace(self, args: tuple[Any, ...]) -> None:
        (chosen,) = as_argnums(self._argnum, args, "flow")
        leaves, tree = pytree.flatten((args, {}))
        keys = tuple(leaf_key(leaf) for leaf in leaves)
        self._key = (tree, keys)
        before = sum(len(pytree.leaves(a)) for a in args[:chosen])
        own, self._tree = pytree.flatten(args[chosen])
        names = [p or f"parameter {i}" for i, p in enumerate(pytree.paths(args[chosen]))]
        mine = range(before, before + len(own))
        for i, leaf in zip(mine, own):
            if not is_number(leaf) or dt.code_of(np.asarray(leaf).dtype) not in dt.FLOATS:
                raise InvalidError(f"flow: parameter '{names[i - before]}' is no array of floats")
        traced = Function(self._f)
        layers: list[tuple[str, int, bool]] = []
        traced._watch = layers
        tape, inputs, places, result = traced._trace(tree, keys)
        out = scalar(result, tape, "flow")
        where = {p: x for p, x in zip(places, inputs)}
        params = [where[i] for i in mine]
        data = [(p, x) for p, x in zip(places, inputs) if p not in mine]
        self._mine, self._places = list(mine), [p for p, _ in data]
        self._types = [(x.shape, x._code) for x in params]
        self._kinds = [(x.shape, x._code) for _, x in data]
        self._loss = out._code
        self.handle = lib.flow_new(tape.handle, out._node, nodes(x._node for x in params), len(params), nodes(x._node for _, x in data), len(data))
        if not self.handle:
            tape.fail()
        self._tape = tape
        for name, value in self._options.items():
            self.set(name, value)
        self._nodes = {name: node for name, node, _ in layers}
        self._inputs = nodes(x._node for x in inputs)
        for i, name in enumerate(names):
            self._check(lib.flow_name(self.handle, i, name.encode()))
        for name, node, steps in layers:
            self._check((lib.flow_steps if steps else lib.flow_layer)(self.handle, name.encode(), node))
        self.parameters = names

    def set(self, name: str, value: Any) -> None:
        """An option by its name."""
        if self.handle is None:
            self._options[name] = value
            return
        if name == "compute" and value is not None and not isinstance(value, int):
            value = dt.code_of(np.dtype(value))
        self._check(lib.flow_set(self.handle, name.encode(), -1.0 if value is None else float(value)))

    def __call__(self, *args: Any) -> tuple[Any, Any]:
        """The value and the gradient (times loss_scale, if one was set)."""
        leaves, tree = pytree.flatten((args, {}))
        if self.handle is None:
            self._trace(args)
        elif (tree, tuple(leaf_key(leaf) for leaf in leaves)) != self._key:
            raise InvalidError("flow: the arguments have other shapes, dtypes or structure than at the first call; make another flow for them")
        given = [input_array(np.asarray(leaves[p]), k, f"flow: parameter '{n}'") for p, k, n in zip(self._mine, self._types, self.parameters)]
        data = [input_array(np.asarray(leaves[p]), k, f"flow: argument {i}") for i, (p, k) in enumerate(zip(self._places, self._kinds))]
        slopes = [np.empty(shape, dt.NUMPY[code]) for shape, code in self._types]
        value = np.empty((), dt.NUMPY[self._loss])
        self._check(lib.flow_run(self.handle, pointers(given), pointers(data), value.ctypes.data, pointers(slopes)))
        return value[()], pytree.unflatten(self._tree, slopes)

    def findings(self) -> list[Finding]:
        """What the runs so far show, gravest first."""
        return rows(lib.flow_findings(self.handle)) if self.handle else []

    def prescribe(self, remedy: str | Finding, *args: Any, place: str = "", optimizer: Any = None, scaler: Any = None) -> str:
        """Applies a remedy by its name, or a finding's, in one call.

        Parameters
        ----------
        remedy
            A finding (its remedy, at its place), or an id: see camber_flow_prescribe.
        args
            What the flow is called with: parameters are changed in place where the remedy is theirs.
        optimizer, scaler
            Those that train, where the remedy is theirs.

        Returns
        -------
        What was done, as a sentence. The flow forgets its runs: the next ones show whether it helped.
        """
        if isinstance(remedy, Finding):
            remedy, place = remedy.remedy, place or remedy.place
        own, data = self._given("prescribe", args)
        self._check(lib.flow_prescribe(self.handle, remedy.encode(), place.encode(), optimizer.handle if optimizer is not None else None,
                                       scaler.handle if scaler is not None else None, pointers(own), pointers(data)))  # fmt: skip
        return str(lib.flow_message(self.handle).decode())

    def _given(self, what: str, args: tuple[Any, ...]) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
        """The arguments as parameters to be changed in place, and data."""
        leaves, tree = pytree.flatten((args, {}))
        if self.handle is None:
            self._trace(args)
        elif (tree, tuple(leaf_key(leaf) for leaf in leaves)) != self._key:
            raise InvalidError(f"{what}: the arguments are not those of the flow's calls")
        own = [output_array(leaves[p], k, f"{what}: parameter '{n}'") for p, k, n in zip(self._mine, self._types, self.parameters)]
        return own, [input_array(np.asarray(leaves[p]), k, f"{what}: argument {i}") for i, (p, k) in enumerate(zip(self._places, self._kinds))]

    def verify(self, *args: Any, optimizer: Any = None, steps: int = 24) -> list[Finding]:
        """Re-runs: training steps on copies of the parameters and of the optimizer, through the batches that were seen; what is then found.

        Nothing of the training is changed; the flow forgets its runs. See camber_flow_verify.
        """
        own, data = self._given("verify", args)
        handle = lib.flow_verify(self.handle, pointers(own), pointers(data), optimizer.handle if optimizer is not None else None, int(steps))
        if not handle:
            raise InvalidError(lib.flow_message(self.handle).decode())
        return rows(handle)

    def noise(self, *args: Any) -> tuple[float, float, float]:
        """The gradient's noise scale, from the batches seen, with |G|^2 and tr(S): see camber_flow_noise."""
        own, _ = self._given("noise", args)
        out = (ctypes.c_double * 3)()
        self._check(lib.flow_noise(self.handle, pointers(own), out))
        return out[0], out[1], out[2]

    def layers(self, names: str | list[str], *args: Any) -> Any:
        """Values of layers (the last of each name) at the arguments, with what remedies put into the program: inputs standardised or whitened, layers normalised, branches scaled.

        For the trained network: name its result a layer, too.
        """
        leaves, tree = pytree.flatten((args, {}))
        if self.handle is None:
            self._trace(args)
        elif (tree, tuple(leaf_key(leaf) for leaf in leaves)) != self._key:
            raise InvalidError("layers: the arguments are not those of the flow's calls")
        wanted = [names] if isinstance(names, str) else list(names)
        for name in wanted:
            if name not in self._nodes:
                raise InvalidError(f"layers: no layer is called {name!r}; there are {', '.join(self._nodes) or 'none'}")
        found = (ctypes.c_int64 * max(len(wanted), 1))()
        self._check(lib.flow_treat(self.handle, nodes(self._nodes[name] for name in wanted), len(wanted), found))
        handle = lib.program_new(self._tape.handle, self._inputs, len(self._inputs), found, len(wanted))
        if not handle:
            self._tape.fail()
        program = Program.of(handle)
        kinds = {**dict(zip(self._mine, self._types)), **dict(zip(self._places, self._kinds))}
        out = program.run([input_array(np.asarray(leaves[p]), kinds[p], f"layers: argument {p}") for p in sorted(kinds)])
        return out[0] if isinstance(names, str) else out

    def standard(self, i: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Of the i-th argument that is no parameter, after "standardize": means and factors of its features, of its shape without the first axis."""
        shape = self._kinds[i][0][1:] if self.handle and 0 <= i < len(self._kinds) else ()
        mean, factor = np.empty(shape), np.empty(shape)
        if not self.handle:
            raise InvalidError("flow: nothing has run")
        self._check(lib.flow_standard(self.handle, i, mean.ctypes.data, factor.ctypes.data, mean.size))
        return mean, factor

    @property
    def loss_scale(self) -> float:
        """The factor of the gradients."""
        return float(lib.flow_scale(self.handle)) if self.handle else float(self._options.get("loss_scale", 1.0))

    @property
    def levels(self) -> list[str]:
        """Names of the layers, each time step for itself."""
        return [lib.flow_level(self.handle, i).decode() for i in range(lib.flow_levels(self.handle))] if self.handle else []

    def statistic(self, name: str) -> np.ndarray[Any, Any]:
        """A statistic of all levels, or of all parameters: see camber_flow_statistic."""
        if not self.handle:
            raise InvalidError("flow: nothing has run")
        for count in (lib.flow_levels(self.handle), len(self.parameters)):
            out = np.empty(count)
            if lib.flow_statistic(self.handle, name.encode(), out.ctypes.data, count) == 0:
                return out
        raise error(-1, lib.flow_message(self.handle).decode())

    @property
    def slope(self) -> float:
        """The slope of log(gradient_rms) over the levels, from the loss back: > 0 grows."""
        return float(lib.flow_slope(self.handle)) if self.handle else float("nan")


def flow(f: Callable[..., Any], argnums: int = 0, **options: Any) -> Flow:
    """`value_and_grad` that watches: see Flow."""
    return Flow(f, argnums, **options)


def _map(f: Callable[..., Any], x: Any, args: tuple[Any, ...], what: str) -> tuple[Any, Any, Any, Any, int, Any, Any]:
    leaves, tree = pytree.flatten(((x, *args), {}))
    tape, inputs, places, result = Function(f)._trace(tree, tuple(leaf_key(leaf) for leaf in leaves))
    outputs = pytree.leaves(result)
    if len(outputs) != 1 or not inputs or places[0] != 0:
        raise InvalidError(f"{what}: the function takes one array first and gives one")
    arrays = [input_array(np.asarray(leaves[p]), (v.shape, v._code), f"{what}: argument {i}") for i, (p, v) in enumerate(zip(places, inputs))]
    return tape, outputs[0]._node, inputs[0]._node, nodes(v._node for v in inputs[1:]), len(inputs) - 1, arrays[0], arrays[1:]


def lyapunov_exponents(f: Callable[..., Any], x: Any, args: tuple[Any, ...] = (), *, steps: int = 100, count: int = 1, transposed: bool = False) -> np.ndarray[Any, Any]:
    """The largest Lyapunov exponents of iterating ``f(x, *args)``, per step; `transposed`: as gradients go. See camber_lyapunov_exponents.

    >>> import numpy as np
    >>> a = np.array([[2.0, 1.0], [0.0, 0.5]])
    >>> np.round(lyapunov_exponents(lambda x: a @ x, np.zeros(2), count=2), 2)
    array([ 0.69, -0.69])
    """
    tape, y, n, data, m, point, rest = _map(f, x, args, "lyapunov_exponents")
    out = np.empty(count)
    if lib.lyapunov_exponents(tape.handle, y, n, data, m, point.ctypes.data, pointers(rest), int(steps), int(transposed), out.ctypes.data, count):
        tape.fail()
    return out


@dataclass(frozen=True)
class SingularValues:
    """Extreme singular values, each with a bound: one lies within it."""

    largest: float
    largest_error: float
    smallest: float
    smallest_error: float


def singular_values(f: Callable[..., Any], x: Any, args: tuple[Any, ...] = (), *, steps: int = 40) -> SingularValues:
    """The extreme singular values of the Jacobian of ``f(x, *args)`` by products alone. See camber_singular_values.

    >>> import numpy as np
    >>> round(singular_values(lambda x: x * np.array([3.0, 2.0, 0.5]), np.zeros(3)).largest, 9)
    3.0
    """
    tape, y, n, data, m, point, rest = _map(f, x, args, "singular_values")
    out = (ctypes.c_double * 4)()
    if lib.singular_values(tape.handle, y, n, data, m, point.ctypes.data, pointers(rest), int(steps), out):
        tape.fail()
    return SingularValues(*out)


def mean_field(activation: str, weight: float, bias: float = 0.0) -> tuple[float, float, float]:
    """(q*, chi_1, depth scale) of a wide network: see camber_mean_field.

    >>> q, chi, depth = mean_field("relu", 2**0.5)
    >>> round(chi, 9)
    1.0
    """
    out = (ctypes.c_double * 3)()
    at = [ctypes.byref(out, 8 * i) for i in range(3)]
    status = lib.mean_field(activation.encode(), float(weight), float(bias), *at)
    if status < 0:
        raise error(status, f"mean_field: {activation!r} with {weight}, {bias}; there are tanh, relu, erf, linear")
    return out[0], out[1], out[2]


def initialize(method: str, array: np.ndarray[Any, Any], *, gain: float = 0.0, seed: int = 0) -> np.ndarray[Any, Any]:
    """Fills a float array with initial weights in place: "he", "lecun", "xavier", "orthogonal" or "zeros"; see camber_initialize.

    >>> import numpy as np
    >>> w = initialize("orthogonal", np.empty((3, 3)), seed=1)
    >>> bool(np.allclose(w.T @ w, np.eye(3)))
    True
    """
    code = dt.code_of(array.dtype)
    output_array(array, (array.shape, code), "initialize")
    status = lib.initialize(method.encode(), code, i64s(array.shape), array.ndim, float(gain), int(seed), array.ctypes.data)
    if status < 0:
        raise error(status, f"initialize: {method!r} of {dt.NAMES[code]}{list(array.shape)} with gain {gain}; there are he, lecun, orthogonal, xavier, zeros")
    return array
