"""Camber: exact derivatives of numerical programs.

Write NumPy, wrap it in a transform, call it: the function is traced once, differentiated, compiled and run by libcamber.

>>> import numpy as np, camber as cb
>>> f = lambda x: np.sum(np.sin(x) * x)
>>> cb.grad(f)(np.array([0.0, np.pi]))
array([ 0.        , -3.14159265])
"""

from ._errors import (
    BusyError as BusyError,
    DerivativeError as DerivativeError,
    DtypeError as DtypeError,
    Error as Error,
    FileError as FileError,
    HandleError as HandleError,
    InvalidError as InvalidError,
    MemoryRefused as MemoryRefused,
    NodeError as NodeError,
    NonFiniteError as NonFiniteError,
    ShapeError as ShapeError,
    TracedError as TracedError,
)
from ._library import HEADER as HEADER, lib as lib  # noqa: I001
from ._dtypes import bfloat16 as bfloat16, from_bf16 as from_bf16, to_bf16 as to_bf16
from ._tape import Tape as Tape
from ._array import Array as Array
from . import ops as ops, pytree as pytree
from . import numpy as numpy
from .program import Program as Program
from .function import Function as Function, function as function, tape_hash as tape_hash
from .transforms import (
    grad as grad,
    hessian as hessian,
    hvp as hvp,
    jacfwd as jacfwd,
    jacobian as jacobian,
    jacrev as jacrev,
    jvp as jvp,
    precision as precision,
    simplify as simplify,
    stop_gradient as stop_gradient,
    value_and_grad as value_and_grad,
)
from .batching import vmap as vmap
from .linear import linearize as linearize, vjp as vjp
from .loops import fori_loop as fori_loop, map as map, scan as scan
from . import optim as optim, random as random, special as special
from .optim import LossScaler as LossScaler
from .tensors import load_tensors as load_tensors, save_tensors as save_tensors

__version__ = ".".join(str(part) for part in HEADER.version)
