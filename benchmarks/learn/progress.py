"""How far a training has come, said on the terminal."""

import sys
import time
from collections.abc import Iterator


class Progress:
    """Counts units (epochs) from 1 to `total` and shows a status line after each.

    Iterating gives the numbers; `say` sets the text of the line. With tqdm (the extra
    `progress`) it is a tqdm bar; otherwise on a terminal one line that is written over ten times
    a second, and elsewhere (a file, a pipe) a new line ten times in all.
    """

    def __init__(self, total: int, unit: str = "epoch") -> None:
        self.total, self.unit = total, unit
        self._text = ""
        self._shown_at = 0.0
        try:
            from tqdm import tqdm
        except ImportError:
            self._bar = None
        else:
            self._bar = tqdm(total=total, unit=unit) if sys.stderr.isatty() else None

    def say(self, text: str) -> None:
        """Sets what is shown beside the number."""
        self._text = text

    def __iter__(self) -> Iterator[int]:
        show = self._show_bar if self._bar is not None else self._show_line
        try:
            for number in range(1, self.total + 1):
                yield number
                show(number)
        finally:
            if self._bar is not None:
                self._bar.close()
            elif sys.stdout.isatty():
                print()

    def _show_bar(self, number: int) -> None:
        self._bar.set_postfix_str(self._text, refresh=False)
        self._bar.update()

    def _show_line(self, number: int) -> None:
        line = f"{self.unit} {number:>{len(str(self.total))}}/{self.total}  {self._text}"
        if not sys.stdout.isatty():
            if number % max(1, self.total // 10) == 0:
                print(line, flush=True)
        elif number == self.total or time.monotonic() - self._shown_at > 0.1:
            self._shown_at = time.monotonic()
            print(f"\r{line}\x1b[K", end="", flush=True)
