"""The data sets of the benchmarks: two UCI sets kept as files, and how to hold some rows out.

Sources, citations and licences are in README.md beside this file. Simulated data is in `simulated`.
"""

from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).parent


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Hand-written digits as images of 8 x 8 pixels, row by row, and the digit each one shows.

    Shapes: images (1797, 64) uint8 in [0, 16]; labels (1797,) int64 in [0, 9].
    Units: a pixel counts the inked ones among 4 x 4 pixels of the scanned form.

    >>> images, labels = digits()
    >>> images.shape, int(images.max()), labels[:5].tolist()
    ((1797, 64), 16, [0, 1, 2, 3, 4])
    """
    with np.load(_FOLDER / "digits.npz") as stored:
        return stored["pixels"], stored["labels"].astype(np.int64)


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """Measurements of cell nuclei in 569 breast masses, and whether each mass was benign.

    Shapes: features (569, 30) float64, unscaled; labels (569,) int64, 0 malignant and 1 benign.

    >>> features, labels = breast_cancer()
    >>> features.shape, int(labels.sum())
    ((569, 30), 357)
    """
    with np.load(_FOLDER / "breast_cancer.npz") as stored:
        return stored["features"], stored["labels"].astype(np.int64)


def breast_cancer_names() -> list[str]:
    """Names of the 30 columns of `breast_cancer`, in order.

    >>> breast_cancer_names()[:3]
    ['mean radius', 'mean texture', 'mean perimeter']
    """
    with np.load(_FOLDER / "breast_cancer.npz") as stored:
        return stored["names"].tolist()


def held_out_split(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to train on and of the rows held out, drawn without replacement.

    The held-out part has round(fraction * n) rows. The same arguments give the same split.

    Shapes: () -> (n - held out,) int64 and (held out,) int64; together a permutation of range(n).
    Raises: ValueError unless 0 < fraction < 1 leaves at least one row on each side.

    >>> train, held_out = held_out_split(10, 0.2, seed=0)
    >>> len(train), len(held_out)
    (8, 2)
    """
    held_out = round(fraction * n)
    if not 0 < held_out < n:
        raise ValueError(
            f"held_out_split of n={n} rows with fraction={fraction} holds out {held_out} of them; "
            "both parts need at least one row"
        )
    order = np.random.default_rng(seed).permutation(n)
    return order[held_out:], order[:held_out]
