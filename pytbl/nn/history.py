"""The history of a training: a table on disk, a bar or lines on the terminal, TensorBoard."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from ..errors import InputError
from ..hdf5 import one_line
from ..progress import Reporter, clock
from ..text_files import write_csv, write_json

Row = dict[str, float]

#: What is known of every epoch.
COLUMNS = (
    "epoch",
    "learning_rate",
    "training_loss",
    "validation_loss",
    "validation_correlation",
    "seconds",
    "samples_per_second",
)


def write(rows: list[Row], path: Path) -> None:
    """Write the table as CSV or, by the name's ending, as JSON; the file is replaced whole."""
    if path.suffix == ".json":
        write_json(path, rows)
    else:
        write_csv(path, rows, columns=COLUMNS)


def read(path: Path) -> list[Row]:
    """The rows of a table that `write` has written as CSV; none of a table of something else.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        if not rows or not set(COLUMNS) <= set(rows[0]):
            return []
        return [{name: float(row[name]) for name in COLUMNS if row[name]} for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is not the table of a training: {one_line(error)}") from None


class Board:
    """TensorBoard's log of a training.

    Raises
    ------
    InputError
        The package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("a log for TensorBoard needs the package tensorboard") from None
        self._writer = SummaryWriter(str(folder))

    def write(self, row: Row) -> None:
        """Log an epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()


class Monitor(Reporter):
    """Shows a training: a bar where somebody looks on, a line per epoch in a log.

    Parameters
    ----------
    stream : text stream
        Where to, by default the standard error.
    """

    def begin(self, first: int, epochs: int, samples: int) -> None:
        """A training of so many epochs begins, after the `first` that are done."""
        self._first, self._epochs, self._samples = first, epochs, samples
        self._began = time.monotonic()
        if self._stream.isatty():
            self._start_bar(
                total=epochs * samples, completed=first * samples, speed_estimate_period=600
            )

    def batch(self, count: int) -> None:
        """So many samples were trained on."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def epoch(self, row: Row) -> None:
        """An epoch is over."""
        number = int(row["epoch"])
        words = [f"epoch {number}/{self._epochs}", f"loss {row['training_loss']:.4f}"]
        if "validation_loss" in row:
            words.append(f"validation {row['validation_loss']:.4f}")
            words.append(f"c={row['validation_correlation']:.4f}")
        words.append(f"{row['samples_per_second']:.3g} samples/s")
        if self._bar is not None:
            self._bar.update(self._task, description=" ".join(words))
            return
        done = number - self._first
        spent = time.monotonic() - self._began
        left = clock(spent / done * (self._epochs - number)) if done > 0 else "?"
        print(" ".join(words), f"ETA {left}", file=self._stream, flush=True)
