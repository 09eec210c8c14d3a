"""minimize and least_squares: the core's solvers, compiled from a Python function with its exact derivatives.

>>> import numpy as np, camber as cb
>>> rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
>>> found = cb.minimize(rosenbrock, np.array([-1.2, 1.0]), method="newton-cg")
>>> found.success, np.round(found.x, 6)
(True, array([1., 1.]))
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError, error
from ._library import lib
from ._tape import nodes
from ._trace import is_number
from .function import Function, leaf_key
from .program import input_array, pointers

OUTCOMES = ("converged", "small step", "out of steps", "stalled", "undefined", "unbounded")
_ALIASES = {"l-bfgs": "lbfgs", "lm": "levenberg-marquardt", "trust-ncg": "newton-cg", "trf": "gauss-newton-cg"}


@dataclass(frozen=True)
class Step:
    """One iteration, or (the first) the point where a solve began.

    `gradient` is the gradient's largest entry; `step` the step's length, 0 where the trial was refused; `control` the step along the line, the radius or
    the damping; `evaluations` and `products` count from the beginning.
    """

    value: float
    gradient: float
    step: float
    control: float
    evaluations: int
    products: int


@dataclass(frozen=True)
class Solution:
    """What a solve found: `x` has the structure of x0; `fun` is the value there, `cost` (of least squares) half the sum of squares.

    `status` is a word or two of `OUTCOMES`, `message` a sentence; `success` means that a tolerance was met.
    """

    x: Any
    fun: float
    status: str
    message: str
    success: bool
    journal: list[Step] = field(repr=False)

    @property
    def cost(self) -> float:
        """The value: of least squares, half the sum of squares."""
        return self.fun

    @property
    def iterations(self) -> int:
        """Entries of the journal after the first."""
        return max(len(self.journal) - 1, 0)

    nit = iterations

    @property
    def evaluations(self) -> int:
        """Points at which the function was evaluated."""
        return self.journal[-1].evaluations if self.journal else 0

    nfev = evaluations


class Solver:
    """A problem compiled for arguments like `x0` and `args`; `run` solves it from any point.

    `kind`: "minimize" or "least_squares". The rest is as in the functions of those names.
    """

    def __init__(self, kind: str, f: Callable[..., Any], x0: Any, args: Sequence[Any] = (), *, method: str, **options: float) -> None:
        points, tree = pytree.flatten(((x0, *args), {}))
        if any_traced(points):
            raise InvalidError(f"{kind}: x0 and args must be numbers, not values being traced")
        variables, self.tree = pytree.flatten(x0)
        for leaf in variables:
            if not is_number(leaf):
                raise DtypeError(f"{kind}: x0 has a leaf of type {type(leaf).__name__}; variables are arrays of floats")
        # Whole numbers are starting points like others: variables are floats.
        points[: len(variables)] = [_floating(leaf) for leaf in variables]
        traced = f if isinstance(f, Function) else Function(f)
        tape, inputs, places, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in points]))
        outputs = pytree.leaves(result)
        if kind == "minimize" and len(outputs) != 1:
            raise ShapeError(f"minimize: the function gives {len(outputs)} values; one scalar is wanted")
        count = len(variables)
        self.kind, self.kinds = kind, [(x.shape, x._code) for x in inputs]
        self.places, self.count = places, count
        entry = getattr(lib, kind)
        given = [outputs[0]._node] if kind == "minimize" else [nodes(o._node for o in outputs), len(outputs)]
        ids = [x._node for x in inputs]
        method = _ALIASES.get(method.lower(), method.lower())
        self.handle = entry(tape.handle, *given, nodes(ids[:count]), count, nodes(ids[count:]), len(ids) - count, method.encode())
        if not self.handle:
            tape.fail()
        for name, value in options.items():
            self._check(lib.solver_set(self.handle, name.encode(), float(value)))

    def __del__(self, free: Any = lib.solver_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _check(self, status: int) -> int:
        if status < 0:
            raise error(status, lib.solver_message(self.handle).decode())
        return status

    def run(self, x0: Any, args: Sequence[Any] = ()) -> Solution:
        """Solves from x0; x0 itself stays what it is."""
        points = pytree.leaves(((x0, *args), {}))
        points[: self.count] = [_floating(leaf) for leaf in points[: self.count]]
        arrays = [input_array(np.asarray(points[p]), k, f"{self.kind}: argument {i}") for i, (p, k) in enumerate(zip(self.places, self.kinds))]
        x = [np.array(a) for a in arrays[: self.count]]
        self._check(lib.solver_run(self.handle, pointers(arrays[self.count :]), pointers(x)))
        outcome = lib.solver_outcome(self.handle)
        tree = pytree.unflatten(self.tree, [a[()] if a.ndim == 0 else a for a in x])
        message = lib.solver_message(self.handle).decode()
        return Solution(tree, lib.solver_value(self.handle), OUTCOMES[outcome], message, outcome <= 1, self._journal())

    def findings(self) -> list[Any]:
        """What the last run shows: nothing where it converged. See camber_solver_findings."""
        from .health import rows

        return rows(lib.solver_findings(self.handle))

    def prescribe(self, remedy: Any) -> str:
        """A remedy by its name, or a finding's, for the next run; what was done, as a sentence. See camber_solver_prescribe."""
        name = remedy if isinstance(remedy, str) else remedy.remedy
        self._check(lib.solver_prescribe(self.handle, name.encode()))
        return str(lib.solver_message(self.handle).decode())

    def _journal(self) -> list[Step]:
        numbers, counts = (ctypes.c_double * 4)(), (ctypes.c_size_t * 2)()
        places = [ctypes.cast(ctypes.byref(numbers, 8 * i), ctypes.POINTER(ctypes.c_double)) for i in range(4)]
        places += [ctypes.cast(ctypes.byref(counts, 8 * i), ctypes.POINTER(ctypes.c_size_t)) for i in range(2)]  # type: ignore[misc]
        steps = []
        for i in range(lib.solver_iterations(self.handle) + 1):
            self._check(lib.solver_journal(self.handle, i, *places))
            steps.append(Step(*numbers, *counts))
        return steps


