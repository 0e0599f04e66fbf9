"""What the subcommands wrote as JSON, after running them where that is asked."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COMMANDS: dict[str, tuple[str, ...]] = {
    "speed": ("speed",),
    "speed ops": ("speed", "ops"),
    "speed conv": ("speed", "conv"),
    "scale": ("scale",),
    "memory": ("memory",),
    "start": ("start",),
    "gradients": ("gradients",),
    "learn": ("learn", "all"),
}
"""The arguments of the subcommands a report is made of, in its order, by the record's name."""
DRAWING = {"speed", "scale"}
"""Those that draw where --plot says; `learn` draws without being asked."""


def measured(
    names: Iterable[str], folder: Path, quick: bool
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Runs subcommands; their records, and for those that left none the reason.

    Each leaves its record in `folder` as JSON, which `given` reads, and what it said as text.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    found, missing = [], {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = folder / f"{name.replace(' ', '-')}.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "benchmarks", *COMMANDS[name], "--json", str(file)]
        if name in DRAWING and importlib.util.find_spec("matplotlib"):
            command += ["--plot", str(file.with_suffix(".png"))]
        print(f"{name} ...", file=sys.stderr, flush=True)
        with file.with_suffix(".txt").open("w+", encoding="utf-8") as said:
            done = subprocess.run(
                command + ["--quick"] * quick,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": path},
            )
            said.seek(0)
            last = [line.strip() for line in said if line.strip()][-1:]
        if file.exists():
            found.append(read(file) | {"command": name, "status": done.returncode})
            file.write_text(json.dumps(found[-1], indent=1))
        else:
            missing[name] = f"it ended with status {done.returncode}: {' '.join(last)}"
            print(f"{name}: {missing[name]}", file=sys.stderr)
    return found, missing


def given(files: Iterable[Path]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The records in files, and the reasons why others cannot be read or were not given."""
    found, missing = [], {}
    for file in files:
        try:
            found.append(read(file))
        except (OSError, ValueError) as error:
            missing[str(file)] = str(error)
            print(f"report: {error}", file=sys.stderr)
    return found, missing


def read(file: Path) -> dict[str, Any]:
    """The record in a file.

    Raises: OSError; ValueError naming the file if it is not the record of a subcommand.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is not JSON: {error}") from None
    if not isinstance(record, dict) or not record.keys() >= {"command", "machine"}:
        raise ValueError(f"{file} was not written by a subcommand's --json: it names no command")
    return record
