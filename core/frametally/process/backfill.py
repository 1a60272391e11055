"""The progress of an archive's files while they are produced, for the command line."""

from __future__ import annotations

from typing import NamedTuple


class Standing(NamedTuple):
    """The progress, in files and in the bytes of those files.

    Attributes:
        files_total: Files to go through.
        files_finished: Of them, those that this call has produced, whole or in part.
        files_known: Those that an earlier call had finished.
        files_skipped: Those that were set aside.
        bytes_total: Size of all files.
        bytes_passed: Size of those that needed no work.
        bytes_worked: Size of what was worked through, with the part done of the file at hand.
        frames_announced: Frames that this call announced.
        at_hand: Name of the file at hand.
        doing: What is being done with it, a word or two.
    """

    files_total: int = 0
    files_finished: int = 0
    files_known: int = 0
    files_skipped: int = 0
    bytes_total: int = 0
    bytes_passed: int = 0
    bytes_worked: float = 0.0
    frames_announced: int = 0
    at_hand: str = ""
    doing: str = ""
