"""A PyTorch program, the classifier 8-12-8-1, run with nothing changed but its imports.

The program (programs/nn_classifier.py) reads 'yourdata.csv', which its source does not supply. It
is given the first eight columns of the breast cancer set, each with its mean taken away and divided
by its standard deviation, and the label (1 benign) as the ninth. PyTorch reaches accuracies from
0.968 to 0.981 on it over eight seeds.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "And using PyTorch".
"""

import contextlib
import runpy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import autodiff
from benchmarks import data
from benchmarks.learn.figures import Figure, shown, within

PROGRAM = Path(__file__).parent / "programs" / "nn_classifier.py"
COLUMNS = slice(0, 8)
QUICK: dict[str, int] = {}


def write_table(path: Path) -> None:
    """Writes what the program reads: nine comma-separated columns, 569 rows."""
    features, labels = data.breast_cancer()
    chosen = features[:, COLUMNS]
    scaled = (chosen - chosen.mean(0)) / chosen.std(0)
    np.savetxt(path, np.column_stack([scaled, labels]), fmt="%.6f", delimiter=",")


def run_program(program: Path) -> dict[str, Any]:
    """Runs a program in a temporary directory that holds the table; returns its global names."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_table(Path("yourdata.csv"))
        return runpy.run_path(str(program))


def run(seed: int = 0) -> list[Figure]:
    """The accuracy on the training rows that the program prints, and its last loss."""
    print("columns:", ", ".join(data.breast_cancer_names()[COLUMNS]))
    autodiff.manual_seed(seed)
    names = run_program(PROGRAM)
    return [
        within("accuracy", "at least 0.96", names["accuracy"].item(), low=0.96),
        shown("loss of the last batch", names["loss"].item()),
    ]
