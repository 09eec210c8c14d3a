"""The seven dtypes: Camber's codes, NumPy's names, and NumPy's rules for what two of them make."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._errors import DtypeError
from ._library import constants

F64, F32, F16, BF16, I64, I32, BOOL = (constants[f"CAMBER_{name}"] for name in ("F64", "F32", "F16", "BF16", "I64", "I32", "BOOL"))

try:
    import ml_dtypes  # type: ignore[import-not-found, import-untyped, unused-ignore]

    bfloat16 = np.dtype(ml_dtypes.bfloat16)
    NATIVE_BF16 = True
except ImportError:
    bfloat16 = np.dtype(np.uint16, metadata={"camber": "bfloat16"})
    NATIVE_BF16 = False

NUMPY = {F64: np.dtype(np.float64), F32: np.dtype(np.float32), F16: np.dtype(np.float16), BF16: bfloat16,
         I64: np.dtype(np.int64), I32: np.dtype(np.int32), BOOL: np.dtype(np.bool_)}  # fmt: skip
CODES = {dtype: code for code, dtype in NUMPY.items() if code != BF16}
NAMES = {F64: "f64", F32: "f32", F16: "f16", BF16: "bf16", I64: "i64", I32: "i32", BOOL: "bool"}
_BY_NAME = {name: code for code, name in NAMES.items()} | {"bfloat16": BF16}
_WIDER = {np.dtype(name): I32 for name in ("int8", "uint8", "int16", "uint16")} | {np.dtype("uint32"): I64}

FLOATS = frozenset((F64, F32, F16, BF16))
INTEGERS = frozenset((I64, I32))

# A table of the pairs: floats by width (bf16 with f16 meet in f32), an integer with a 16- or 32-bit float makes f64.
_ORDER = {BOOL: 0, I32: 1, I64: 2, F16: 3, BF16: 3, F32: 4, F64: 5}


def _pair(a: int, b: int) -> int:
    if a == b:
        return a
    low, high = sorted((a, b), key=_ORDER.__getitem__)
    if low in INTEGERS and high in FLOATS:
        return F64
    if {low, high} == {F16, BF16}:
        return F32
    return high


_PAIRS = {(a, b): _pair(a, b) for a in NUMPY for b in NUMPY}


def is_float(code: int) -> bool:
    """Whether the code is one of the four float dtypes."""
    return code in FLOATS


def code_of(dtype: Any) -> int:
    """Camber's code for anything NumPy takes as a dtype, or for a name such as ``'bf16'``.

    Errors
    ------
    DtypeError
        For complex, object, string and 64-bit unsigned dtypes.
    """
    if isinstance(dtype, str) and dtype in _BY_NAME:
        return _BY_NAME[dtype]
    dtype = np.dtype(dtype)
    code = CODES.get(dtype)
    if code is not None:
        return code
    if dtype == bfloat16 and (NATIVE_BF16 or (dtype.metadata or {}).get("camber") == "bfloat16"):
        return BF16
    if dtype in _WIDER:
        return _WIDER[dtype]
    if not dtype.isnative and dtype.newbyteorder("=") in CODES:
        return CODES[dtype.newbyteorder("=")]
    raise DtypeError(f"dtype {dtype} is none of Camber's (f64, f32, f16, bf16, i64, i32, bool)")


def promote(strong: list[int], weak: list[type]) -> int:
    """NumPy 2's rule (NEP 50) over codes; Python's own bool, int and float bend to the arrays they meet.

    >>> NAMES[promote([F32], [float])], NAMES[promote([I64, F32], [])], NAMES[promote([I32], [float])]
    ('f32', 'f64', 'f64')
    """
    code = strong[0] if strong else None
    for other in strong[1:]:
        code = _PAIRS[code, other]  # type: ignore[index]
    for kind in weak:
        if code is None:
            code = {bool: BOOL, int: I64, float: F64}[kind]
        elif kind is float and code not in FLOATS:
            code = F64
        elif kind is int and code == BOOL:
            code = I64
    assert code is not None
    return code


def to_bf16(values: Any) -> np.ndarray[Any, Any]:
    """Rounds to bfloat16, nearest even: an ``ml_dtypes`` array where that package is there, else marked uint16 bits.

    >>> from_bf16(to_bf16([1.0, 3.14159]))
    array([1.      , 3.140625], dtype=float32)
    """
    wide = np.asarray(values, np.float64)
    with np.errstate(all="ignore"):
        narrow = wide.astype(np.float32)
    bits = narrow.view(np.uint32).astype(np.uint64) if narrow.ndim else np.uint64(narrow.view(np.uint32))
    with np.errstate(all="ignore"):
        error = wide - narrow.astype(np.float64)  # breaks ties that the first rounding made
    half, rest = (bits >> np.uint64(16)) & np.uint64(1), bits & np.uint64(0xFFFF)
    outward = np.where(np.signbit(wide), -error, error)
    up = (rest > 0x8000) | ((rest == 0x8000) & ((outward > 0) | ((outward == 0) & (half == 1))))
    rounded = ((bits >> np.uint64(16)) + up).astype(np.uint16)
    rounded = np.where(np.isnan(wide), np.uint16(0x7FC0), rounded)
    return np.ascontiguousarray(rounded).reshape(wide.shape).view(bfloat16)


def from_bf16(values: Any) -> np.ndarray[Any, Any]:
    """bfloat16 (or its uint16 bits) as float32; exact."""
    bits = np.asarray(values)
    bits = bits.view(np.uint16) if bits.dtype.itemsize == 2 else bits.astype(np.uint16)
    return np.asarray(bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
