"""Camber: exact derivatives of numerical programs.

Write NumPy, wrap it in a transform, call it: the function is traced once, differentiated, compiled and run by libcamber.

>>> import numpy as np, camber as cb
>>> f = lambda x: np.sum(np.sin(x) * x)
>>> cb.grad(f)(np.array([0.0, np.pi]))
array([ 0.        , -3.14159265])
"""

from . import interpolate, linalg, nn, numpy, ops, optim, pytree, random, special
from ._array import Array
from ._dtypes import bfloat16, from_bf16, to_bf16
from ._errors import (
    BusyError,
    CallbackError,
    DerivativeError,
    DtypeError,
    Error,
    FileError,
    FlippedError,
    HandleError,
    InvalidError,
    MemoryRefused,
    NodeError,
    NonFiniteError,
    ShapeError,
    TracedError,
)
from ._library import HEADER, lib
from ._tape import Tape
from .associative import associative_scan
from .batching import vmap
from .callback import ShapeDtype, host_call, pure_callback
from .coloring import color
from .control import cond, fori_loop, map, switch, while_loop
from .curvature import Curvature, Figure, curvature
from .custom import custom_jvp, custom_vjp
from .elimination import EliminationCost, edge_pushing_cost, elimination_cost, preaccumulate
from .function import Function, function, tape_hash
from .health import Finding, Flow, flow, initialize, layer, lyapunov_exponents, mean_field, singular_values
from .linear import linearize, vjp
from .loops import scan
from .nonfinite import Birth, Nonfinite, empty, explain_nan, label, labels, nonfinite, origin
from .optim import LossScaler
from .planner import Plan, forget_plans, load_plans, plan, save_plans
from .program import Program
from .rounding import check_derivatives, rounding, rounding_bound
from .report import Events, Report
from .saved import Saved, SavedFunction, dumps, load, loads, save
from .sparse import SparseFunction, SparseMatrix, sparse_combination, sparse_hessian, sparse_jacobian, sparse_lagrangian, sparse_normal
from .solve import Solution, Solver, least_squares, minimize
from .stabilize import Rewrite, Stabilized, stabilize
from .taylor import directional, jet, taylor
from .tensors import load_tensors, save_tensors
from .transforms import (
    checkpoint,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linear_transpose,
    precision,
    simplify,
    stop_gradient,
    value_and_grad,
)

__version__ = ".".join(str(part) for part in HEADER.version)
__all__ = [
    "Curvature", "Events", "Figure", "Report", "curvature",
    "associative_scan",
    "Birth", "Nonfinite", "empty", "explain_nan", "label", "labels", "nonfinite", "origin", "stabilize", "Rewrite", "Stabilized",
    "HEADER", "Array", "BusyError", "CallbackError", "DerivativeError", "DtypeError", "EliminationCost", "Error", "FileError", "FlippedError", "Function", "HandleError",
    "InvalidError", "LossScaler", "MemoryRefused", "NodeError", "NonFiniteError", "Plan", "Program", "Saved", "SavedFunction", "ShapeDtype", "ShapeError", "Solution", "Solver", "Tape", "TracedError",
    "bfloat16", "checkpoint", "cond", "custom_jvp", "custom_vjp", "directional", "dumps", "edge_pushing_cost", "elimination_cost", "forget_plans", "fori_loop", "from_bf16", "function", "grad", "hessian", "host_call", "hvp", "interpolate", "jacfwd", "jacobian", "jacrev", "jet", "jvp", "lib",
    "linalg", "linear_transpose", "least_squares", "linearize", "load", "load_plans", "load_tensors", "loads", "map", "minimize", "nn", "numpy", "ops", "optim", "plan", "preaccumulate", "precision", "pure_callback", "pytree", "random", "save", "save_plans", "save_tensors", "scan",
    "Finding", "Flow", "flow", "initialize", "layer", "lyapunov_exponents", "mean_field", "singular_values",
    "check_derivatives", "rounding", "rounding_bound",
    "simplify", "special", "stop_gradient", "switch", "tape_hash", "taylor", "to_bf16", "value_and_grad", "vjp", "vmap", "while_loop",
    "SparseFunction", "SparseMatrix", "color", "sparse_combination", "sparse_hessian", "sparse_jacobian", "sparse_lagrangian", "sparse_normal",
]  # fmt: skip
