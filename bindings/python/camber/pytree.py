"""Trees of values: nested tuples, lists, dicts, named tuples and None, taken apart and put together.

>>> leaves, tree = flatten({"b": 1, "a": (2, [3, None])})
>>> leaves, unflatten(tree, [x * 10 for x in leaves])
([2, 3, 1], {'a': (20, [30, None]), 'b': 10})
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ._errors import InvalidError

_REGISTERED: dict[type, tuple[Callable[[Any], tuple[Sequence[Any], Any]], Callable[[Any, Sequence[Any]], Any]]] = {}


class Tree:
    """The structure without its leaves; hashable, so that programs are kept by it."""

    __slots__ = ("kind", "data", "children", "size", "_hash")

    def __init__(self, kind: Any, data: Any, children: tuple[Tree, ...]) -> None:
        self.kind = kind
        self.data = data
        self.children = children
        self.size: int = 1 if kind is None else sum(child.size for child in children)
        self._hash = hash((kind, data, children))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Tree):
            return NotImplemented
        return self.kind is other.kind and self.data == other.data and self.children == other.children

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Tree({unflatten(self, ['*'] * self.size)!r})"


LEAF = Tree(None, None, ())
_NONE = type(None)


def register(kind: type, take_apart: Callable[[Any], tuple[Sequence[Any], Any]], put_together: Callable[[Any, Sequence[Any]], Any]) -> None:
    """Makes a class a node of trees: `take_apart(x)` gives (children, hashable data), `put_together(data, children)` x."""
    _REGISTERED[kind] = (take_apart, put_together)


def flatten(tree: Any) -> tuple[list[Any], Tree]:
    """The leaves from left to right (dicts by their sorted keys), and the structure."""
    leaves: list[Any] = []
    return leaves, _take(tree, leaves)


def _take(x: Any, leaves: list[Any]) -> Tree:
    kind = type(x)
    if kind is tuple or kind is list:
        return Tree(kind, len(x), tuple([_take(child, leaves) for child in x]))
    if kind is dict:
        try:
            keys = tuple(sorted(x))
        except TypeError:
            keys = tuple(x)
        return Tree(dict, keys, tuple([_take(x[key], leaves) for key in keys]))
    if kind is _NONE:
        return Tree(_NONE, None, ())
    if kind in _REGISTERED:
        children, data = _REGISTERED[kind][0](x)
        return Tree(kind, data, tuple([_take(child, leaves) for child in children]))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return Tree(kind, len(x), tuple([_take(child, leaves) for child in x]))
    leaves.append(x)
    return LEAF


def unflatten(tree: Tree, leaves: Iterable[Any]) -> Any:
    """The structure with these leaves."""
    return _put(tree, iter(leaves))


def _put(tree: Tree, leaves: Any) -> Any:
    kind = tree.kind
    if kind is None:
        return next(leaves)
    children = [_put(child, leaves) for child in tree.children]
    if kind is tuple:
        return tuple(children)
    if kind is list:
        return children
    if kind is dict:
        return dict(zip(tree.data, children))
    if kind is _NONE:
        return None
    if kind in _REGISTERED:
        return _REGISTERED[kind][1](tree.data, children)
    return kind(*children)


def leaves(tree: Any) -> list[Any]:
    """The leaves alone."""
    return flatten(tree)[0]


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`function` of the leaves of one or more trees of the same structure."""
    first, structure = flatten(tree)
    others = [same(structure, other, "map") for other in rest]
    return unflatten(structure, [function(*parts) for parts in zip(first, *others)])


def same(structure: Tree, tree: Any, what: str) -> list[Any]:
    """The leaves of a tree that must have this structure."""
    found, other = flatten(tree)
    if other != structure:
        raise InvalidError(f"{what}: a tree {other} stands where {structure} is wanted")
    return found


def broadcast_prefix(prefix: Any, structure: Tree, what: str) -> list[Any]:
    """One entry a leaf from a tree that may stop early (its leaf then counts for all below). None is a leaf here."""
    if structure.kind is None or prefix is None or not isinstance(prefix, (tuple, list, dict)):
        return [prefix] * structure.size
    if isinstance(prefix, dict):
        parts = [prefix[key] for key in structure.data] if isinstance(structure.data, tuple) else []
    else:
        parts = list(prefix)
    if len(parts) != len(structure.children):
        raise InvalidError(f"{what}: {prefix!r} does not fit the structure {structure}")
    return [entry for part, child in zip(parts, structure.children) for entry in broadcast_prefix(part, child, what)]


def paths(tree: Any, prefix: str = "") -> list[str]:
    """A name for each leaf: its keys joined by dots.

    >>> paths({"w": [1, 2], "b": 3})
    ['b', 'w.0', 'w.1']
    """
    if isinstance(tree, dict):
        try:
            items: Iterable[tuple[Any, Any]] = [(key, tree[key]) for key in sorted(tree)]
        except TypeError:
            items = tree.items()
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        items = zip(tree._fields, tree)
    elif isinstance(tree, (tuple, list)):
        items = enumerate(tree)
    elif tree is None:
        return []
    elif type(tree) in _REGISTERED:
        items = enumerate(_REGISTERED[type(tree)][0](tree)[0])
    else:
        return [prefix.removesuffix(".") or "value"]
    return [path for key, child in items for path in paths(child, f"{prefix}{key}.")]
