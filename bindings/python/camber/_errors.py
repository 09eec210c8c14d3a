"""Errors: one class a status, each carrying the core's own sentence."""

from __future__ import annotations

import linecache
import sys
import threading
from typing import Any


class Error(Exception):
    """Anything that Camber refuses. The sentence names the operator, the shapes and the argument."""

    status = 0


class InvalidError(Error, ValueError):
    """An argument outside what the call takes."""

    status = -1


class ShapeError(Error, ValueError):
    """Shapes that do not fit."""

    status = -2


class DtypeError(Error, TypeError):
    """A dtype that the operator does not take, or dtypes that differ."""

    status = -3


class NodeError(Error, ValueError):
    """A value of another trace: one that escaped the function it was made in."""

    status = -4


class MemoryRefused(Error, MemoryError):
    """Memory was refused, or the size cannot exist."""

    status = -5


class HandleError(Error, RuntimeError):
    """A handle that was freed, or one of another kind."""

    status = -6


class DerivativeError(Error, ArithmeticError):
    """This derivative does not exist."""

    status = -7


class BusyError(Error, RuntimeError):
    """The workspace is running in another thread."""

    status = -8


class FileError(Error, OSError):
    """A file could not be read or written, or is not what it claims."""

    status = -9


class NonFiniteError(Error, ArithmeticError):
    """An output is NaN or infinite, and ``check_finite`` asked."""

    status = 1


class FlippedError(Error, ArithmeticError):
    """A branch that was taken while recording (``guards=True``) goes the other way at this point."""

    status = 2


class CallbackError(Error, RuntimeError):
    """A function of the host's own failed; one of Python's comes back as the exception that it raised."""

    status = -10


class TracedError(Error, TypeError):
    """A traced value was forced to a number. Its value is known only when the program runs."""


def user_line() -> str:
    """Where the host's own code stands: the innermost line that is neither Camber's nor NumPy's, with its text."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("camber", "numpy"):
        frame = frame.f_back
    if frame is None:
        return ""
    path, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(path, number).strip()
    return f"\n  at {path}, line {number}" + (f": {text}" if text else "")


_BY_STATUS = {
    cls.status: cls
    for cls in (InvalidError, ShapeError, DtypeError, NodeError, MemoryRefused, HandleError, DerivativeError, BusyError,
                FileError, NonFiniteError, FlippedError, CallbackError)
}  # fmt: skip


class _Raised(threading.local):
    exception: BaseException | None = None


_raised = _Raised()


def keep(exception: BaseException) -> int:
    """Keeps what a callback raised until the call that it was called from comes back; the status for that."""
    _raised.exception = exception
    return CallbackError.status


def error(status: int, sentence: str) -> BaseException:
    """The exception for a status: where a callback of this thread raised one, that."""
    if status == CallbackError.status and _raised.exception is not None:
        exception, _raised.exception = _raised.exception, None
        return exception
    return _BY_STATUS.get(status, Error)(sentence)
