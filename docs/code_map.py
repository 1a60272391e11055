"""Writes the code map at the end of each package's README from what the modules say of themselves.

python docs/code_map.py     after a module came, went, moved or changed the first paragraph of its docstring
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(
    path.parent.relative_to(ROOT).as_posix()
    for pattern in ("*/frametally*/__init__.py", "capabilities/*/frametally*/__init__.py")
    for path in ROOT.glob(pattern)
)
BEGIN = "<!-- written by docs/code_map.py -->"
END = "<!-- end of the code map -->"
_OF_PAGE = re.compile(r"(?://|/\*) (?P<first>.*?)(?: \*/)?\n(?P<more>(?:// .*\n)*)")


def first_paragraph(path: Path) -> str:
    """Return what a module says of itself first, on one line; empty if it says nothing."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        docstring = ast.get_docstring(ast.parse(text)) or ""
        return " ".join(docstring.partition("\n\n")[0].split())
    comment = _OF_PAGE.match(text)
    return " ".join((comment["first"] + comment["more"].replace("//", "")).split()) if comment else ""


def map_of(package: Path) -> str:
    """Return the map of a package: a table for each folder with modules, what the folder is for above it."""
    lines = [BEGIN]
    folders = sorted({path.parent for path in modules_of(package)})
    for folder in folders:
        init = folder / "__init__.py"
        about = first_paragraph(init) if init.is_file() else ""
        lines += ["", f"**`{folder.relative_to(package.parent)}/`** {about}".rstrip()]
        files = sorted(path for path in modules_of(package) if path.parent == folder and path != init)
        if files:
            lines += ["", "| module | what |", "| --- | --- |"]
        for path in files:
            lines.append(f"| `{path.name}` | {first_paragraph(path).replace('|', chr(92) + '|')} |")
    return "\n".join([*lines, "", END])


def modules_of(package: Path) -> list[Path]:
    """Return the modules of a package: Python's, and the page's scripts and styles."""
    return [
        path
        for path in sorted(package.rglob("*"))
        if path.suffix in (".py", ".js", ".css") and "built" not in path.parts
    ]


def with_map(readme: str, package: Path) -> str:
    """Return the README with its map as it should be."""
    before, _, rest = readme.partition(BEGIN)
    if not rest:
        before, rest = readme.rstrip() + "\n\n## Code map\n\n", "\n"
    return before + map_of(package) + rest.rpartition(END)[2]


def readme_of(package: Path) -> Path:
    """Return the README of a package: its own, else that of the folder in which it is."""
    own = package / "README.md"
    return own if own.is_file() else package.parent / "README.md"


if __name__ == "__main__":
    for name in PACKAGES:
        readme = readme_of(ROOT / name)
        text = readme.read_text(encoding="utf-8") if readme.exists() else f"# {readme.parent.name}\n"
        readme.write_text(with_map(text, ROOT / name), encoding="utf-8")
