"""Writes the code map at the end of each package's README from the modules' docstrings.

python docs/code_map.py     after a module was added, removed, moved or got another first paragraph
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/frametally*/__init__.py"))
BEGIN = "<!-- written by docs/code_map.py -->"
END = "<!-- end of the code map -->"
_OF_PAGE = re.compile(r"(?://|/\*) (?P<first>.*?)(?: \*/)?\n(?P<more>(?:// .*\n)*)")


def first_paragraph(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line; empty if there is none."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        docstring = ast.get_docstring(ast.parse(text)) or ""
        return " ".join(docstring.partition("\n\n")[0].split())
    comment = _OF_PAGE.match(text)
    return " ".join((comment["first"] + comment["more"].replace("//", "")).split()) if comment else ""


def map_of(package: Path) -> str:
    """Return a package's map: a table for each folder with modules, below the folder's purpose."""
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
    """Return the README with an up-to-date map."""
    before, _, rest = readme.partition(BEGIN)
    if not rest:
        before, rest = readme.rstrip() + "\n\n## Code map\n\n", "\n"
    return before + map_of(package) + rest.rpartition(END)[2]


def readme_of(package: Path) -> Path:
    """Return a package's own README, or that of the folder that contains the package."""
    own = package / "README.md"
    return own if own.is_file() else package.parent / "README.md"


if __name__ == "__main__":
    for name in PACKAGES:
        readme = readme_of(ROOT / name)
        text = readme.read_text(encoding="utf-8") if readme.exists() else f"# {readme.parent.name}\n"
        readme.write_text(with_map(text, ROOT / name), encoding="utf-8")
