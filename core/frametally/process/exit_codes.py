"""The exit codes of every command; docs/commands.md lists them.

Python ends with 1 on an uncaught error. No command means anything else by 1, so a scheduler never takes
a crash for finished work.
"""

NOTHING_DONE = 2
PART_DONE = 6
STOPPED = 130  # as a shell says it of a program that Ctrl-C has ended


def worst(*codes: int) -> int:
    """Return the exit code of a command by those of its steps: skipped work hides no failure."""
    return max(codes, key=lambda code: (code != 0, code != PART_DONE, code))
