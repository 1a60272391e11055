"""The exit codes that every command shares; README.md lists them."""

PART_DONE = 1
NOTHING_DONE = 2
STOPPED = 130  # as a shell says it of a program that Ctrl-C has ended
