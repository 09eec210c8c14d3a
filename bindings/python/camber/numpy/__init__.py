"""NumPy's functions for traced values, under NumPy's names. Without a traced argument they are NumPy's own.

Plain ``np.sin(x)`` does the same inside a traced function; this module adds ``array`` and ``asarray`` of traced values.
"""

from __future__ import annotations

import types as _types
from typing import Any

import numpy as np

from .._dispatch import FUNCTIONS as _FUNCTIONS
from .._dispatch import UFUNCS as _UFUNCS
from .._dispatch import either as _either
from .._dtypes import bfloat16  # noqa: F401
from . import combine, elementwise, factor, linalg, more, order, reductions, shapes, signal  # noqa: F401

for _name in factor.__all__:
    setattr(linalg, _name, getattr(factor, _name))
linalg.__all__ = [*linalg.__all__, *factor.__all__]

_OWN = {"array": combine.array, "asarray": combine.asarray, "logsumexp": reductions.logsumexp, "relu": elementwise.relu}
_OWN |= {name: getattr(order, name) for name in (
    "top_k", "duplicated", "cummax", "cummin", "cumargmax", "cumargmin", "cumlogsumexp", "linear_recurrence", "segment_sum",
    "segment_prod", "segment_max", "segment_min", "dynamic_slice", "dynamic_update")}  # fmt: skip
_CONSTANTS = ("pi", "e", "inf", "nan", "newaxis", "euler_gamma", "float64", "float32", "float16", "int64", "int32", "bool_",
              "zeros", "ones", "full", "empty", "eye", "identity", "arange", "linspace", "logspace", "geomspace", "tri",
              "indices", "iinfo", "finfo", "ndarray", "dtype", "tril_indices", "triu_indices", "diag_indices", "ix_")  # fmt: skip


def _collect() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in dir(np):
        function = getattr(np, name)
        if isinstance(function, (np.ufunc, _types.FunctionType)) or callable(function):
            try:
                traced = _UFUNCS.get(function) or _FUNCTIONS.get(function)
            except TypeError:
                continue
            if traced is not None:
                found[name] = _either(traced, function)
    return found


_TRACED = _collect()
globals().update(_TRACED | {name: getattr(np, name) for name in _CONSTANTS if hasattr(np, name)} | _OWN)
__all__ = sorted({*_TRACED, *_OWN, "linalg", "bfloat16", *_CONSTANTS})


def __getattr__(name: str) -> Any:
    if hasattr(np, name):
        raise AttributeError(f"camber.numpy has no {name}: it cannot be traced")
    raise AttributeError(f"camber.numpy has no {name}")
