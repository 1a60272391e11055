"""`python .ci/failed.py TARGET CACHE`: the tests that failed last, or the target."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(target: str, cache: Path) -> None:
    """Print the names."""
    failed = cache / "v" / "cache" / "lastfailed"
    tests = json.loads(failed.read_text(encoding="utf-8")) if failed.exists() else {}
    print(*(sorted(tests) or [f"make {target}"]), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
