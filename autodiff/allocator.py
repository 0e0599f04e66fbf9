"""What becomes of memory that is freed: it is kept for the next step.

glibc hands the end of its heap back to the system as soon as that is free, so that every step asks
for it again, page by page: 7 800 page faults, a quarter of the time, in a step of a small GPT. How
much it keeps follows the largest block that it has freed of those asked of the system by
themselves, up to 32 MiB; here it frees one of that size, which it never touched. From then on up to
64 MiB stay. Where the environment sets MALLOC_TRIM_THRESHOLD_ or its like, or with another C
library, this does nothing.

Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
"""

import numpy as np

np.empty((32 << 20) - (64 << 10), np.uint8)  # the limit counts what the allocator adds
