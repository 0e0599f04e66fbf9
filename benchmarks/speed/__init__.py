"""How long a whole training step takes here, in hand-written NumPy and in other packages.

Every contender runs in a process of its own (`worker`) with the BLAS library's threads set, from
the same weights and batches (`workloads`), and is timed only if its first losses are the same as
the hand-written ones (`comparison`).
"""
