"""Shows how far the workers are: on a terminal a line for each, drawn again in place; otherwise a line at each quarter."""

import shutil
import sys
import time
from dataclasses import dataclass

from files import printable

REDRAW_INTERVAL_S = 0.1
BAR_WIDTH = 24


@dataclass
class WorkerLine:
    number: int
    file_count: int  # finished by it
    in_hand: bytes | None
    end: str  # how it ended, or nothing


@dataclass
class Progress:
    finished: int
    file_count: int
    workers: list[WorkerLine]


def bar(part: int, whole: int) -> str:
    full = min(BAR_WIDTH, BAR_WIDTH * part // max(1, whole))
    return "[" + "#" * full + "." * (BAR_WIDTH - full) + "]"


class Display:
    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self.lines_drawn = 0
        self.drawn_at = 0.0
        self.quarters_said = 0

    def show(self, progress: Progress) -> None:
        """Shows it if it is time for it; the end in any case."""
        if self.is_terminal:
            if progress.finished == progress.file_count or time.monotonic() - self.drawn_at >= REDRAW_INTERVAL_S:
                self.draw(progress)
            return
        quarters = 4 * progress.finished // max(1, progress.file_count)
        if quarters > self.quarters_said:
            self.quarters_said = quarters
            self.say(f"  {25 * quarters:3} %  {progress.finished:,} of {progress.file_count:,} files")

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        self.erase()
        print(line, flush=True)

    def draw(self, progress: Progress) -> None:
        share = progress.file_count // max(1, len(progress.workers))  # a worker's bar is full when it has done this much
        lines = []
        for worker in progress.workers:
            what = worker.end or printable(worker.in_hand or b"")
            lines.append(f"  worker {worker.number:<2} {bar(worker.file_count, share)} {worker.file_count:7,} files  {what}")
        lines.append(f"  all       {bar(progress.finished, progress.file_count)} {progress.finished:7,} of {progress.file_count:,}")
        width = shutil.get_terminal_size().columns - 1
        self.erase()
        print("\n".join(line[:width] for line in lines), flush=True)
        self.lines_drawn = len(lines)
        self.drawn_at = time.monotonic()

    def erase(self) -> None:
        """Up to the first line that was drawn, and clears from there."""
        if self.lines_drawn:
            print(f"\x1b[{self.lines_drawn}A\x1b[J", end="")
            self.lines_drawn = 0
