"""Functions in files: what was traced, with its derivatives, to be run elsewhere and in other languages."""

from __future__ import annotations

import ctypes
import inspect
import json
import os
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._array import Array
from ._dispatch import any_traced
from ._errors import InvalidError, error
from ._library import check, lib
from ._tape import Tape, cast, current, lift, nodes, state, typed
from ._trace import Argnums, as_argnums
from .function import Compiled, Function, Static, leaf_key
from .linear import vjp
from .program import Program
from .transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad

_PLAIN = {"grad": grad, "value_and_grad": value_and_grad, "jacobian": jacobian, "hessian": hessian}
_ALONG = ("jvp", "hvp", "vjp")
_SCALARS = {float: dt.F64, int: dt.I64, bool: dt.BOOL}


class Handle:
    """A core archive with its life."""

    __slots__ = ("handle",)

    def __init__(self) -> None:
        self.handle: Any = lib.archive_new()
        if not self.handle:
            raise error(-5, "an archive's memory was refused")

    def __del__(self, free: Any = lib.archive_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def check(self, status: int) -> None:
        if status < 0:
            raise error(status, lib.archive_message(self.handle).decode())

    def pack(self) -> bytes:
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        self.check(lib.archive_pack(self.handle, ctypes.byref(data), ctypes.byref(size)))
        return ctypes.string_at(data.value or 0, size.value)


# ---- Structures as text ------------------------------------------------------------------------------------------------------


def _describe(tree: pytree.Tree) -> Any:
    children = [_describe(child) for child in tree.children]
    kind = tree.kind
    if kind is None:
        return "*"
    if kind is tuple or kind is list:
        return {"kind": kind.__name__, "of": children}
    if kind is dict:
        if not all(isinstance(key, (str, int)) and not isinstance(key, bool) for key in tree.data):
            raise InvalidError(f"save: the keys of a dict are strings or integers, not {tree.data!r}")
        return {"kind": "dict", "keys": list(tree.data), "of": children}
    if kind is type(None):
        return None
    if hasattr(kind, "_fields"):
        return {"kind": "namedtuple", "name": kind.__name__, "fields": list(kind._fields), "of": children}
    try:
        data = json.loads(json.dumps(tree.data))
    except (TypeError, ValueError):
        data = None
    if data != tree.data:
        raise InvalidError(f"save: what {kind.__qualname__} keeps beside its leaves ({tree.data!r}) cannot be written down")
    return {"kind": "registered", "name": f"{kind.__module__}.{kind.__qualname__}", "data": data, "of": children}


def _tree(text: Any) -> pytree.Tree:
    if text == "*":
        return pytree.LEAF
    if text is None:
        return pytree.Tree(type(None), None, ())
    children = tuple(_tree(child) for child in text["of"])
    kind = text["kind"]
    if kind in ("tuple", "list"):
        return pytree.Tree({"tuple": tuple, "list": list}[kind], len(children), children)
    if kind == "dict":
        return pytree.Tree(dict, tuple(text["keys"]), children)
    if kind == "namedtuple":
        return pytree.Tree(_named(text["name"], tuple(text["fields"])), len(children), children)
    for known in pytree._REGISTERED:
        if f"{known.__module__}.{known.__qualname__}" == text["name"]:
            return pytree.Tree(known, text["data"], children)
    raise InvalidError(f"load: the file holds a tree of {text['name']}; import it and cb.pytree.register it first")


_NAMED: dict[Any, Any] = {}


def _named(name: str, fields: tuple[str, ...]) -> Any:
    if (name, fields) not in _NAMED:
        _NAMED[name, fields] = namedtuple(name, fields)  # type: ignore[misc]
    return _NAMED[name, fields]


def _alike(a: pytree.Tree, b: pytree.Tree) -> bool:
    """The same structure; named tuples by name and fields, for a file has no classes."""
    if len(a.children) != len(b.children) or not all(map(_alike, a.children, b.children)):
        return False
    if a.kind is b.kind:
        return bool(a.data == b.data)
    fields = getattr(a.kind, "_fields", None)
    return fields is not None and fields == getattr(b.kind, "_fields", None) and a.kind.__name__ == b.kind.__name__


# ---- Saving --------------------------------------------------------------------------------------------------------------------


def _names(function: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """A name for each argument: the parameter's, where there is one."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    fixed = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [fixed[i] if i < len(fixed) else f"arg{i}" for i in range(len(args))]


def _paths(name: str, tree: Any) -> list[str]:
    found = pytree.paths(tree)
    return [name] if pytree.flatten(tree)[1].kind is None else [f"{name}.{path}" for path in found]


class _Inputs:
    """Traced inputs for example leaves: one node a leaf, shared by all functions of the file that take them."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.known: dict[tuple[str, Any], Array] = {}

    def trees(self, names: Sequence[str], args: Sequence[Any]) -> tuple[list[Any], list[Array], list[str], list[Any]]:
        """Arguments to call with, their inputs, the inputs' names, and what the file says of each leaf."""
        made, inputs, paths, notes = [], [], [], []
        for name, arg in zip(names, args):
            leaves, tree = pytree.flatten(arg)
            traced = []
            for path, leaf in zip(_paths(name, arg), leaves):
                key = leaf_key(leaf)
                if isinstance(key, Static):
                    if not isinstance(leaf, (str, int, float, bool, type(None))):
                        raise InvalidError(f"save: argument {path} is a {type(leaf).__name__}; it must be an array, a number or a string")
                    traced.append(leaf)
                    notes.append({"is": leaf})
                    continue
                code, shape, weak = (_SCALARS[key], (), key) if isinstance(key, type) else (*key, None)
                if (path, key) not in self.known:
                    self.known[path, key] = Array(self.tape, self.tape.input(shape, code), shape, code, weak)
                traced.append(self.known[path, key])
                inputs.append(traced[-1])
                paths.append(path)
                notes.append({})
            made.append(pytree.unflatten(tree, traced))
        return made, inputs, paths, notes


def _derivative(kind: str, f: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...]) -> tuple[Callable[..., Any], list[str], list[Any]]:
    """A function of the arguments and of one more tree: its call, the tree's name, an example."""
    if kind in _PLAIN:
        return _PLAIN[kind](f, argnums), [], []  # type: ignore[operator]
    chosen = as_argnums(argnums, args, f"save: {kind}")
    example = args[chosen[0]] if isinstance(argnums, int) else tuple(args[i] for i in chosen)

    def at(given: tuple[Any, ...]) -> tuple[Callable[[Any], Any], Any]:
        def of(x: Any) -> Any:
            whole = list(given)
            for i, part in zip(chosen, (x,) if isinstance(argnums, int) else x):
                whole[i] = part
            return f(*whole)

        return of, given[chosen[0]] if isinstance(argnums, int) else tuple(given[i] for i in chosen)

    def along(*given: Any) -> Any:
        of, x = at(given[:-1])
        if kind == "hvp":
            return hvp(of, x, given[-1])
        if kind == "jvp":
            return jvp(of, (x,), (given[-1],))[1]
        return vjp(of, x)[1](given[-1])[0]

    return along, ["ct" if kind == "vjp" else "v"], [example]


def _archive(f: Any, args: tuple[Any, ...], derivatives: Sequence[str], argnums: Argnums, notes: Mapping[str, str] | None) -> Handle:
    functions = dict(f) if isinstance(f, Mapping) else {"value": f}
    if isinstance(derivatives, str):
        derivatives = (derivatives,)
    if isinstance(f, Mapping) and derivatives:
        raise InvalidError("save: derivatives are of one function; put cb.grad(f) and the like into the dict")
    for kind in derivatives:
        if kind not in _PLAIN and kind not in _ALONG:
            raise InvalidError(f"save: no derivative is called '{kind}'; there are {', '.join([*_PLAIN, *_ALONG])}")
    archive, tape = Handle(), Tape()
    given = _Inputs(tape)
    try:
        for name, function in functions.items():
            result = _add(archive, tape, given, name, function, _names(function, args), args, getattr(function, "_options", {}))
            for kind in derivatives:
                derived, extra, example = _derivative(kind, function, argnums, args)
                if kind == "vjp":
                    example = [pytree.unflatten(result[1], [np.zeros(x.shape, dt.NUMPY[x._code]) for x in result[0]])]
                _add(archive, tape, given, kind, derived, _names(function, args) + extra, (*args, *example), {})
    finally:
        tape.closed = True
    for key, text in (notes or {}).items():
        archive.check(lib.archive_set_note(archive.handle, key.encode(), text.encode()))
    return archive


def _add(archive: Handle, tape: Tape, given: _Inputs, name: str, function: Callable[..., Any], names: list[str], args: tuple[Any, ...],
         options: Mapping[str, float]) -> tuple[list[Any], pytree.Tree]:  # fmt: skip
    traced, inputs, paths, leaves = given.trees(names, args)
    tape.closed = False
    with tape:
        out, tree = pytree.flatten(function(*traced))
        results = [lift(leaf, tape) for leaf in out]
    tape.closed = False
    whole = pytree.unflatten(tree, list(range(len(out))))
    results_paths = [] if tree.kind is None else pytree.paths(whole)
    called = name.encode()
    archive.check(lib.archive_add(archive.handle, called, tape.handle, nodes(x._node for x in inputs), _texts(paths), len(inputs),
                                  nodes(x._node for x in results), _texts(results_paths or [""] * len(results)), len(results)))  # fmt: skip
    for option, number in options.items():
        if number:
            archive.check(lib.archive_set(archive.handle, called, option.encode(), float(number)))
    text = json.dumps({"args": _describe(pytree.flatten(args)[1]), "leaves": leaves, "result": _describe(tree)}, separators=(",", ":"))
    archive.check(lib.archive_set_note(archive.handle, b"python:" + called, text.encode()))
    return results, tree


def _texts(names: Sequence[str]) -> Any:
    unique = [name if names.count(name) == 1 else "" for name in names]
    return (ctypes.c_char_p * max(1, len(names)))(*[name.encode() for name in unique])


def save(path: str | os.PathLike[str], f: Any, *args: Any, derivatives: Sequence[str] = (), argnums: Argnums = 0,
         notes: Mapping[str, str] | None = None) -> None:  # fmt: skip
    """Writes `f`, traced at arguments like these, and its derivatives: to be loaded here or in C, C++ or Swift.

    Parameters
    ----------
    f
        A function, saved as "value"; or a dict of functions of the same arguments, by name.
    args
        Examples: shapes, dtypes and structure count. Trees of arrays and numbers; strings are part of the program.
    derivatives
        Of "grad", "value_and_grad", "jacobian", "hessian", and "jvp", "hvp" (which take one more tree, the direction), "vjp" (the
        cotangent); each is saved under its name.
    argnums
        What they are taken by: see cb.grad.
    notes
        Texts by key.

    Errors
    ------
    FileError
        Where it cannot be written; the file is whole or untouched.

    >>> import numpy as np, camber as cb, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "f.camber")
    >>> cb.save(path, lambda w, x: np.sum(w * x), np.ones(2), np.ones(2), derivatives=("grad",))
    >>> f = cb.load(path)
    >>> f(np.array([1.0, 2.0]), np.array([3.0, 4.0])), f.grad(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    (np.float64(11.0), array([3., 4.]))
    """
    archive = _archive(f, args, derivatives, argnums, notes)
    archive.check(lib.archive_save(archive.handle, os.fsencode(path)))


def dumps(f: Any, *args: Any, derivatives: Sequence[str] = (), argnums: Argnums = 0, notes: Mapping[str, str] | None = None) -> bytes:
    """What `save` writes, as bytes."""
    return _archive(f, args, derivatives, argnums, notes).pack()


# ---- Loading -------------------------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Saved:
    """Reads a file of functions. Nothing in it is believed: see camber.h.

    Returns
    -------
    A Saved: called, it is the file's first function; `saved.grad` and `saved["grad"]` are the others.

    Errors
    ------
    FileError
        Where the file cannot be read, is truncated or altered; the sentence says where.
    """
    archive = Handle()
    archive.check(lib.archive_load(archive.handle, os.fsencode(path)))
    return Saved(archive)


def loads(data: bytes) -> Saved:
    """What `load` reads, from bytes."""
    archive = Handle()
    archive.check(lib.archive_unpack(archive.handle, bytes(data), len(data)))
    return Saved(archive)


class Saved(Mapping[str, "SavedFunction"]):
    """The functions of a file, by name. Pickles as the file's bytes."""

    def __init__(self, archive: Handle) -> None:
        self._archive = archive
        names = [lib.archive_function(archive.handle, i).decode() for i in range(lib.archive_count(archive.handle))]
        self._functions = {name: SavedFunction(archive, name) for name in names}

    def __getitem__(self, name: str) -> SavedFunction:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __getattr__(self, name: str) -> SavedFunction:
        functions = self.__dict__.get("_functions", {})
        if name in functions:
            return functions[name]  # type: ignore[no-any-return]
        raise AttributeError(f"the file has no function '{name}'; there are {', '.join(functions) or 'none'}")

    def __call__(self, *args: Any) -> Any:
        if not self._functions:
            raise InvalidError("the file holds no function")
        return next(iter(self._functions.values()))(*args)

    def note(self, key: str) -> str | None:
        """A text by its key."""
        text = lib.archive_note(self._archive.handle, key.encode())
        return None if text is None else text.decode()

    def __reduce__(self) -> Any:
        return loads, (self._archive.pack(),)

    def __repr__(self) -> str:
        return f"<camber functions {', '.join(self._functions)}>"


def _one(data: bytes, name: str) -> SavedFunction:
    return loads(data)[name]


class SavedFunction:
    """A function of a file: runs compiled, and may be used, differentiated and batched while another is traced."""

    def __init__(self, archive: Handle, name: str) -> None:
        self._archive = archive
        self.__name__ = self._name = name
        self._compiled: Compiled | None = None
        inputs, outputs = ctypes.c_size_t(), ctypes.c_size_t()
        check(lib.archive_arity(archive.handle, name.encode(), ctypes.byref(inputs), ctypes.byref(outputs)))
        self.input_names = [lib.archive_input_name(archive.handle, name.encode(), i).decode() for i in range(inputs.value)]
        self.output_names = [lib.archive_output_name(archive.handle, name.encode(), i).decode() for i in range(outputs.value)]
        star = "*"
        text = lib.archive_note(archive.handle, b"python:" + name.encode())
        # A file of another language: as many arguments as inputs.
        plain = {"args": {"kind": "tuple", "of": [star] * inputs.value}, "leaves": [{}] * inputs.value,
                 "result": star if outputs.value == 1 else {"kind": "tuple", "of": [star] * outputs.value}}  # fmt: skip
        try:
            said: Any = plain if text is None else json.loads(text)
            self._args, self._result, self._leaves = _tree(said["args"]), _tree(said["result"]), said["leaves"]
            fits = len(self._leaves) == self._args.size and self._result.size == outputs.value
            self._places = [i for i, leaf in enumerate(self._leaves) if "is" not in leaf]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as problem:
            if isinstance(problem, InvalidError):
                raise
            fits = False
        if not fits or len(self._places) != inputs.value:
            raise error(-9, f"load: what the file says of the arguments of '{name}' does not fit its inputs")

    @property
    def program(self) -> Program:
        """The compiled program."""
        return self._ready().program

    def _ready(self) -> Compiled:
        if self._compiled is None:
            handle = lib.archive_program(self._archive.handle, self._name.encode())
            if not handle:
                raise error(-1, lib.archive_message(self._archive.handle).decode())
            self._compiled = Compiled.of(Program.of(handle), self._places, self._result)
        return self._compiled

    def _take(self, args: tuple[Any, ...]) -> list[Any]:
        leaves, tree = pytree.flatten(args)
        if not _alike(tree, self._args):
            raise InvalidError(f"{self._name}: arguments of structure {tree} where the file says {self._args}")
        for leaf, said in zip(leaves, self._leaves):
            if "is" in said and (type(leaf) is not type(said["is"]) or leaf != said["is"]):
                raise InvalidError(f"{self._name}: argument {leaf!r} where the program was saved with {said['is']!r}")
        return [leaves[i] for i in self._places]

    def __call__(self, *args: Any) -> Any:
        given = self._take(args)
        if state.stack or any_traced(given):
            return self._inline(given)
        compiled = self._ready()
        kinds = compiled.program.inputs
        return compiled([_fit(x, shape, code) for x, (shape, code) in zip(given, kinds)])

    def _inline(self, given: list[Any]) -> Any:
        tape = current()
        if tape is None:
            raise InvalidError(f"{self._name}: a traced value is used outside the function that it belongs to")
        kinds = self.program.inputs
        traced = [lift(x, tape) for x in given]
        values = [cast(x, code) if x._weak is not None or not isinstance(g, Array) and np.ndim(g) == 0 else x for g, x, (_, code) in zip(given, traced, kinds)]
        out = (ctypes.c_int64 * max(1, len(self.output_names)))()
        if lib.archive_apply(self._archive.handle, self._name.encode(), tape.handle, nodes(v._node for v in values), len(values), out):
            tape.fail()
        return pytree.unflatten(self._result, [typed(tape, node) for node in list(out)[: len(self.output_names)]])

    def explain(self) -> str:
        """What runs, step by step."""
        return self.program.explain()

    def __reduce__(self) -> Any:
        return _one, (self._archive.pack(), self._name)

    def __repr__(self) -> str:
        inputs = ", ".join(name or "?" for name in self.input_names)
        return f"<camber function {self._name}({inputs}) of a file>"


def _fit(value: Any, shape: tuple[int, ...], code: int) -> Any:
    """Python's numbers bend to the input's dtype; arrays must have it."""
    if type(value) in _SCALARS and shape == () and (code in dt.FLOATS or type(value) is not float):
        return np.asarray(value).astype(dt.NUMPY[code])[()] if code != dt.BF16 else dt.to_bf16(value)
    return value
