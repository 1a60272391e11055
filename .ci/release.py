"""Says whether this commit can be released, and names the images of others that have no digest.

Its version has no suffix, is the newest in the changelog, and not taken; nothing is unreleased.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


IMAGE_FILES = ("cloud-services/Dockerfile", "cloud-services/docker-compose.yml")
# A third-party image after FROM or image:, with a tag. The product's own images are built from this checkout.
_IMAGE = re.compile(
    r"^(?:FROM| +image:) +(?!frametally[-:])(?P<name>[^\s@]+:[^\s@]+)(?P<digest>@sha256:[0-9a-f]{64}(?!\S))?",
    re.MULTILINE,
)


def unpinned_images(text: str) -> list[str]:
    """Return the images of others that a Dockerfile or a compose file names by their tag alone."""
    return [found["name"] for found in _IMAGE.finditer(text) if not found["digest"]]


def find_obstacles(version: str, changelog: str, tags: Collection[str] = (), changes: str = "") -> list[str]:
    """Return what stands in the way of releasing `version`, a line each.

    Args:
        version: That of `pyproject.toml`.
        changelog: The text of `CHANGELOG.md`.
        tags: The tags of other commits.
        changes: What `git status --porcelain` says.
    """
    obstacles = []
    if ".dev" in version:
        obstacles.append(
            f"{version} is between releases: remove .dev0 in pyproject.toml and from the images' tags"
        )
    elif not _is_newest(version, changelog):
        obstacles.append(
            f"CHANGELOG.md does not begin with {version}: head its notes '## {version} - YYYY-MM-DD', and "
            "leave nothing under '## Unreleased'"
        )
    if f"v{version}" in tags:
        obstacles.append(f"the tag v{version} is another commit's: raise the version in pyproject.toml")
    if changes:
        obstacles.append("the checkout has changes: commit them, or put them away")
    return obstacles


def _is_newest(version: str, changelog: str) -> bool:
    """Return whether the changelog's first section is that of `version`, after an empty *Unreleased*."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    if sections and sections[0].strip() == "Unreleased":
        del sections[0]
    return bool(sections and re.match(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d\n", sections[0]))


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603


def main() -> int:
    """Print the obstacles, and return 1 if there are some."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    obstacles = find_obstacles(
        version,
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        sorted(set(_git("tag").split()) - set(_git("tag", "--points-at", "HEAD").split())),
        _git("status", "--porcelain"),
    )
    for name in IMAGE_FILES:
        for image in unpinned_images((ROOT / name).read_text(encoding="utf-8")):
            print(
                f"note: {image} has no digest, and a tag can be moved: run make pin-images", file=sys.stderr
            )
    for obstacle in obstacles:
        print(obstacle, file=sys.stderr)
    return 1 if obstacles else 0


if __name__ == "__main__":
    sys.exit(main())
