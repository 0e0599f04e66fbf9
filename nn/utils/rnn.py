"""Sequences of different lengths: padded to one length, or packed step by step.

A packed batch holds the elements of all sequences that have a first step, then those that have a
second one, and so on; the longest sequence comes first, so that the ones still running at a step
are the first `batch_sizes[step]`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from autodiff import Tensor, arange, argsort, as_tensor, cat, full, int64, stack
from nn.functional.arguments import check_tensors


class PackedSequence(NamedTuple):
    """What pack_padded_sequence() and pack_sequence() give, and recurrent layers take and give.

    data: (all elements, ...). batch_sizes: (longest,), how many sequences have each step.
    sorted_indices: the sequences by falling length; unsorted_indices: where each of them went.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With the data converted; see Tensor.to."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def float(self) -> Self:
        """With the data in float32."""
        return self._replace(data=self.data.float())

    def double(self) -> Self:
        """With the data in float64."""
        return self._replace(data=self.data.double())

    def cpu(self) -> Self:
        """Itself: all tensors are on the CPU."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack sequences that are padded to one length.

    enforce_sorted: they come in the order of falling lengths; else they are put in that order.
    Shapes: input (L, N, ...), or (N, L, ...) with `batch_first`; lengths (N,).
    Raises: RuntimeError for lengths that are not sorted, not positive, or not N; ValueError for
        lengths above L.
    """
    check_tensors("pack_padded_sequence", input)
    if input.ndim < 2:
        raise RuntimeError(
            f"pack_padded_sequence needs axes of steps and sequences, got shape "
            f"{tuple(input.shape)}"
        )
    sizes = _numbers(lengths)
    x = input.transpose(0, 1) if batch_first else input
    order = None
    if not enforce_sorted:
        order = argsort(as_tensor(sizes), descending=True, stable=True)
        x, sizes = x.index_select(1, order), sorted(sizes, reverse=True)
    if len(sizes) != x.shape[1]:
        raise RuntimeError(f"{x.shape[1]} sequences need as many lengths, got {len(sizes)}")
    if not sizes or min(sizes) <= 0:
        raise RuntimeError(f"every sequence needs at least one element, got the lengths {sizes}")
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            f"lengths must fall, got {sizes}; pass enforce_sorted=False to have them sorted"
        )
    if sizes[0] > x.shape[0]:
        raise ValueError(f"a length of {sizes[0]} was given for {x.shape[0]} steps")
    running = [sum(size > t for size in sizes) for t in range(sizes[0])]
    back = None if order is None else argsort(order)
    return PackedSequence(x[_places(running)], as_tensor(running), order, back)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The sequences padded to one length, and their lengths (N,).

    total_length: that length, by default the longest sequence's.
    Raises: ValueError if that is less than the longest sequence.
    """
    if not isinstance(sequence, PackedSequence):
        raise TypeError(
            f"pad_packed_sequence takes a PackedSequence, got {type(sequence).__name__}"
        )
    running = _numbers(sequence.batch_sizes)
    steps = len(running) if total_length is None else total_length
    if steps < len(running):
        raise ValueError(f"total_length={steps} is less than the longest sequence, {len(running)}")
    shape = (steps, running[0], *sequence.data.shape[1:])
    padded = full(shape, padding_value, dtype=sequence.data.dtype)
    padded = padded.index_put(_places(running), sequence.data)
    sizes = as_tensor([sum(n > i for n in running) for i in range(running[0])])
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        sizes = sizes.index_select(0, sequence.unsorted_indices)
    return padded.transpose(0, 1) if batch_first else padded, sizes


def pad_sequence(
    sequences: Tensor | Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Tensors (L_i, ...) as one, padded to the longest: (L, N, ...), or (N, L, ...).

    Raises: RuntimeError for no tensors; ValueError for another `padding_side`.
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence needs at least one tensor")
    check_tensors("pad_sequence", *sequences)
    longest = max(len(x) for x in sequences)
    rows = []
    for x in sequences:
        gap = full((longest - len(x), *x.shape[1:]), padding_value, dtype=x.dtype)
        rows.append(cat([gap, x] if padding_side == "left" else [x, gap]))
    return stack(rows, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The tensors that pad_sequence() padded on the right."""
    check_tensors("unpad_sequence", padded_sequences)
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    sizes = _numbers(lengths)
    if len(sizes) != len(x):
        raise ValueError(
            f"unpad_sequence: {len(x)} sequences need as many lengths, got {len(sizes)}"
        )
    return [row[:size] for row, size in zip(x, sizes)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors (L_i, ...); see pack_padded_sequence."""
    sequences = list(sequences)
    check_tensors("pack_sequence", *sequences)
    lengths = [len(x) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The tensors that pack_sequence() packed."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), True)


def _numbers(lengths: Tensor | Sequence[int]) -> list[int]:
    return as_tensor(lengths, dtype=int64).tolist()


def _places(running: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Step and sequence of each element of a packed batch."""
    steps = as_tensor([t for t, n in enumerate(running) for _ in range(n)])
    return steps, cat([arange(n) for n in running])
