"""Writes a new capability: its package with an action, its test, its lines of `pyproject.toml` and the docs.

python docs/new_capability.py weather "the weather beside counts"
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FILES = {
    "capabilities/frametally_{name}/__init__.py": '"""Adds {purpose}."""\n',
    "capabilities/frametally_{name}/py.typed": "",
    "capabilities/frametally_{name}/plugin.py": '''\
"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import Plugin

PLUGIN = Plugin(
    name="{name}",
    actions=("frametally_{name}.routes",),
    tags={{"{title}": "Adds {purpose}."}},
)
''',
    "capabilities/frametally_{name}/routes.py": '''\
"""The actions for {purpose}."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args
from frametally_web.books.context import Handlers

ACTIONS = Routes("{title}")


class {title}(Answer, frozen=True, kw_only=True):
    """What the action shows.

    Attributes:
        words: It in words.
    """

    words: str


class {title}Routes(Handlers):
    """The handlers of one application, or of one command."""

    @ACTIONS.route("GET {name}", "Show {purpose}.")
    def {name}(self, _: Args) -> {title}:
        """Return the answer."""
        return {title}(words="{purpose}")
''',
    "capabilities/frametally_{name}/README.md": """\
# {name}: {purpose}

`frametally api {name}` and `GET /api/v1/{name}` show {purpose}. No other folder depends on this one.
If you delete this folder, the action is gone.
""",
    "tests/{name}/test_{name}.py": '''\
"""The capability answers by its action."""

from __future__ import annotations

from tests.web.conftest import Place


def test_its_action_says_what_it_shows(place: Place) -> None:
    assert place.app().test_client().get("/api/v1/{name}").json == {{"words": "{purpose}"}}
''',
}

_ROUTE = """\
## `GET /api/v1/{name}`

```json
{{"words": "{purpose}"}}
```
"""


def insert_line(text: str, line: str, rows: str) -> str:
    """Return a text with a line among those that a pattern finds: before the first greater one, or last."""
    for row in re.finditer(rows, text, re.MULTILINE):
        if row[0] > line:
            return f"{text[: row.start()]}{line}\n{text[row.start() :]}"
    return f"{text[: row.end()]}\n{line}{text[row.end() :]}"


def add(name: str, purpose: str) -> list[Path]:
    """Write the capability into this checkout; return the files that it added or changed.

    Raises:
        SystemExit: Its name cannot be a package's, or is taken, or its purpose is not one line.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*", name) or keyword.iskeyword(name):
        raise SystemExit(f"{name}: choose a name of small letters and digits, such as `weather`")
    if not re.fullmatch(r"[^\"\\|\n]+", purpose):
        raise SystemExit(f"{purpose!r}: say what it adds in one line without quotes, such as `the weather`")
    folders = [ROOT / f"capabilities/frametally_{name}", ROOT / f"tests/{name}"]
    if taken := [folder for folder in folders if folder.exists()]:
        raise SystemExit(
            f"{taken[0].relative_to(ROOT)} exists: choose another name, or delete that folder first"
        )
    files = []
    for path, text in _FILES.items():
        file = ROOT / path.format(name=name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=name, title=name.title(), purpose=purpose), encoding="utf-8")
        files.append(file)
    for path, line, rows in (
        (
            "pyproject.toml",
            f'{name} = "frametally_{name}.plugin:PLUGIN"',
            r'^\w+ = "frametally_\w+\.plugin:PLUGIN"$',
        ),
        (
            "docs/architecture.md",
            f"| [{name}/](../capabilities/frametally_{name}/README.md) | {purpose} | |",
            r"^\| \[\w+/\]\(\.\./[\w/]+/README\.md\) \| .* \|$",
        ),
        ("docs/api.md", f"| `{name}` | {purpose} |", r"^\| `videos/\{video_id\}/detections` \|.*$"),
    ):
        file = ROOT / path
        file.write_text(insert_line(file.read_text(encoding="utf-8"), line, rows), encoding="utf-8")
        files.append(file)
    manual = ROOT / "docs/api.md"
    route = _ROUTE.format(name=name, purpose=purpose)
    text = manual.read_text(encoding="utf-8")
    manual.write_text(text.replace("\n## Errors\n", f"\n{route}\n## Errors\n"), encoding="utf-8")
    subprocess.run([sys.executable, ROOT / "docs/code_map.py"], check=True)  # noqa: S603 - our own script
    return files


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    for file in add(*sys.argv[1:]):
        print(file.relative_to(ROOT))
    print("Next: `make setup` installs it, `git add` includes it; docs/architecture.md goes on from here.")
