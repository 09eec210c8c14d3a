"""The operator rows as functions: one for each row of camber_ops.h, with NumPy's broadcasting and promotion.

They are made from the header at import, so a new row is here without a line of Python.

>>> import camber as cb
>>> sorted(cb.ops.ROWS)[:3], cb.ops.ROWS["atan2"].arity
(['abs', 'acos', 'acosh'], 2)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _dtypes as dt
from ._errors import DtypeError
from ._header import Row
from ._library import HEADER, lib
from ._tape import broadcast, cast, common_shape, current, joint, made, tape_of, together

ROWS: dict[str, Row] = {row.name: row for row in HEADER.rows}

# What a NUMBER row means for bool, where NumPy gives it a meaning.
_LOGIC = {"add": "logical_or", "mul": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}

# What a FLOAT row is for integers and bool, which have no NaN.
_WHOLE = {"fmax": "maximum", "fmin": "minimum"}


def _emit(row: Row, values: list[Any], code: int, shape: tuple[int, ...], result: int) -> Any:
    tape = tape_of(values)
    node = getattr(lib, row.name)(tape.handle, *[v._node for v in values])
    return made(tape, node, shape, result)


def _float(row: Row, args: tuple[Any, ...], result: int | None = None) -> Any:
    values, code = joint(args)
    if code not in dt.FLOATS and row.name in _WHOLE:
        return _number(ROWS[_WHOLE[row.name]], args)
    if code not in dt.FLOATS:
        code = dt.F64
    values, code, shape = together(values, code)
    return _emit(row, values, code, shape, code if result is None else result)


def _number(row: Row, args: tuple[Any, ...]) -> Any:
    values, code, shape = together(args)
    if code == dt.BOOL:
        if row.name in _LOGIC:
            return _emit(ROWS[_LOGIC[row.name]], values, code, shape, code)
        if row.name in ("sub", "neg"):
            raise DtypeError(f"{row.name}: bool has no minus; use np.logical_xor or np.logical_not")
        values, code = [cast(v, dt.I64) for v in values], dt.I64
    out = _emit(row, values, code, shape, code)
    if all(getattr(v, "_weak", float) is not None or type(v) in (int, float) for v in args):
        out._weak = float if code in dt.FLOATS else int
    return out


def _integer(row: Row, args: tuple[Any, ...]) -> Any:
    values, code = joint(args)
    if code in dt.FLOATS:
        raise DtypeError(f"{row.name}: takes integers, not {dt.NAMES[code]}")
    values, code, shape = together(values, dt.I64)
    return _emit(row, values, code, shape, code)


def _compare(row: Row, args: tuple[Any, ...]) -> Any:
    values, code = joint(args)
    values, code, shape = together(values, dt.I32 if code == dt.BOOL else code)
    return _emit(row, values, code, shape, dt.BOOL)


def _logic(row: Row, args: tuple[Any, ...]) -> Any:
    values, code, shape = together(args, dt.BOOL)
    return _emit(row, values, code, shape, dt.BOOL)


def _chosen(row: Row, args: tuple[Any, ...]) -> Any:
    mask, *branches = args
    branches, code = joint(branches)
    if row.kind == "GATE" and code not in dt.FLOATS:
        branches, code = joint(branches, dt.F64)
    (mask,), _ = joint([mask], dt.BOOL)
    shape = common_shape([mask, *branches])
    values = [broadcast(v, shape) for v in (mask, *branches)]
    return _emit(row, values, code, shape, code)


_KINDS: dict[str, Callable[[Row, tuple[Any, ...]], Any]] = {
    "FLOAT": _float, "NUMBER": _number, "INTEGER": _integer, "COMPARE": _compare, "LOGIC": _logic, "SELECT": _chosen,
    "GATE": _chosen, "TEST": lambda row, args: _float(row, args, dt.BOOL),
}  # fmt: skip


def traced(name: str, *args: Any) -> Any:
    """A row by its name on the tape being recorded."""
    row = ROWS[name]
    return _KINDS[row.kind](row, args)


def _function(row: Row) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        if len(args) != row.arity:
            raise TypeError(f"{row.name}: takes {row.arity} operands, not {len(args)}")
        if current() is None and not any(hasattr(a, "_tape") for a in args):
            from ._dispatch import eager

            return eager(call)(*args)
        return _KINDS[row.kind](row, args)

    call.__name__ = call.__qualname__ = row.name
    call.__doc__ = f"The row ``{row.name}`` ({row.kind}) of camber_ops.h, element by element; {row.arity} operand(s)."
    return call


globals().update({name: _function(row) for name, row in ROWS.items()})
__all__ = [*ROWS, "ROWS", "traced"]
