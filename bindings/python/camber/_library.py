"""The shared library, loaded: every function of the header with its ctypes prototype, as an attribute of `lib`."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from pathlib import Path
from typing import Any

from . import _header
from ._errors import error

HEADER = _header.read()
_VALUES: dict[str, Any] = {
    "void": None, "double": ctypes.c_double, "size_t": ctypes.c_size_t, "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64, "const char *": ctypes.c_char_p,
    "camber_status": ctypes.c_int32, "camber_dtype": ctypes.c_int32, "camber_node": ctypes.c_int64,
}  # fmt: skip


def _ctype(text: str) -> Any:
    if text in _VALUES:
        return _VALUES[text]
    if text.endswith("*") or text.endswith("_callback"):
        return ctypes.c_void_p
    raise ImportError(f"camber.h: no ctypes type for '{text}'")


def structure(name: str) -> type[ctypes.Structure]:
    """The ctypes form of a table of callbacks in camber.h."""
    fields = [(field, _ctype(text)) for field, text in HEADER.structs[name].fields]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def _candidates() -> list[str]:
    named = os.environ.get("CAMBER_LIBRARY")
    if named:
        return [named]
    here = Path(__file__).resolve().parent
    found = [here / "libcamber.so.0", here / "libcamber.so", *(up / "build" / "libcamber.so.0" for up in list(here.parents)[:4])]
    system = ctypes.util.find_library("camber")
    return [str(path) for path in found if path.is_file()] + [system or "libcamber.so.0"]


def _open() -> ctypes.CDLL:
    tried = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as problem:
            tried.append(f"{path}: {problem}")
    raise ImportError("camber: no libcamber.so.0 (set CAMBER_LIBRARY to its path). Tried " + "; ".join(tried))


class Library:
    """libcamber's functions by their names without ``camber_``.

    A function that the header lacks does not exist here; one that the library lacks is an error at import.
    """

    def __init__(self) -> None:
        self.dll = _open()
        path = self.dll._name
        digest = self._function(_header.Prototype("camber_header_digest", "const char *", ()))()
        if digest.decode() != HEADER.digest:
            raise ImportError(
                f"camber: {path} was built with another camber.h (digest {digest.decode()}) than the one read here "
                f"({HEADER.digest}, {_header.find()}); rebuild the library or set CAMBER_LIBRARY"
            )
        for prototype in HEADER.prototypes:
            setattr(self, prototype.name.removeprefix("camber_"), self._function(prototype))

    def _function(self, prototype: _header.Prototype) -> Any:
        try:
            function = self.dll[prototype.name]
        except AttributeError:
            raise ImportError(f"camber: {self.dll._name} lacks {prototype.name}") from None
        function.restype = _ctype(prototype.result)
        function.argtypes = [_ctype(text) for text in prototype.parameters]
        return function

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"camber.h has no camber_{name}")


lib = Library()
constants = HEADER.constants


def check(status: int, sentence: bytes | None = None) -> int:
    """Raises on a negative status; gives the others back."""
    if status < 0:
        raise error(status, (sentence or lib.status_message(status) or b"").decode())
    return status
