"""The errors that reach a user, each as one line: what was wrong, expected, got."""

from __future__ import annotations


class PytblError(Exception):
    """Base of every error that pytbl raises on purpose."""


class InputError(PytblError, ValueError):
    """A value given by the user cannot be used."""


class CheckpointError(PytblError, OSError):
    """A checkpoint cannot be read, or does not fit the run."""


class BlowUp(PytblError, ArithmeticError):
    """The flow has become NaN or infinite, or has left the scheme's stability region."""


class Interrupted(PytblError):
    """The run was asked to stop by a signal, and has written its checkpoints."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number  #: of the signal

    def __reduce__(self) -> tuple[type[Interrupted], tuple[str, int]]:
        return type(self), (str(self), self.number)  # whole between processes
