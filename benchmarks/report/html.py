"""Sections as one HTML file that needs no other."""

import base64
import mimetypes
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from benchmarks.report.page import MISSED, TITLE, Section
from benchmarks.results import Table

STYLE = """
body { max-width: 75em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; }
table { border-collapse: collapse; margin: 0.5em 0; font-size: 90%; }
th, td { padding: 0.15em 0.8em; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; }
.missed { color: #b00; font-weight: bold; }
.wide { overflow-x: auto; }
img { max-width: 100%; display: block; margin: 1em 0; }
"""


def page(sections: Iterable[Section]) -> str:
    """The page, with its pictures inside."""
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(TITLE)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{escape(TITLE)}</h1>",
    ]
    for section in sections:
        lines.append(f"<h2>{escape(section.title)}</h2>")
        lines += [f"<p>{escape(line)}</p>" for line in section.lines]
        lines += map(table, section.tables)
        lines += map(picture, section.pictures)
    return "\n".join([*lines, "</body>\n</html>\n"])


def table(given: Table) -> str:
    """A table with its title and its notes."""
    lines = [f"<h3>{escape(given.title)}</h3>"] if given.title else []
    lines += ['<div class="wide">\n<table>', _row("th", given.head)]
    lines += [_row("td", row) for row in given.rows]
    lines.append("</table>\n</div>")
    if given.notes:
        lines += ["<ul>", *(f"<li>{escape(note)}</li>" for note in given.notes), "</ul>"]
    return "\n".join(lines)


def picture(path: Path) -> str:
    """A picture, embedded."""
    kind = mimetypes.guess_type(path)[0]
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(path.stem)}" src="data:{kind};base64,{data}">'


def _row(tag: str, cells: Sequence[str]) -> str:
    marked = (
        f'<{tag} class="missed">{escape(cell)}</{tag}>'
        if MISSED in cell
        else f"<{tag}>{escape(cell)}</{tag}>"
        for cell in cells
    )
    return f"<tr>{''.join(marked)}</tr>"
