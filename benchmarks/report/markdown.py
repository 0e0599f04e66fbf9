"""Sections as Markdown."""

from collections.abc import Sequence

from benchmarks.report.page import TITLE, Section
from benchmarks.results import Table


def page(sections: Sequence[Section], folder: str) -> str:
    """The page; pictures are links to the files of their names in `folder`."""
    blocks = [f"# {TITLE}"]
    for section in sections:
        blocks.append(f"## {section.title}")
        blocks += section.lines
        blocks += map(table, section.tables)
        blocks += [f"![{picture.stem}]({folder}/{picture.name})" for picture in section.pictures]
    return "\n\n".join(blocks) + "\n"


def table(given: Table) -> str:
    """A table, its title as a heading above it and its notes as a list below it.

    >>> print(table(Table("", ("a|b", "n"), [("x", "1")])))
    | a\\|b | n |
    |---|---:|
    | x | 1 |
    """
    lines = [f"### {given.title}", ""] if given.title else []
    lines += [_row(given.head), "|---|" + "---:|" * (len(given.head) - 1)]
    lines += map(_row, given.rows)
    if given.notes:
        lines += ["", *(f"- {note}" for note in given.notes)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