def _floating(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return array if dt.CODES.get(array.dtype) in dt.FLOATS else array.astype(np.float64)


def minimize(f: Callable[..., Any], x0: Any, args: Sequence[Any] = (), *, method: str = "lbfgs", **options: float) -> Solution:
    """A minimum of the scalar ``f(x, *args)`` near `x0`, with exact derivatives.

    Parameters
    ----------
    f
        Traced once. Takes a tree of f64 or f32 arrays like `x0`, and `args`; gives a scalar.
    x0
        The first point: an array or a tree of arrays.
    method
        "lbfgs" (limited-memory BFGS, strong Wolfe line search) or "newton-cg" (trust region, conjugate gradients on exact Hessian products).
    options
        steps, gradient_tolerance, step_tolerance, and the method's own: see camber_minimize in camber.h.

    Errors
    ------
    An outcome that is no success is a Solution that says so, not an exception.
    """
    return Solver("minimize", f, x0, args, method=method, **options).run(x0, args)


def least_squares(r: Callable[..., Any], x0: Any, args: Sequence[Any] = (), *, method: str = "levenberg-marquardt", **options: float) -> Solution:
    """A minimum of half the sum of squares of all elements of ``r(x, *args)`` near `x0`.

    `method` is "levenberg-marquardt" ("lm"; a dense Jacobian, orthogonal factors) or "gauss-newton-cg" (products with the Jacobian, no matrix); else as in
    `minimize`.

    >>> import numpy as np, camber as cb
    >>> t = np.linspace(0, 1, 20)
    >>> y = 3 * np.exp(-2 * t)
    >>> fit = cb.least_squares(lambda p, t, y: p["scale"] * np.exp(-p["rate"] * t) - y, {"scale": 1.0, "rate": 1.0}, (t, y))
    >>> fit.success, round(float(fit.x["rate"]), 9)
    (True, 2.0)
    """
    return Solver("least_squares", r, x0, args, method=method, **options).run(x0, args)
