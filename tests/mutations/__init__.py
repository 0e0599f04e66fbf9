"""A mutation check: faults planted one at a time, and whether the tests catch them.

    python -m tests.mutations [--only PATTERN] [--count N] [--jobs N] [--list]

Nothing is written into the tree: a fault lives in the syntax tree that one forked process imports.
It takes minutes and is no part of the test suite.
"""
