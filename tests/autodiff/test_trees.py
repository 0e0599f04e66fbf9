"""Arguments and results that nest."""

from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

import pytest

from autodiff import trees

Pair = namedtuple("Pair", ("a", "b"))
TREE = {"x": [1, (2, None)], "y": Pair(OrderedDict(z=3), ()), "w": Counter(u=4)}


def test_leaves_are_found_in_order_and_put_back():
    assert trees.leaves(TREE) == [1, 2, None, 3, TREE["w"]]
    assert trees.rebuilt(TREE, trees.leaves(TREE)) == TREE
    found = trees.mapped(str, TREE)
    assert found["x"] == ["1", ("2", "None")] and found["y"] == Pair(OrderedDict(z="3"), ())
    assert type(found["y"].a) is OrderedDict


def test_defaults_and_lengths_are_kept():
    found = trees.mapped(str, (defaultdict(list, a=1), deque([2, 3], maxlen=2)))
    assert found == ({"a": "1"}, deque(["2", "3"]))
    assert found[0].default_factory is list and found[1].maxlen == 2


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ((1, [2]), (3, [4]), True),
        ((1, 2), [1, 2], False),
        ((1, 2), (1, (2,)), False),
        ((1,), (1, 2), False),
        ({"a": 1}, {"b": 1}, False),
        (Pair(1, 2), (1, 2), False),
        (1, "leaf", True),
    ],
)
def test_forms_are_compared(a, b, same):
    assert trees.same_form(a, b) is same


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        (0, [0, 0, 0]),
        ((0, None), [0, 0, None]),
        (({"a": 0, "b": [1]}, None), [0, 1, None]),
        (({"b": [1], "a": 0}, 2), [0, 1, 2]),
        ((0,), None),
        (({"a": 0}, 0), None),
        ([0, 0], None),
        (((0, 1), 0), None),
        ((0, (1,)), None),
    ],
)
def test_a_prefix_says_it_for_all_below(prefix, found):
    assert trees.spread(prefix, ({"a": 1, "b": [2]}, 3)) == found
