"""The findings of files in the formats that people and machines read; one module a format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What a command prints, and its exit status.

    Attributes
    ----------
    out, err : str
        For the standard output and the standard error, line ends included.
    status : int
        0 clean, 1 findings, 2 usage or unreadable input.
    """

    out: str
    err: str
    status: int
