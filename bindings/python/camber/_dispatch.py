"""Which traced function stands for which NumPy function: the tables behind ``__array_ufunc__`` and ``__array_function__``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from ._errors import DtypeError
from ._tape import array_type, cast, current

F = TypeVar("F", bound=Callable[..., Any])

UFUNCS: dict[Any, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
REDUCE: dict[Any, Callable[..., Any]] = {}
ACCUMULATE: dict[Any, Callable[..., Any]] = {}


def is_traced(value: Any) -> bool:
    """Whether a value is a traced array."""
    return isinstance(value, array_type())


def any_traced(values: Any) -> bool:
    """Whether a traced array is among the values, two lists deep."""
    kind = array_type()
    for value in values:
        if isinstance(value, kind):
            return True
        if isinstance(value, (list, tuple)) and any_traced(value):
            return True
    return False


def implements(*functions: Any) -> Callable[[F], F]:
    """Registers the traced form of NumPy functions, and gives back a function that takes both kinds of arrays.

    Without a traced argument the NumPy function itself is called: nothing is recorded.
    """

    def register(traced: F) -> F:
        for function in functions:
            (UFUNCS if isinstance(function, np.ufunc) else FUNCTIONS)[function] = traced
        return either(traced, functions[0])

    return register


def either(traced: F, plain: Callable[..., Any]) -> F:
    """`traced` where an argument is traced, `plain` otherwise."""

    @wraps(traced)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any_traced(args) or (kwargs and any_traced(kwargs.values())):
            return traced(*args, **kwargs)
        return plain(*args, **kwargs)

    return call  # type: ignore[return-value]


_EAGER: dict[Any, Any] = {}


def eager(function: Callable[..., Any]) -> Any:
    """A function of host arrays for a traced one, compiled and kept. Integers, strings and tuples (axes) are part of it."""
    if function not in _EAGER:
        from .function import Fixed, Function

        compiled = Function(function)

        def prepare(value: Any) -> Any:
            if isinstance(value, float):
                return value
            return Fixed(value) if value is None or isinstance(value, (bool, int, str, tuple, np.dtype, type)) else np.asarray(value)

        def call(*args: Any, **kwargs: Any) -> Any:
            return compiled(*[prepare(a) for a in args], **{name: prepare(v) for name, v in kwargs.items()})

        _EAGER[function] = call
    return _EAGER[function]


def own(traced: F) -> F:
    """A function that NumPy lacks: compiled and run when its arguments are host arrays."""

    @wraps(traced)
    def call(*args: Any, **kwargs: Any) -> Any:
        if current() is None and not any_traced(args) and not any_traced(kwargs.values()):
            return eager(traced)(*args, **kwargs)
        return traced(*args, **kwargs)

    return call  # type: ignore[return-value]


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``__array_ufunc__``: calls, reduce, accumulate and outer."""
    _no_out(ufunc, kwargs)
    if method == "__call__":
        return _call(ufunc, inputs, kwargs)
    if method == "outer" and len(inputs) == 2:
        left, right = (np.asarray(v) if not is_traced(v) else v for v in inputs)
        return _call(ufunc, (left[(Ellipsis,) + (None,) * right.ndim], right), kwargs)
    table = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {})
    if ufunc in table:
        if method == "reduce":
            kwargs.setdefault("axis", 0)
        return table[ufunc](*inputs, **kwargs)
    raise TypeError(f"np.{ufunc.__name__}.{method} cannot be traced; {_hint()}")


def _call(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    function = UFUNCS.get(ufunc) or _of_scipy(ufunc)
    if function is None:
        raise TypeError(f"np.{ufunc.__name__} cannot be traced; {_hint()}")
    dtype = kwargs.pop("dtype", None)
    if kwargs.pop("where", True) is not True:
        raise TypeError(f"np.{ufunc.__name__}: where= cannot be traced; use np.where(mask, value, other)")
    for name in ("casting", "order", "subok"):
        kwargs.pop(name, None)
    out = function(*inputs, **kwargs)
    return out if dtype is None else out.astype(dtype)


def _of_scipy(ufunc: Any) -> Any:
    """scipy.special's ufuncs by their names: SciPy itself is not imported."""
    from . import special

    name = ufunc.__name__
    return getattr(special, name) if name in special.__all__ and getattr(np, name, None) is not ufunc else None


def array_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``__array_function__``."""
    traced = FUNCTIONS.get(function)
    name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}"
    if traced is None:
        raise TypeError(f"{name} cannot be traced; {_hint()}")
    _no_out(function, kwargs)
    try:
        return traced(*args, **kwargs)
    except TypeError as problem:
        if "argument" in str(problem) and not isinstance(problem, DtypeError):
            raise TypeError(f"{name}: {problem}") from problem
        raise


def _no_out(function: Any, kwargs: dict[str, Any]) -> None:
    out = kwargs.pop("out", None)
    if out is not None and any(o is not None for o in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"np.{function.__name__}: out= cannot be traced, values are never changed in place; use the result")


def _hint() -> str:
    return "camber.numpy and camber.special list what can"


def with_dtype(x: Any, dtype: Any) -> Any:
    """x in a dtype that may be None."""
    from ._dtypes import code_of

    return x if dtype is None else cast(x, code_of(dtype))
