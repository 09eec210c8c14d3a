"""Array: a traced value. It has a shape and a dtype like a NumPy array, and no numbers until its program runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from . import _dtypes as dt
from ._dispatch import FUNCTIONS, UFUNCS, array_function, array_ufunc
from ._errors import TracedError, user_line
from ._guards import guarded
from ._tape import Tape, cast


class Array:
    """A node of a tape, met inside functions that Camber traces. Operators and NumPy functions on it record.

    It is immutable: ``x[i] = v`` is an error, ``x.at[i].set(v)`` gives the changed copy.

    >>> import numpy as np, camber as cb
    >>> @cb.function
    ... def f(x):
    ...     return np.sin(x[1:]) @ x[:-1]
    >>> float(f(np.zeros(3)))
    0.0
    """

    __slots__ = ("_tape", "_node", "shape", "_code", "_weak", "__weakref__")
    __array_priority__ = 1000

    def __init__(self, tape: Tape, node: int, shape: tuple[int, ...], code: int, weak: type | None = None) -> None:
        self._tape = tape
        self._node = node
        self.shape = shape
        self._code = code
        self._weak = weak

    # ---- What it is --------------------------------------------------------------------------------------------------

    @property
    def dtype(self) -> Any:
        return dt.NUMPY[self._code]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def node(self) -> int:
        """The core's node."""
        return self._node

    @property
    def tape(self) -> Tape:
        """The tape that it is recorded on."""
        return self._tape

    @property
    def T(self) -> Array:
        return self.transpose()

    @property
    def mT(self) -> Array:
        return FUNCTIONS[np.swapaxes](self, -1, -2)  # type: ignore[no-any-return]

    @property
    def real(self) -> Array:
        return self

    @property
    def imag(self) -> Array:
        return FUNCTIONS[np.zeros_like](self)  # type: ignore[no-any-return]

    @property
    def flat(self) -> Iterator[Array]:
        return iter(self.reshape(-1))

    @property
    def at(self) -> Any:
        """``x.at[i].set(v)``, ``.add(v)``, ``.subtract(v)``, ``.multiply(v)``, ``.divide(v)``, ``.min(v)``, ``.max(v)``, ``.apply(f)``: changed
        copies, for any of NumPy's keys; ``.get()``."""
        from ._indexing import At

        return At(self)

    def __repr__(self) -> str:
        return f"Array({dt.NAMES[self._code]}{list(self.shape)}, traced)"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a scalar")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a scalar")
        return (self[i] for i in range(self.shape[0]))

    def __hash__(self) -> int:
        return id(self)

    # ---- Numbers it has not ------------------------------------------------------------------------------------------

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise TracedError(f"{what} wants a number, but {self!r} has none until its program runs; {instead}{user_line()}")

    def __bool__(self) -> bool:
        known = guarded(self)
        if known is not None:
            return bool(known)
        self._refuse("a branch (if, while, and, or, not)", "use np.where(condition, a, b), & | ~, cb.cond, cb.while_loop, or cb.function(f, guards=True)")

    def __float__(self) -> float:
        self._refuse("float()", "use np functions on it, or return it from the function")

    def __int__(self) -> int:
        known = guarded(self) if self._code in dt.INTEGERS else None
        if known is not None:
            return int(known)
        self._refuse("int()", "use .astype(int), or return it from the function")

    def __complex__(self) -> complex:
        self._refuse("complex()", "Camber has no complex dtype")

    def __index__(self) -> int:
        known = guarded(self) if self._code in dt.INTEGERS else None
        if known is not None:
            return int(known)
        self._refuse("a Python index, range or shape", "index arrays with it as x[i] or np.take, loop with cb.scan, cb.fori_loop or cb.while_loop")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        self._refuse("np.asarray (or a NumPy call that needs one)", "use cnp.stack([...]) or cnp.array([...]) to put traced values together")

    def __round__(self, ndigits: int | None = None) -> Array:
        return FUNCTIONS[np.round](self, ndigits or 0)  # type: ignore[no-any-return]

    def __floor__(self) -> Array:
        return UFUNCS[np.floor](self)  # type: ignore[no-any-return]

    def __ceil__(self) -> Array:
        return UFUNCS[np.ceil](self)  # type: ignore[no-any-return]

    def __trunc__(self) -> Array:
        return UFUNCS[np.trunc](self)  # type: ignore[no-any-return]

    def __format__(self, spec: str) -> str:
        if spec:
            self._refuse("a format such as :.3f", "return it from the function and print it there")
        return repr(self)

    def item(self, *_: Any) -> NoReturn:
        self._refuse(".item()", "return it from the function")

    def tolist(self) -> NoReturn:
        self._refuse(".tolist()", "return it from the function")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TracedError(f"traced values are not changed in place; use x = x.at[key].set(value), or np.where{user_line()}")

    # ---- NumPy's protocols -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(function, args, dict(kwargs))

    def __getitem__(self, key: Any) -> Array:
        from ._indexing import getitem

        return getitem(self, key)  # type: ignore[no-any-return]

    # ---- Methods that are not a NumPy function's namesake ------------------------------------------------------------

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        """x in another dtype; float to integer truncates and saturates."""
        return cast(self, dt.code_of(dtype))  # type: ignore[no-any-return]

    def copy(self) -> Array:
        return self

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, _: Any) -> Array:
        return self

    def conj(self) -> Array:
        return self

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return FUNCTIONS[np.reshape](self, sizes, order=order)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> Array:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return FUNCTIONS[np.transpose](self, order or None)  # type: ignore[no-any-return]

    def flatten(self) -> Array:
        return self.reshape(-1)


# ---- Operators and methods by table ------------------------------------------------------------------------------------

_TAKEN = (Array, np.ndarray, np.generic, bool, int, float, list, tuple)


def _operator(ufunc: Any, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def left(self: Any, other: Any) -> Any:
        return UFUNCS[ufunc](self, other) if isinstance(other, _TAKEN) else NotImplemented

    def right(self: Any, other: Any) -> Any:
        return UFUNCS[ufunc](other, self) if isinstance(other, _TAKEN) else NotImplemented

    return right if swapped else left


_BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "divmod": np.divmod,
}  # fmt: skip
for _name, _ufunc in _BINARY.items():
    setattr(Array, f"__{_name}__", _operator(_ufunc))
    setattr(Array, f"__r{_name}__", _operator(_ufunc, swapped=True))
for _name, _ufunc in {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal}.items():
    setattr(Array, f"__{_name}__", _operator(_ufunc))


def _unary(ufunc: Any) -> Callable[[Any], Any]:
    return lambda self: UFUNCS[ufunc](self)


for _name, _ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}.items():
    setattr(Array, f"__{_name}__", _unary(_ufunc))


def _method(function: Any) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[function](self, *args, **kwargs)

    call.__name__ = function.__name__
    call.__doc__ = f"``np.{function.__name__}`` of this value."
    return call


_METHODS = ("sum prod mean var std max min any all argmax argmin cumsum cumprod ravel swapaxes squeeze repeat take clip dot "
            "trace diagonal round argsort argpartition searchsorted compress choose").split()  # fmt: skip
for _name in _METHODS:
    setattr(Array, _name, _method(getattr(np, _name)))
