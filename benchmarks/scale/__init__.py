"""How the time and the memory of a training step grow with batch, width, depth and length.

One of the four is varied at a time (`problems`); every contender makes the same steps in a process
of its own (`worker`), checked and interleaved as in `benchmarks.speed`.
"""
