"""Faults that change nothing that can be seen, each with the reason."""

EQUIVALENT: dict[str, str] = {
    "autodiff/composed/creation.py:_line: (end - start) / max(steps - 1, 1) -> "
    "(end - start) / max(steps - 1, 2)": "with up to two steps this is multiplied by 0",
    "autodiff/composed/linalg.py:chain_matmul: sizes[i] * sizes[k + 1] * sizes[j + 1] -> "
    "sizes[i] * sizes[k + 1] * sizes[j]": "another order of products that costs more",
    "autodiff/ops/linalg.py:_einsum: x if labels == output else "
    "x.transpose([labels.index(a) for a in output]) -> "
    "x.transpose([labels.index(a) for a in output])": "the axes put in the order they have",
    "autodiff/ops/reduce.py:_largest: x.ndim == 2 and axis in (1, -1) and (x.shape[1] < 32) -> "
    "x.ndim == 2 and axis in (1, -1) and (x.shape[1] <= 32)": "the other way to the same maximum",
    "autodiff/tensor.py:_note_view: 2 * len(alive) <= len(views) -> "
    "len(alive) <= len(views)": "dead views are forgotten a little sooner",
}
