"""Python branches on traced values: where a function is recorded at a known point, each records a guard."""

from __future__ import annotations

import os
import sys
from typing import Any

from . import _dtypes as dt
from ._errors import Error
from ._library import lib

_HERE = os.path.dirname(os.path.abspath(__file__))


def guarded(x: Any) -> Any:
    """The value of a traced scalar at the point where its function is recorded, which a guard then holds fast; None without such a point."""
    tape = x._tape
    if tape.point is None or tape.closed or x.shape != ():
        return None
    from .program import Program

    inputs, values = tape.point
    try:
        value = Program(tape, inputs, [x._node]).run(values)[0][()]
    except Error:
        return None  # it depends on more than the function's arguments, as within vmap
    if x._code == dt.BOOL:
        condition, expected = x, bool(value)
    elif x._code in dt.INTEGERS:
        condition, expected = x == value, True
    else:
        condition, expected = x != 0, bool(value != 0)
    if lib.guard(tape.handle, condition._node, int(expected), _place().encode()):
        tape.fail()
    return value


def _place() -> str:
    """File and line of the user's branch."""
    frame: Any = sys._getframe(1)
    while frame is not None and os.path.dirname(os.path.abspath(frame.f_code.co_filename)).startswith(_HERE):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else ""
