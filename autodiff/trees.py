"""Arguments and results that nest: tuples, lists, deques and dicts of leaves."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_NESTS = (tuple, list, deque, dict, OrderedDict, defaultdict)


def is_leaf(tree: Any) -> bool:
    """Whether this is no tuple, list, deque or dict (of a class that is known to be made anew)."""
    return type(tree) not in _NESTS and not hasattr(tree, "_fields")


def _children(tree: Any) -> Sequence[Any]:
    return list(tree.values()) if isinstance(tree, dict) else tree


def _alike(tree: Any, children: list) -> Any:
    """A tuple, list, deque or dict like `tree` with other items."""
    if isinstance(tree, dict):
        new = tree.copy()  # with the default of a defaultdict
        new.update(zip(tree, children, strict=True))
        return new
    if isinstance(tree, deque):
        return deque(children, tree.maxlen)
    return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)


def leaves(tree: Any) -> list[Any]:
    """All leaves, in order."""
    if is_leaf(tree):
        return [tree]
    return [leaf for child in _children(tree) for leaf in leaves(child)]


def rebuilt(tree: Any, values: Sequence[Any] | Iterator[Any]) -> Any:
    """The tree with these leaves in place of its own."""
    remaining = iter(values)
    if is_leaf(tree):
        return next(remaining)
    return _alike(tree, [rebuilt(child, remaining) for child in _children(tree)])


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """function of each leaf, in the same nesting."""
    if is_leaf(tree):
        return function(tree)
    return _alike(tree, [mapped(function, child) for child in _children(tree)])


def same_form(a: Any, b: Any) -> bool:
    """Whether two trees nest alike."""
    if is_leaf(a) or is_leaf(b):
        return is_leaf(a) and is_leaf(b)
    keys = not isinstance(a, dict) or (isinstance(b, dict) and list(a) == list(b))
    if type(a) is not type(b) or len(a) != len(b) or not keys:
        return False
    return all(map(same_form, _children(a), _children(b)))


def spread(prefix: Any, tree: Any) -> list[Any] | None:
    """For each leaf of `tree` what `prefix` says: a leaf of it stands for all below that place.

    None if the prefix does not fit the tree.
    """
    if is_leaf(prefix):
        return [prefix] * len(leaves(tree))
    if is_leaf(tree) or type(prefix) is not type(tree) or len(prefix) != len(tree):
        return None
    if isinstance(prefix, dict) and prefix.keys() != tree.keys():
        return None
    pairs = (
        [(prefix[k], tree[k]) for k in tree]
        if isinstance(tree, dict)
        else list(zip(prefix, tree, strict=True))
    )
    found = [spread(p, t) for p, t in pairs]
    return None if None in found else [value for values in found for value in values]  # type: ignore[union-attr]
