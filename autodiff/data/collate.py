"""Making one batch of a list of examples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.composed.creation import as_tensor, tensor
from autodiff.composed.shape import stack
from autodiff.dtypes import float64
from autodiff.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Examples as one: tensors, arrays and numbers stacked, containers gone into, texts listed.

    Raises: TypeError for examples of another kind; RuntimeError if sequences differ in length.
    """
    if not len(batch):
        raise ValueError("default_collate: there are no examples to make a batch of")
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, (np.ndarray, np.generic)):
        if np.asarray(first).dtype.kind not in "biuf":
            raise TypeError(f"arrays of {np.asarray(first).dtype} cannot be made into a batch")
        return as_tensor(np.stack(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([x[key] for x in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*[default_collate(column) for column in zip(*batch, strict=True)])
    if isinstance(first, Sequence):
        if any(len(x) != len(first) for x in batch):
            raise RuntimeError("the examples of a batch must be of one length each")
        return [default_collate(column) for column in zip(*batch, strict=True)]
    raise TypeError(
        f"a batch is made of tensors, arrays, numbers, texts, dicts or sequences of them, not of "
        f"{type(first).__name__}: give collate_fn"
    )


def default_convert(data: Any) -> Any:
    """Arrays in an example as tensors; all else as it is."""
    if isinstance(data, np.ndarray) and data.dtype.kind in "biuf":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {k: default_convert(v) for k, v in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (list, tuple)):
        return [default_convert(x) for x in data]
    return data


def _like(mapping: Mapping, items: dict) -> Mapping:
    """Items as a mapping of the same class, if that can be made of a dict."""
    try:
        return type(mapping)(items)  # type: ignore[call-arg]
    except TypeError:
        return items
