"""Defines the exit codes of every command; docs/commands.md lists them.

Python exits with 1 on an uncaught error. No command uses 1 for anything else, so a scheduler never mistakes a
crash for finished work.
"""

NOTHING_DONE = 2
PART_DONE = 6
STOPPED = 130  # a shell's code for a program ended by Ctrl-C


def worst(*codes: int) -> int:
    """Return the exit code of a command from those of its steps; skipped work does not hide a failure."""
    return max(codes, key=lambda code: (code != 0, code != PART_DONE, code))
