"""What memory a training step takes, here and in PyTorch, and that it does not grow.

Every contender runs in a process of its own (`worker`), where two measures are taken (`meter`):
the bytes in arrays, and the memory that the operating system counts.
"""
