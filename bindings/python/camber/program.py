"""Program: chosen inputs and outputs of a tape, compiled. The core's own object, with its types and its buffers."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from ._errors import DtypeError, InvalidError, ShapeError, error
from ._library import lib
from ._tape import Tape, nodes

Type = tuple[tuple[int, ...], int]


class Workspace:
    """The memory of one running thread."""

    __slots__ = ("handle",)

    def __init__(self, program: Any) -> None:
        self.handle = lib.workspace_new(program)
        if not self.handle:
            raise error(-5, "a workspace's memory was refused")

    def __del__(self, free: Any = lib.workspace_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)


class Program:
    """`outputs` as a function of `inputs`, immutable and shared by threads; each thread runs in its own workspace.

    Parameters
    ----------
    tape
        The tape of the nodes.
    inputs, outputs
        Nodes.
    check_finite
        A run whose outputs are not finite raises NonFiniteError.
    options
        Others by name, as `set` takes them.
    """

    def __init__(self, tape: Tape, inputs: Sequence[int], outputs: Sequence[int], *, check_finite: bool = False, **options: float) -> None:
        self.handle = lib.program_new(tape.handle, nodes(inputs), len(inputs), nodes(outputs), len(outputs))
        if not self.handle:
            tape.fail()
        self._describe()
        if check_finite:
            self.set("check_finite", 1)
        for name, value in options.items():
            self.set(name, value)

    @classmethod
    def of(cls, handle: Any) -> Program:
        """Takes over a program of the C interface."""
        made = cls.__new__(cls)
        made.handle = handle
        made._describe()
        return made

    def _describe(self) -> None:
        self.inputs = [self._type(lib.program_input_type, i) for i in range(lib.program_input_count(self.handle))]
        self.outputs = [self._type(lib.program_output_type, i) for i in range(lib.program_output_count(self.handle))]
        self._local = threading.local()

    def __del__(self, free: Any = lib.program_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _type(self, function: Any, i: int) -> Type:
        code, rank = ctypes.c_int32(), ctypes.c_size_t()
        self._check(function(self.handle, i, ctypes.byref(code), ctypes.byref(rank), None, 0))
        shape = (ctypes.c_int64 * rank.value)()
        self._check(function(self.handle, i, ctypes.byref(code), ctypes.byref(rank), shape, rank.value))
        return tuple(shape), code.value

    def _check(self, status: int) -> None:
        if status < 0:
            raise error(status, lib.program_message(self.handle).decode())

    def set(self, name: str, value: float) -> None:
        """An option by its name: see camber_program_set."""
        self._check(lib.program_set(self.handle, name.encode(), value))

    def alias(self, output: int, input: int) -> None:
        """Lets an output be written over an input of its type."""
        self._check(lib.program_alias(self.handle, output, input))

    @property
    def memory(self) -> int:
        """Bytes of a workspace."""
        return int(lib.program_memory(self.handle))

    def explain(self) -> str:
        """What runs, step by step."""
        return str(lib.program_explain(self.handle).decode())

    def __repr__(self) -> str:
        def names(types: list[Type]) -> str:
            return ", ".join(f"{dt.NAMES[code]}{list(shape)}" for shape, code in types)

        return f"Program({names(self.inputs)} -> {names(self.outputs)})"

    @property
    def workspace(self) -> Workspace:
        """This thread's workspace."""
        if not hasattr(self._local, "workspace"):
            self._local.workspace = Workspace(self.handle)
        return self._local.workspace  # type: ignore[no-any-return]

    def run(self, inputs: Sequence[Any], out: Sequence[np.ndarray[Any, Any]] | None = None) -> list[np.ndarray[Any, Any]]:
        """Runs on host arrays.

        Parameters
        ----------
        inputs
            One array an input, of its dtype and shape; one that is not contiguous is copied.
        out
            Arrays to write, of the outputs' dtypes and shapes, contiguous and writable: they are never copied. None makes new ones.

        Errors
        ------
        ShapeError, DtypeError
            Where an array is not what the program takes.
        """
        if len(inputs) != len(self.inputs):
            raise InvalidError(f"the program takes {len(self.inputs)} inputs, not {len(inputs)}")
        arrays = [input_array(a, t, f"input {i}") for i, (a, t) in enumerate(zip(inputs, self.inputs))]
        if out is None:
            results = [np.empty(shape, dt.NUMPY[code]) for shape, code in self.outputs]
        else:
            results = [output_array(a, t, f"output {i}") for i, (a, t) in enumerate(zip(out, self.outputs, strict=True))]
        workspace = self.workspace
        status = lib.run(self.handle, workspace.handle, pointers(arrays), pointers(results))
        if status:
            refuse(status, workspace)
        return results


def refuse(status: int, workspace: Workspace) -> None:
    """Raises for a run's status."""
    sentence = lib.workspace_message(workspace.handle).decode() or lib.status_message(status).decode()
    raise error(status, sentence)


def pointers(arrays: Sequence[np.ndarray[Any, Any]]) -> Any:
    """A C array of the arrays' addresses."""
    return (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])


def _matches(array: Any, kind: Type, what: str) -> None:
    shape, code = kind
    if array.shape != shape:
        raise ShapeError(f"{what}: shape {list(array.shape)} where {list(shape)} is wanted")
    if dt.code_of(array.dtype) != code or array.dtype.itemsize != dt.NUMPY[code].itemsize:
        raise DtypeError(f"{what}: dtype {array.dtype} where {dt.NAMES[code]} is wanted; cast it first")


def input_array(value: Any, kind: Type, what: str) -> np.ndarray[Any, Any]:
    """A host value as a contiguous array of a program's input; uint16 bits pass for bf16."""
    array = np.asarray(value)
    if kind[1] == dt.BF16 and array.dtype == np.uint16:
        array = array.view(dt.bfloat16)
    if array.dtype == dt.NUMPY[kind[1]].newbyteorder("S") and array.dtype.itemsize > 1 and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    _matches(array, kind, what)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(array.shape)


def output_array(array: Any, kind: Type, what: str) -> np.ndarray[Any, Any]:
    """An array to be written, as it is."""
    if not isinstance(array, np.ndarray):
        raise InvalidError(f"{what}: a {type(array).__name__} cannot be written; give an array")
    _matches(array, kind, what)
    if not array.flags.c_contiguous or not array.flags.writeable or not array.flags.aligned:
        raise InvalidError(f"{what}: the array must be contiguous, aligned and writable")
    return array
