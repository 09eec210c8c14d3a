"""Named arrays in files: the safetensors format."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np

from . import _dtypes as dt
from ._errors import InvalidError, error
from ._library import lib
from ._tape import i64s
from .program import pointers


def save_tensors(path: str | os.PathLike[str], tensors: dict[str, Any]) -> None:
    """Writes named arrays: the file is whole or untouched.

    Errors
    ------
    FileError
        Where it cannot be written. DtypeError for a dtype that is none of Camber's seven.
    """
    arrays = [_exact(name, value) for name, value in tensors.items()]
    count = len(arrays)
    names = (ctypes.c_char_p * max(1, count))(*[name.encode() for name in tensors])
    codes = (ctypes.c_int32 * max(1, count))(*[dt.code_of(a.dtype) for a in arrays])
    ranks = (ctypes.c_size_t * max(1, count))(*[a.ndim for a in arrays])
    shapes = i64s(tuple(n for a in arrays for n in a.shape))
    status = lib.tensors_save(os.fsencode(path), count, names, codes, ranks, shapes, pointers(arrays))
    if status < 0:
        raise error(status, f"{os.fspath(path)}: {lib.status_message(status).decode()}")


def _exact(name: str, value: Any) -> Any:
    array = np.asarray(value)
    code = dt.code_of(array.dtype)
    if array.dtype.itemsize != dt.NUMPY[code].itemsize:
        raise InvalidError(f"tensor '{name}': dtype {array.dtype} is not stored; cast it to {dt.NUMPY[code]}")
    return np.ascontiguousarray(array).reshape(array.shape)


def load_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Reads named arrays; bf16 comes as `cb.bfloat16` (see cb.from_bf16).

    Errors
    ------
    FileError
        Where the file cannot be read or is not what it claims.
    """
    status = ctypes.c_int32()
    handle = lib.tensors_open(os.fsencode(path), ctypes.byref(status))
    if not handle:
        raise error(status.value, f"{os.fspath(path)}: {lib.status_message(status.value).decode()}")
    try:
        return dict(_one(handle, i) for i in range(lib.tensors_count(handle)))
    finally:
        lib.tensors_free(handle)


def _one(handle: Any, i: int) -> tuple[str, np.ndarray[Any, Any]]:
    name, code, rank = ctypes.c_char_p(), ctypes.c_int32(), ctypes.c_size_t()
    shape, data = ctypes.c_void_p(), ctypes.c_void_p()
    status = lib.tensors_get(handle, i, ctypes.byref(name), ctypes.byref(code), ctypes.byref(rank), ctypes.byref(shape), ctypes.byref(data))
    if status < 0:
        raise error(status, lib.status_message(status).decode())
    sizes = tuple((ctypes.c_int64 * rank.value).from_address(shape.value)) if rank.value and shape.value else ()
    array = np.empty(sizes, dt.NUMPY[code.value])
    if array.nbytes and data.value:
        ctypes.memmove(array.ctypes.data, data.value, array.nbytes)
    return (name.value or b"").decode(), array
