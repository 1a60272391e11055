"""This version upgrades data of each release: no number changes that the dry run did not name."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine, inspect
from tests.examples import first_quick
from tests.together.released_data import FIXTURES, SETTINGS, unpack
from tests.together.test_migrations import LAYOUTS

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run
from frametally.rules.known import Basis, why_unknown
from frametally.rules.places import is_of_places
from frametally_cli import main as cli

RELEASES = re.findall(
    r"^\| (\d+\.\d+\.\d+) \|", (Path(__file__).parents[2] / "docs/releases.md").read_text(), re.MULTILINE
)


def said(data: Path, *arguments: str) -> list[str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main([*arguments, "--data-dir", str(data)])
    assert code == 0, out.getvalue() + err.getvalue()
    assert "warning" not in err.getvalue(), err.getvalue()
    return out.getvalue().splitlines()


class Upgrade(NamedTuple):
    """The data folder of a release after its upgrade, and its content before.

    `files` are checksums: before the dry run, and after it.
    """

    data: Path
    before: dict[tuple[str, str], int]
    files: tuple[dict[str, str], dict[str, str]]
    announced: list[str]
    upgraded: list[str]


@pytest.fixture(scope="module", params=first_quick(RELEASES) if RELEASES else [])
def upgrade(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        data = unpack(request.param, tmp_path_factory.mktemp("released"))
        before, files = numbers(data), stored(data)
        announced = said(data, "upgrade", "--dry-run")
        after_trial = stored(data)
        yield Upgrade(data, before, (files, after_trial), announced, said(data, "upgrade"))


def stored(data: Path) -> dict[str, str]:
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data.rglob("*")
        if path.is_file()
    }


def numbers(data: Path) -> dict[tuple[str, str], int]:
    """The detections and tracked objects of each day, source and label, from the part files."""
    totals: Counter[tuple[str, str]] = Counter()
    with closing(open_object_store((data / "store").as_uri())) as store:
        for run in current_runs(store):
            for count in () if is_of_places(run.model) else read_run(store, run)[0]:
                place = f"{run.day}: {count.source}, {count.label}"
                basis = Basis(count.objects, count.detections, count.tracked_detections)
                is_followed = not why_unknown("objects", basis)
                totals[place, "detections"] += count.detections
                totals[place, "objects"] += (count.objects or 0) if is_followed else 0
    return dict(totals)


def named(lines: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """The numbers in the lines of an upgrade, before and after."""
    changes = {}
    for line in lines:
        if match := re.fullmatch(r"(\S+), 1 s, with this version: (.+?): (.+)", line):
            for before, after, what in re.findall(r"(\d+) -> (\d+) ([a-z_ ]+)", match[3]):
                changes[f"{match[1]}: {match[2]}", what] = int(before), int(after)
    return changes


def test_each_release_has_data_here() -> None:
    files = [*FIXTURES.glob("data-*")]
    assert {path.name for path in files} == {f"data-{version}.tar.xz" for version in RELEASES}
    assert all(path.stat().st_size < 200_000 for path in files)


def test_a_dry_run_writes_nothing(upgrade: Upgrade) -> None:
    assert upgrade.files[0] == upgrade.files[1]


def test_an_upgrade_changes_only_the_numbers_named_by_its_dry_run(upgrade: Upgrade) -> None:
    changes = named(upgrade.announced)
    assert named(upgrade.upgraded) == changes
    after = numbers(upgrade.data)
    assert upgrade.before.keys() == after.keys()
    differing = {key: (number, after[key]) for key, number in upgrade.before.items() if number != after[key]}
    in_pictures = {key: both for key, both in changes.items() if key[1] in ("detections", "objects")}
    assert in_pictures == differing


def test_after_an_upgrade_every_frame_is_accounted_for_and_nothing_is_left_to_do(upgrade: Upgrade) -> None:
    assert any(line.startswith("settled") for line in said(upgrade.data, "status"))
    assert said(upgrade.data, "upgrade", "--dry-run")[-1].endswith("nothing to do")


def test_every_database_gets_the_tables_of_this_version(upgrade: Upgrade) -> None:
    assert "anna" in "\n".join(said(upgrade.data, "users", "list"))
    for layout in LAYOUTS:
        name = layout.setting.removeprefix("FRAMETALLY_").removesuffix("_URL").lower()
        engine = create_engine(f"sqlite:///{upgrade.data}/{name}.sqlite")
        looked_at = inspect(engine)
        columns = {
            table: {column["name"] for column in looked_at.get_columns(table)}
            for table in looked_at.get_table_names()
        }
        engine.dispose()
        for table in layout.tables.tables.values() if layout.about.name in columns else ():
            assert columns[table.name] == set(table.columns.keys()), table.name
