"""PyTorch's `torch.cuda`, for programs that ask: there is no such device here."""


def is_available() -> bool:
    """Whether tensors can live on a GPU: no."""
    return False


def device_count() -> int:
    """How many GPUs tensors can live on: none."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed nothing: the CPU's generator has its own manual_seed."""


def manual_seed_all(seed: int) -> None:
    """Seed nothing: the CPU's generator has its own manual_seed."""
