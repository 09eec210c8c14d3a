"""Random numbers as pure functions of a key: the same key gives the same numbers on every host.

>>> import numpy as np, camber as cb
>>> k = cb.random.key(7)
>>> bool(np.all(cb.random.uniform(k, (3,)) == cb.random.uniform(k, (3,))))
True
>>> cb.random.fold(k, 1) != k
np.True_
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import ops
from ._dispatch import own
from ._errors import DtypeError, InvalidError
from ._library import lib
from ._tape import cast, i64s, lift, made, tape_of

Shape = int | tuple[int, ...]


def key(seed: int) -> Any:
    """A key from an integer of up to 64 bits."""
    return np.int64((int(seed) + 2**63) % 2**64 - 2**63)


@own
def fold(key: Any, data: Any) -> Any:
    """A new key from a key and an integer, such as the number of a step or of a layer."""
    return ops.traced("fold_key", key, data)


def split(key: Any, count: int = 2) -> Any:
    """`count` new keys, as an array."""
    return fold(key, np.arange(count))


def _sizes(shape: Shape) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


def _draw(name: str, key: Any, shape: Shape, dtype: Any) -> Any:
    code = dt.code_of(dtype)
    if code not in dt.FLOATS:
        raise DtypeError(f"random.{name}: gives floats, not {dt.NAMES[code]}")
    key, sizes = _key(key), _sizes(shape)
    tape = tape_of((key,))
    node = getattr(lib, f"random_{name}")(tape.handle, key._node, code, i64s(sizes), len(sizes))
    return made(tape, node, sizes, code)


def _key(key: Any) -> Any:
    key = lift(key)
    if key._code not in dt.INTEGERS or key.shape != ():
        raise InvalidError(f"random: a key is one i64 (cb.random.key(seed)), not {key!r}")
    return cast(key, dt.I64)


@own
def uniform(key: Any, shape: Shape = (), dtype: Any = "f64", low: Any = None, high: Any = None) -> Any:
    """Numbers in [0, 1), or in [low, high)."""
    x = _draw("uniform", key, shape, dtype)
    if low is None and high is None:
        return x
    low, high = 0.0 if low is None else low, 1.0 if high is None else high
    return low + x * (high - low)


@own
def normal(key: Any, shape: Shape = (), dtype: Any = "f64") -> Any:
    """Normal numbers, mean 0 and variance 1."""
    return _draw("normal", key, shape, dtype)


@own
def bernoulli(key: Any, p: Any = 0.5, shape: Shape = ()) -> Any:
    """True with probability p."""
    return ops.traced("lt", _draw("uniform", key, shape, "f64"), p)


def dropout(x: Any, key: Any, rate: float) -> Any:
    """x / (1 - rate) where a uniform number is >= rate, else 0; 0 <= rate < 1, a constant."""
    if hasattr(rate, "_tape"):
        raise InvalidError("dropout: the rate is a constant of the program")
    return _dropout(float(rate))(x, key)


@lru_cache(maxsize=256)
def _dropout(rate: float) -> Any:
    @own
    def drop(x: Any, key: Any) -> Any:
        x, key = lift(x), _key(key)
        tape = tape_of((x, key))
        return made(tape, lib.dropout(tape.handle, x._node, key._node, rate), x.shape, x._code)

    return drop
