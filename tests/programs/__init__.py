"""Programs as a user of PyTorch would write them, that run there with only the imports exchanged.

Each is a module of its own with `main(seed, length, compiled)`: train for `length` epochs or
iterations, and return the losses, one per step, and a final metric. They are written with this
library's imports, so that they are imported, checked and read as any other code, with or without
PyTorch installed; `exchange` makes PyTorch's program of the same text, line by line.
"""
