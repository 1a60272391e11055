"""`python .ci/failed.py TARGET`: the tests that failed in pytest's last run, a line each, or the target."""

from __future__ import annotations

import json
import sys
from pathlib import Path

FAILED = Path(__file__).parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"


def main(target: str) -> None:
    """Print the names."""
    tests = json.loads(FAILED.read_text(encoding="utf-8")) if FAILED.exists() else {}
    print(*(sorted(tests) or [f"make {target}"]), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])
