"""What starting a command costs: `python benchmarks/start_up.py [FOLDER]`, a folder of counts.

It prints the CPU seconds (user and system, least and median of 10 rounds) of `frametally --help`, of
`frametally status`, and beside them of a bare Python and of one that imports click and rich. A first round,
which compiles, does not count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 10
UNSETTLED = 4
"""What `frametally status` ends with where something is behind."""


def cpu_s(*arguments: str) -> float:
    """Return what one run of Python with `arguments` takes of processors, in seconds. Raises if it fails."""
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, UNSETTLED):
        done.check_returncode()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure in turns, as the machine may be busy, and print."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # its users pay for no compiling
    commands = {
        "python -c pass": ("-c", "pass"),
        "python -c 'import click, rich.console'": ("-c", "import click, rich.console"),
        "frametally --help": ("-m", "frametally", "--help"),
        "frametally status": ("-m", "frametally", "status", "--data-dir", (sys.argv[1:] or ["demo-data"])[0]),
    }
    rounds = [{name: cpu_s(*arguments) for name, arguments in commands.items()} for _ in range(ROUNDS + 1)]
    for name in commands:
        took_s = [one[name] for one in rounds[1:]]
        print(f"{name:40} {min(took_s):.2f} {statistics.median(took_s):.2f}")


if __name__ == "__main__":
    main()
