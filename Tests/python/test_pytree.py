"""Trees: what is taken apart comes together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camber import InvalidError, pytree

TREES = st.recursive(
    st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(TREES)
def test_round_trip(tree):
    leaves, structure = pytree.flatten(tree)
    assert pytree.unflatten(structure, leaves) == tree
    assert structure.size == len(leaves) == len(pytree.paths(tree)) == len(pytree.leaves(tree))
    assert pytree.flatten(tree)[1] == structure and hash(pytree.flatten(tree)[1]) == hash(structure)
    assert pytree.map(lambda x: x, tree) == tree


@given(TREES, TREES)
def test_structures_differ(a, b):
    same = pytree.flatten(a)[1] == pytree.flatten(b)[1]
    assert same == (repr(pytree.flatten(a)[1]) == repr(pytree.flatten(b)[1]))


def test_order_of_keys_does_not_matter():
    assert pytree.flatten({"b": 1, "a": 2}) == pytree.flatten({"a": 2, "b": 1})
    assert pytree.leaves({"b": 1, "a": 2}) == [2, 1]


def test_prefixes():
    structure = pytree.flatten((1, {"a": 2, "b": [3, 4]}))[1]
    assert pytree.broadcast_prefix((0, {"a": None, "b": 1}), structure, "axes") == [0, None, 1, 1]
    assert pytree.broadcast_prefix(7, structure, "axes") == [7, 7, 7, 7]
    with pytest.raises(InvalidError, match="axes"):
        pytree.broadcast_prefix((0, 1, 2), structure, "axes")
    with pytest.raises(InvalidError, match="map"):
        pytree.map(lambda a, b: a, [1], (1,))


def test_own_classes():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    pytree.register(Pair, lambda p: ((p.a, p.b), None), lambda _, children: Pair(*children))
    out = pytree.map(lambda x: x + 1, Pair(1, [2]))
    assert (out.a, out.b) == (2, [3])
    assert pytree.paths({"p": Pair(1, [2])}) == ["p.0", "p.1.0"]
