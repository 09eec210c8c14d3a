"""curvature: figures of a function's Hessian with intervals, and the error of what stands in for it.

>>> import numpy as np, camber as cb
>>> c = cb.curvature(lambda x: np.sum(np.cosh(x)))(np.array([0.0, 1.0, 2.0]))
>>> c.trace()
Figure(6.305276, 6.305276 ... 6.305276)
>>> c.add_diagonal("mine", np.ones(3))
>>> round(c.error("mine", "operator").value, 6)
0.734198
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import pytree
from ._dispatch import any_traced
from ._errors import DtypeError, InvalidError, ShapeError, error
from ._library import lib
from ._tape import nodes
from ._trace import is_number
from .function import Function, leaf_key
from .program import input_array, pointers
from .solve import _floating

FIGURES = []
while (_name := lib.curvature_figure_name(len(FIGURES))) is not None:
    FIGURES.append(_name.decode())
_PRODUCT = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double))
STATES = ("kept", "damped", "no curvature", "noise")


@dataclass(frozen=True)
class Figure:
    """A number and the interval that holds it."""

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.value

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __repr__(self) -> str:
        return f"Figure({self.value:.7g}, {self.low:.7g} ... {self.high:.7g})"


class Pair(NamedTuple):
    """What became of a pair of a secant approximation; see camber_curvature_pair. `state` is one of `STATES`."""

    residual: float
    secant: float
    noise: float
    damping: float
    state: str


class Density(NamedTuple):
    """The smoothed density of eigenvalues at `places`, with pointwise intervals."""

    places: np.ndarray[Any, Any]
    density: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]


class Curvature:
    """The Hessian of a scalar function at a point. Options and figures: camber_curvature_set and camber_curvature_figure in camber_health.h.

    Vectors of the size of the variables come and go as trees like `x`, or as one flat array.
    """

    FIGURES = tuple(FIGURES)

    def __init__(self, f: Callable[..., Any], x: Any, args: Sequence[Any] = (), *, has_aux: bool = False, **options: float) -> None:
        points, tree = pytree.flatten(((x, *args), {}))
        if any_traced(points):
            raise InvalidError("curvature: the point must be numbers, not values being traced")
        variables, self.tree = pytree.flatten(x)
        for leaf in variables:
            if not is_number(leaf):
                raise DtypeError(f"curvature: the point has a leaf of type {type(leaf).__name__}; variables are arrays of floats")
        points[: len(variables)] = [_floating(leaf) for leaf in variables]
        self.count = len(variables)
        self.whole = tree
        traced = f if isinstance(f, Function) else Function(f)
        tape, inputs, self.places, result = traced._trace(tree, tuple([leaf_key(leaf) for leaf in points]))
        self.aux: Any = {}
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ShapeError("curvature: with has_aux the function gives (scalar, aux)")
            result, self.aux = result
        outputs = pytree.leaves(result)
        if len(outputs) != 1:
            raise ShapeError(f"curvature: the function gives {len(outputs)} values; one scalar is wanted")
        self.kinds = [(i.shape, i._code) for i in inputs]
        ids = [i._node for i in inputs]
        self._tape = tape
        self.handle = lib.curvature_new(tape.handle, outputs[0]._node, nodes(ids[: self.count]), self.count, nodes(ids[self.count :]), len(ids) - self.count)
        if not self.handle:
            tape.fail()
        self.n = int(lib.curvature_dimension(self.handle))
        self._kept: list[Any] = []
        self._raised: list[BaseException] = []
        self.set(**options)
        self.at(x, *args)

    def __del__(self, free: Any = lib.curvature_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def __repr__(self) -> str:
        return f"<camber curvature of {self.n} variables>"

    def _check(self, status: int) -> None:
        if self._raised:
            raise self._raised.pop()
        if status != 0:
            raise error(status, lib.curvature_message(self.handle).decode())

    def set(self, **options: float) -> Curvature:
        """Sets options by name."""
        for name, value in options.items():
            self._check(lib.curvature_set(self.handle, name.encode(), float(value)))
        return self

    def at(self, x: Any, *args: Any) -> Curvature:
        """Moves to another point, of the same structure and types."""
        points, tree = pytree.flatten(((x, *args), {}))
        if tree != self.whole:
            raise ShapeError("curvature: the point is not of the structure that was traced")
        points[: self.count] = [_floating(leaf) for leaf in points[: self.count]]
        arrays = [input_array(np.asarray(points[p]), k, f"curvature: argument {i}") for i, (p, k) in enumerate(zip(self.places, self.kinds))]
        self._check(lib.curvature_at(self.handle, pointers(arrays[: self.count]), pointers(arrays[self.count :])))
        return self

    # ---- vectors -----------------------------------------------------------------------------------------------------------

    def _flat(self, tree: Any, what: str) -> np.ndarray[Any, Any]:
        if isinstance(tree, np.ndarray) and tree.shape == (self.n,):
            return np.ascontiguousarray(tree, np.float64)
        leaves = pytree.same(self.tree, tree, what)
        for leaf, (shape, _) in zip(leaves, self.kinds):
            if np.shape(leaf) != shape:
                raise ShapeError(f"curvature: {what} has a leaf of shape {np.shape(leaf)}; {shape} is wanted")
        return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in leaves])

    def _rows(self, vectors: Sequence[Any], what: str) -> np.ndarray[Any, Any]:
        if isinstance(vectors, np.ndarray) and vectors.ndim == 2 and vectors.shape[1] == self.n:
            return np.ascontiguousarray(vectors, np.float64)
        return np.ascontiguousarray(np.stack([self._flat(v, what) for v in vectors]) if len(vectors) else np.empty((0, self.n)))

    def _tree(self, flat: np.ndarray[Any, Any]) -> Any:
        leaves, at = [], 0
        for shape, _ in self.kinds[: self.count]:
            size = int(np.prod(shape))
            leaves.append(flat[at : at + size].reshape(shape))
            at += size
        return pytree.unflatten(self.tree, leaves)

    def _new(self, count: int) -> np.ndarray[Any, Any]:
        return np.empty(count, np.float64)

    def gradient(self) -> Any:
        """The gradient at the point."""
        g = self._new(self.n)
        self._check(lib.curvature_gradient(self.handle, g.ctypes.data))
        return self._tree(g)

    def product(self, v: Any) -> Any:
        """H v, exact up to rounding."""
        given, w = self._flat(v, "the vector"), self._new(self.n)
        self._check(lib.curvature_product(self.handle, given.ctypes.data, w.ctypes.data))
        return self._tree(w)

    @property
    def products(self) -> int:
        """Products with the Hessian spent at this point so far."""
        return int(lib.curvature_products(self.handle))

    # ---- figures -----------------------------------------------------------------------------------------------------------

    def _figure(self, function: Any, *names: str) -> Figure:
        out = (ctypes.c_double * 3)()
        places = [ctypes.addressof(out) + 8 * i for i in range(3)]
        self._check(function(self.handle, *[name.encode() for name in names], *places))
        return Figure(*out)

    def figure(self, name: str) -> Figure:
        """A figure by its name: one of `Curvature.FIGURES`."""
        return self._figure(lib.curvature_figure, name)

    def trace(self, method: str | None = None) -> Figure:
        """The trace; `method`: "hutchinson", "hutch++" or "xtrace"; none: exact where the matrix is small."""
        return self.figure("trace" if method is None else f"trace_{method}")

    def frobenius(self) -> Figure:
        """The Frobenius norm."""
        return self.figure("frobenius")

    def norm(self) -> Figure:
        """The largest magnitude of an eigenvalue."""
        return self.figure("norm")

    def largest(self) -> Figure:
        """The largest eigenvalue."""
        return self.figure("largest")

    def smallest(self) -> Figure:
        """The smallest eigenvalue."""
        return self.figure("smallest")

    def condition(self) -> Figure:
        """The condition number."""
        return self.figure("condition")

    def log_determinant(self) -> Figure:
        """log |det(H + damping)|."""
        return self.figure("log_determinant")

    def evidence(self) -> Figure:
        """The log of the integral of exp(-f) by Laplace's approximation."""
        return self.figure("evidence")

    def _two(self, function: Any) -> tuple[Any, Any]:
        a, b = self._new(self.n), self._new(self.n)
        self._check(function(self.handle, a.ctypes.data, b.ctypes.data))
        return self._tree(a), self._tree(b)

    def diagonal(self) -> tuple[Any, Any]:
        """The diagonal, and the half widths of its intervals."""
        return self._two(lib.curvature_diagonal)

    def posterior(self) -> tuple[Any, Any]:
        """Variances of Laplace's posterior, and the half widths of their intervals."""
        return self._two(lib.curvature_posterior)

    def eigenvalues(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Eigenvalues (Ritz values of a large matrix), ascending, and how far from each there is an eigenvalue."""
        count = ctypes.c_size_t()
        self._check(lib.curvature_eigenvalues(self.handle, None, None, 0, ctypes.addressof(count)))
        values, residuals = self._new(count.value), self._new(count.value)
        self._check(lib.curvature_eigenvalues(self.handle, values.ctypes.data, residuals.ctypes.data, count.value, None))
        return values, residuals

    def density(self, count: int = 200) -> Density:
        """The density of eigenvalues at `count` places."""
        arrays = [self._new(max(count, 0)) for _ in range(4)]
        self._check(lib.curvature_density(self.handle, count, *[a.ctypes.data for a in arrays]))
        return Density(*arrays)

    # ---- approximations ----------------------------------------------------------------------------------------------------

    def add_diagonal(self, name: str, values: Any = None) -> None:
        """A diagonal; none: the Hessian's own."""
        given = None if values is None else self._flat(values, "the diagonal")
        self._check(lib.curvature_add_diagonal(self.handle, name.encode(), None if given is None else given.ctypes.data))

    def add_matrix(self, name: str, matrix: Any) -> None:
        """A symmetric matrix of n x n."""
        rows = np.ascontiguousarray(matrix, np.float64)
        if rows.shape != (self.n, self.n):
            raise ShapeError(f"curvature: the matrix is {rows.shape}; {(self.n, self.n)} is wanted")
        self._check(lib.curvature_add_matrix(self.handle, name.encode(), rows.ctypes.data))

    def add_product(self, name: str, product: Callable[[Any], Any]) -> None:
        """Any symmetric matrix: ``product(v)`` gives B v, of and as a flat array or a tree like x."""

        def call(_: Any, n: int, v: Any, out: Any) -> int:
            try:
                given = np.ctypeslib.as_array(v, (n,)).copy()
                np.ctypeslib.as_array(out, (n,))[:] = self._flat(product(given), "the product")
                return 0
            except BaseException as problem:  # noqa: BLE001  (nothing may cross the ABI; it is raised again behind it)
                self._raised.append(problem)
                return -10

        callback = _PRODUCT(call)
        self._check(lib.curvature_add_product(self.handle, name.encode(), ctypes.cast(callback, ctypes.c_void_p), None))
        self._kept.append(callback)

    def add_pairs(self, name: str, steps: Sequence[Any], changes: Sequence[Any], kind: str = "lbfgs", memory: int = 0, noise: float = -1.0) -> None:
        """A secant approximation ("bfgs", "lbfgs", "sr1") from steps and changes of the gradient, oldest first."""
        s, y = self._rows(steps, "a step"), self._rows(changes, "a change")
        if s.shape != y.shape:
            raise ShapeError(f"curvature: {len(s)} steps and {len(y)} changes of the gradient")
        self._check(lib.curvature_add_pairs(self.handle, name.encode(), kind.encode(), s.ctypes.data, y.ctypes.data, len(s), memory, noise))

    def pairs(self, name: str) -> list[Pair]:
        """What became of each pair."""
        found: list[Pair] = []
        numbers, state = (ctypes.c_double * 4)(), ctypes.c_int32()
        places = [ctypes.addressof(numbers) + 8 * i for i in range(4)]
        while (status := lib.curvature_pair(self.handle, name.encode(), len(found), *places, ctypes.addressof(state))) == 0:
            found.append(Pair(*numbers, STATES[state.value]))
        if status != -1 or not found:
            self._check(status)
        return found

    def add_differences(self, name: str, kind: str = "central") -> None:
        """Differences of the gradient, "forward" or "central", with an automatic step."""
        self._check(lib.curvature_add_differences(self.handle, name.encode(), kind.encode()))

    def _model(self, of: Any) -> list[int]:
        names = of if isinstance(of, (list, tuple)) else [of]
        found = []
        for name in names:
            try:
                found += [leaf._node for leaf in pytree.leaves(self.aux[name])]
            except (KeyError, IndexError, TypeError):
                raise InvalidError(f"curvature: the function's aux has no {name!r} (trace it with has_aux=True)") from None
        return found

    def add_gauss_newton(self, name: str, outputs: Any) -> None:
        """Generalized Gauss-Newton; `outputs`: keys of the function's aux (residuals, logits), one or several."""
        z = self._model(outputs)
        self._check(lib.curvature_add_gauss_newton(self.handle, name.encode(), nodes(z), len(z)))

    def add_fisher(self, name: str, outputs: Any, family: str, scale: float = 0.0) -> None:
        """The Fisher information: "gaussian", "bernoulli", "categorical", "poisson"; or "empirical", where outputs are losses."""
        z = self._model(outputs)
        self._check(lib.curvature_add_fisher(self.handle, name.encode(), nodes(z), len(z), family.encode(), scale))

    def add_kfac(self, name: str, layers: Sequence[tuple[int, int | None, Any, Any]], output: Any = None, family: str = "empirical", scale: float = 0.0) -> None:
        """K-FAC of dense layers: (number of the weight's leaf, of the bias' or None, key of the input, key of the preactivations)."""
        count = len(layers)
        weights = (ctypes.c_int64 * max(count, 1))(*[w for w, _, _, _ in layers])
        biases = (ctypes.c_int64 * max(count, 1))(*[-1 if b is None else b for _, b, _, _ in layers])
        a, s = [self._model(i)[0] for _, _, i, _ in layers], [self._model(o)[0] for _, _, _, o in layers]
        z = -1 if output is None else self._model(output)[0]
        self._check(lib.curvature_add_kfac(self.handle, name.encode(), count, ctypes.addressof(weights), ctypes.addressof(biases), nodes(a), nodes(s), z, family.encode(), scale))

    @property
    def approximations(self) -> list[str]:
        """Names of what was added."""
        return [lib.curvature_approximation(self.handle, i).decode() for i in range(lib.curvature_approximation_count(self.handle))]

    def error(self, name: str, figure: str) -> Figure:
        """An error of an approximation against the exact Hessian: see camber_curvature_error."""
        return self._figure(lib.curvature_error, name, figure)

    def error_names(self, name: str) -> list[str]:
        """What `error` can be asked of an approximation."""
        names: list[str] = []
        while (found := lib.curvature_error_name(self.handle, name.encode(), len(names))) is not None:
            names.append(found.decode())
        return names

    def errors(self, name: str) -> dict[str, Figure]:
        """All of them."""
        return {figure: self.error(name, figure) for figure in self.error_names(name)}


def curvature(f: Callable[..., Any], *, has_aux: bool = False, **options: float) -> Callable[..., Curvature]:
    """The curvature of the scalar function `f`: ``curvature(f)(x, *args)`` is its Hessian in x, looked at from all sides.

    Parameters
    ----------
    f
        Takes a tree of floats `x`, and `args`; gives a scalar, or with `has_aux` (scalar, dict of intermediate values), which Gauss-Newton, Fisher and K-FAC name.
    options
        seed, probes, steps, confidence, dense, damping, top, smoothing: see camber_curvature_set in camber_health.h.
    """
    return lambda x, *args: Curvature(f, x, args, has_aux=has_aux, **options)
