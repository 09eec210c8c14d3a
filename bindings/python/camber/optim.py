"""Optimizers over trees of NumPy arrays, changed in place; schedules and loss scaling.

>>> import numpy as np, camber as cb
>>> params = {"w": np.array([1.0, -2.0])}
>>> opt = cb.optim.SGD(params, learning_rate=0.5)
>>> opt.step({"w": params["w"].copy()})
True
>>> params
{'w': array([ 0.5, -1. ])}
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtypes as dt
from . import pytree
from ._errors import InvalidError, error
from ._library import lib
from ._tape import i64s
from .program import input_array, output_array, pointers

_OK, _NONFINITE = 0, 1


class _Handle:
    """A core handle of one kind, with its options and its sentence."""

    kind = ""

    def __init__(self, *args: Any) -> None:
        self._free = getattr(lib, f"{self.kind}_free")
        self.handle = getattr(lib, f"{self.kind}_new")(*args)
        if not self.handle:
            raise InvalidError(f"{self.kind}: {b' '.join(a for a in args if a).decode()} is none that the core knows")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._free(self.handle)

    def _check(self, status: int) -> int:
        if status < 0:
            raise error(status, getattr(lib, f"{self.kind}_message")(self.handle).decode())
        return status

    def set(self, **options: float) -> None:
        """Options by name; see camber.h."""
        for name, value in options.items():
            self._check(getattr(lib, f"{self.kind}_set")(self.handle, name.encode(), float(value)))


class Schedule(_Handle):
    """A factor of the learning rate for each step.

    >>> s = step(every=10, factor=0.5)
    >>> s(0), s(10), s(25)
    (1.0, 0.5, 0.25)
    """

    kind = "schedule"

    def __init__(self, name: str, **options: float) -> None:
        super().__init__(name.encode())
        self.set(**options)

    def __call__(self, step: int) -> float:
        return float(lib.schedule_value(self.handle, step))


def constant(*, warmup: float = 0) -> Schedule:
    """1 throughout, after a linear rise over `warmup` steps."""
    return Schedule("constant", warmup=warmup)


def cosine(*, steps: float, final: float = 0, warmup: float = 0) -> Schedule:
    """From 1 to `final` along half a cosine over `steps` steps."""
    return Schedule("cosine", steps=steps, final=final, warmup=warmup)


def step(*, every: float, factor: float = 0.1, warmup: float = 0) -> Schedule:
    """Times `factor` every `every` steps."""
    return Schedule("step", every=every, factor=factor, warmup=warmup)


class Optimizer(_Handle):
    """Parameters and the state that moves them.

    Parameters
    ----------
    method
        "sgd", "adam" or "adamw".
    params
        A tree of float arrays (contiguous, writable), changed in place by `step`.
    schedule
        Scales the learning rate.
    options
        See camber_optimizer_new: learning_rate, weight_decay, l1, l2, clip_value, clip_norm, clip_global_norm, ...
    """

    kind = "optimizer"

    def __init__(self, method: str, params: Any, *, schedule: Schedule | None = None, **options: float) -> None:
        super().__init__(method.encode())
        self.set(**options)
        leaves, self._tree = pytree.flatten(params)
        self.names = pytree.paths(params)
        self._kinds = []
        for name, leaf in zip(self.names, leaves):
            if not isinstance(leaf, np.ndarray):
                raise InvalidError(f"parameter '{name}': a {type(leaf).__name__} cannot be changed in place; use an array (np.array(x))")
            kind = (leaf.shape, dt.code_of(leaf.dtype))
            output_array(leaf, kind, f"parameter '{name}'")
            self._check(lib.optimizer_add(self.handle, name.encode(), kind[1], i64s(leaf.shape), leaf.ndim))
            self._kinds.append(kind)
        self.params = params
        self._leaves = leaves
        self._pointers = pointers(leaves)
        if schedule is not None:
            self.set_schedule(schedule)

    def set_schedule(self, schedule: Schedule | None) -> None:
        """Scales the learning rate from now on; None: not."""
        self._check(lib.optimizer_set_schedule(self.handle, schedule.handle if schedule is not None else None))

    def step(self, gradients: Any) -> bool:
        """One step against a tree of gradients.

        Returns
        -------
        False where a gradient was not finite: then nothing changed.
        """
        leaves = pytree.same(self._tree, gradients, "step: gradients")
        arrays = [input_array(g, kind, f"gradient of '{name}'") for g, kind, name in zip(leaves, self._kinds, self.names)]
        return self._check(lib.optimizer_step(self.handle, self._pointers, pointers(arrays))) == _OK

    def nonfinite(self, gradients: Any) -> Any:
        """What of the next step against these gradients would not be finite, and where it would be born: see cb.nonfinite. Nothing is changed."""
        from .nonfinite import result

        leaves = pytree.same(self._tree, gradients, "nonfinite: gradients")
        arrays = [input_array(g, kind, f"gradient of '{name}'") for g, kind, name in zip(leaves, self._kinds, self.names)]
        handle = lib.optimizer_nonfinite(self.handle, self._pointers, pointers(arrays))
        if not handle:
            raise InvalidError(lib.optimizer_message(self.handle).decode())
        return result(handle)

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(lib.optimizer_steps(self.handle))

    @property
    def gradient_norm(self) -> float:
        """The joint norm of the last step's gradients, before clipping."""
        return float(lib.optimizer_gradient_norm(self.handle))

    def _state(self) -> dict[str, np.ndarray[Any, Any]]:
        """The core's own arrays by name; writing to them sets the state."""
        found = {}
        for i in range(lib.optimizer_state_count(self.handle)):
            name, code, count, data = ctypes.c_char_p(), ctypes.c_int32(), ctypes.c_size_t(), ctypes.c_void_p()
            self._check(lib.optimizer_state(self.handle, i, ctypes.byref(name), ctypes.byref(code), ctypes.byref(count), ctypes.byref(data)))
            dtype = dt.NUMPY[code.value]
            raw = (ctypes.c_byte * (count.value * dtype.itemsize)).from_address(data.value) if count.value and data.value else b""
            found[(name.value or b"").decode()] = np.frombuffer(raw, dtype)
        return found

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of the state's arrays, to save (`cb.save_tensors`)."""
        return {name: array.copy() for name, array in self._state().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a state back.

        Errors
        ------
        InvalidError
            Where names or sizes are not this optimizer's.
        """
        own = self._state()
        if set(own) != set(state):
            raise InvalidError(f"the state has {sorted(state)}, the optimizer {sorted(own)}")
        for name, array in own.items():
            given = np.asarray(state[name])
            if given.size != array.size or given.dtype != array.dtype:
                raise InvalidError(f"state '{name}': {given.dtype}{list(given.shape)} where {array.dtype}[{array.size}] is wanted")
            array[...] = given.reshape(-1)


class SGD(Optimizer):
    """Gradient descent; options learning_rate, momentum, nesterov, weight_decay, l1, l2, clip_*."""

    def __init__(self, params: Any, learning_rate: float = 1e-2, *, schedule: Schedule | None = None, **options: float) -> None:
        super().__init__("sgd", params, schedule=schedule, learning_rate=learning_rate, **options)


class Adam(Optimizer):
    """Adam; options learning_rate, beta1, beta2, epsilon, weight_decay (added to the gradient), l1, l2, clip_*."""

    def __init__(self, params: Any, learning_rate: float = 1e-3, *, schedule: Schedule | None = None, **options: float) -> None:
        super().__init__("adam", params, schedule=schedule, learning_rate=learning_rate, **options)


class AdamW(Optimizer):
    """Adam with the decay apart from the gradient; options as Adam's."""

    def __init__(self, params: Any, learning_rate: float = 1e-3, *, schedule: Schedule | None = None, **options: float) -> None:
        super().__init__("adamw", params, schedule=schedule, learning_rate=learning_rate, **options)


class LossScaler(_Handle):
    """Dynamic loss scaling by powers of two; options initial, growth, backoff, interval, minimum, maximum, hysteresis and guarded: see camber.h.

    >>> import numpy as np
    >>> scaler = LossScaler(initial=1024)
    >>> g = np.array([1024.0, 2048.0], np.float32)
    >>> scaler.unscale([g])
    True
    >>> g
    array([1., 2.], dtype=float32)
    """

    kind = "scaler"

    def __init__(self, **options: float) -> None:
        super().__init__()
        self.set(**options)

    @property
    def scale(self) -> float:
        """Multiply the loss by it."""
        return float(lib.scaler_scale(self.handle))

    @property
    def skipped(self) -> int:
        """Steps skipped because a gradient was not finite."""
        return int(lib.scaler_skipped(self.handle))

    @property
    def fault(self) -> str | None:
        """Of the last step: "nonfinite" where its gradients are not finite at a scale of 1 either, "minimum" after eight overflows on end at the minimum."""
        return (None, "nonfinite", "minimum")[max(lib.scaler_fault(self.handle), 0)]

    @property
    def tensor(self) -> int | None:
        """The first gradient, in the tree's order, that was not finite in the last step."""
        i = int(lib.scaler_tensor(self.handle))
        return i if i >= 0 else None

    def unscale(self, gradients: Any, again: Callable[[], Any] | None = None) -> bool:
        """Divides a tree of gradient arrays by the scale in place, exactly.

        Parameters
        ----------
        again
            Called where one is not finite; gives the gradients of the loss itself (times 1) in f32 or f64. If they are finite it was an overflow, and the
            scale backs off; else the scale stays, and `fault` is "nonfinite": the function has a NaN or an infinity of its own (`cb.nonfinite` says where).

        Returns
        -------
        False where one was not finite: they are left alone and the step is to be skipped.
        """
        leaves = pytree.leaves(gradients)
        for i, leaf in enumerate(leaves):
            if not isinstance(leaf, np.ndarray):
                raise InvalidError(f"unscale: gradient {i} is a {type(leaf).__name__}, which cannot be changed in place; use np.array(x)")
            output_array(leaf, (leaf.shape, dt.code_of(leaf.dtype)), f"gradient {i}")
        if self._check(lib.scaler_unscale(self.handle, len(leaves), pointers(leaves), *_kinds(leaves))) == _OK:
            return True
        if again is not None:
            found = [np.ascontiguousarray(a) for a in pytree.leaves(again())]
            if len(found) != len(leaves):
                raise InvalidError(f"unscale: again() gave {len(found)} gradients, not {len(leaves)}")
            self._check(lib.scaler_classify(self.handle, len(found), pointers(found), *_kinds(found)))
        return False


def _kinds(arrays: list[Any]) -> tuple[Any, Any]:
    return (ctypes.c_int32 * len(arrays))(*[dt.code_of(a.dtype) for a in arrays]), (ctypes.c_size_t * len(arrays))(*[a.size for a in arrays])


def l1_penalty(tree: Any) -> Any:
    """sum |x| over a tree of traced values."""
    return _penalty("l1_penalty", tree)


def l2_penalty(tree: Any) -> Any:
    """sum x**2 / 2 over a tree of traced values."""
    return _penalty("l2_penalty", tree)


def gradient_penalty(loss: Any, tree: Any) -> Any:
    """Half the squared norm of the gradient of a traced loss by a tree of traced values; see camber_gradient_penalty.

    >>> import numpy as np, camber as cb
    >>> float(cb.function(lambda x: cb.optim.gradient_penalty(np.sum(x**2), x))(np.array([1.0, 2.0])))
    10.0
    """
    from ._tape import lift, nodes, tape_of, typed

    leaves = pytree.leaves(tree)
    tape = tape_of([loss, *leaves])
    values = [lift(leaf, tape) for leaf in leaves]
    return typed(tape, lib.gradient_penalty(tape.handle, lift(loss, tape)._node, nodes(v._node for v in values), len(values)))


def _penalty(name: str, tree: Any) -> Any:
    from ._tape import lift, nodes, tape_of, typed

    leaves = pytree.leaves(tree)
    tape = tape_of(leaves)
    values = [lift(leaf, tape) for leaf in leaves]
    return typed(tape, getattr(lib, name)(tape.handle, nodes(v._node for v in values), len(values)))


def clip_by_global_norm(tree: Any, limit: float) -> Any:
    """A tree of traced values scaled by min(1, limit / their joint norm)."""
    return _clip("clip_by_global_norm", tree, limit)


def clip_by_value(tree: Any, limit: float) -> Any:
    """A tree of traced values clipped to [-limit, limit]."""
    return _clip("clip_by_value", tree, limit)


def clip_by_norm(tree: Any, limit: float) -> Any:
    """A tree of traced values, each scaled by min(1, limit / its norm)."""
    return _clip("clip_by_norm", tree, limit)


def _clip(name: str, tree: Any, limit: float) -> Any:
    from ._tape import lift, nodes, tape_of, typed
    from ._trace import call

    leaves, structure = pytree.flatten(tree)
    tape = tape_of(leaves)
    values = [lift(leaf, tape) for leaf in leaves]
    out = call(tape, name, nodes(v._node for v in values), len(values), float(limit), count=len(values))
    return pytree.unflatten(structure, [typed(tape, node) for node in out])
