"""How many threads element-by-element work on large arrays is spread over."""

_threads = 1


def set_num_threads(count: int) -> None:
    """Let compiled steps use this many threads for large arrays. Raises: ValueError below 1."""
    global _threads
    if count < 1:
        raise ValueError(f"the number of threads must be 1 or more, got {count}")
    _threads = count


def get_num_threads() -> int:
    """How many threads compiled steps use for large arrays."""
    return _threads
