"""Writes beside the tag of each image of others the digest that its registry has for it now.

What has a digest keeps it. To raise an image: change its tag, take the digest out, and run this.
"""

from __future__ import annotations

import re
import subprocess
import sys

from release import IMAGE_FILES, ROOT, unpinned_images

# Prints the digest of the index over all architectures, if there is one.
_ASK = ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}")


def digest_of(image: str) -> str:
    """Ask the image's registry.

    Raises:
        ValueError: It cannot be asked, or has no such image; the message says what to do.
    """
    try:
        asked = subprocess.run([*_ASK, image], capture_output=True, text=True, check=True)  # noqa: S603
    except FileNotFoundError:
        raise ValueError("needs docker with its buildx plugin, and a way to the registries") from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{image}: {error.stderr.strip() or error}") from None
    digest = asked.stdout.strip()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{image}: the registry answers {digest!r}, which is no digest")
    return digest


def main() -> int:
    """Pin what is not pinned, each as soon as it is known; return 2 if one could not be."""
    for path in (ROOT / name for name in IMAGE_FILES):
        for image in unpinned_images(path.read_text(encoding="utf-8")):
            try:
                digest = digest_of(image)
            except ValueError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            text = path.read_text(encoding="utf-8")
            path.write_text(
                re.sub(rf"{re.escape(image)}(?=\s|$)", f"{image}@{digest}", text), encoding="utf-8"
            )
            print(f"{path.relative_to(ROOT)}: {image}@{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
