"""What tapegrad learns and how fast it is: `python -m benchmarks`.

`learn` runs programs with known results and prints their figures beside the known ones; `speed`
times whole training steps beside hand-written NumPy and PyTorch. Both need NumPy alone; pictures,
progress bars and peers are used where they are installed.
"""

import os

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""What the BLAS libraries read when they are loaded."""

# These networks are too small for a second BLAS thread to help, and where other work keeps the
# processors busy the threads wait for each other: 100 epochs of `learn digits` took 2 s with one
# thread and 23 to 38 s with two, on two busy processors. Whoever sets one of the variables decides.
if not any(variable in os.environ for variable in THREAD_VARIABLES):
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
