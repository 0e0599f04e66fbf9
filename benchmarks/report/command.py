"""The subcommand `report`."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.report import html, markdown, page, readme, records


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `report`."""
    parser = commands.add_parser(
        "report",
        help="one page, as Markdown and HTML, with all tables and pictures of a run",
        description="Runs the other subcommands, or reads what they wrote.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(tempfile.gettempdir()) / "tapegrad-report",
        metavar="DIR",
        help="where the page, its pictures and the numbers go (%(default)s)",
    )
    parser.add_argument(
        "--from",
        dest="files",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="read what subcommands wrote with --json, and run nothing",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all records there")
    parser.add_argument("--quick", action="store_true", help="run every subcommand with --quick")
    parser.add_argument(
        "--readme", action="store_true", help="print the README's table, from the record of speed"
    )
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Writes the page and says where it is; or prints the README's table.

    Returns: 0; 1 if a command left no record or a file cannot be read; 2, with a line on stderr, if
    --readme finds no record of speed.
    """
    if asked.files:
        found, missing = records.given(asked.files)
    else:
        names = ["speed"] if asked.readme else list(records.COMMANDS)
        found, missing = records.measured(names, asked.out, asked.quick)
    if asked.json:
        asked.json.write_text(json.dumps({"records": found, "missing": missing}, indent=1))

    if asked.readme:
        timed = next((record for record in found if record["command"] == "speed"), None)
        if timed is None:
            print("report: --readme needs the record of `speed --json`", file=sys.stderr)
            return 2
        print(readme.table(timed))
        return 0
    if not found:
        print("report: there is nothing to report", file=sys.stderr)
        return 2
    written = write(page.sections(found, missing), asked.out)
    print("\n".join(str(path) for path in written))
    return 1 if missing else 0


def write(sections: list[page.Section], folder: Path) -> tuple[Path, Path]:
    """Writes the page in both forms, and copies of its pictures; returns where it is."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for picture in section.pictures:
            if picture.parent != pictures:
                shutil.copy(picture, pictures)
    written = folder / "report.md", folder / "report.html"
    written[0].write_text(markdown.page(sections, pictures.name), encoding="utf-8")
    written[1].write_text(html.page(sections), encoding="utf-8")
    return written
