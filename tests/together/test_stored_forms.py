"""docs/stored-formats.md lists each stored form: a run of everything leaves exactly those."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.together.test_flips import ACROSS, SETTINGS, WITHIN, make_video, run

from frametally import keys
from frametally.adapters.sql.index import tables as index_tables
from frametally.adapters.sql.ledger import tables as ledger_tables
from frametally.adapters_by_url import open_object_store
from frametally_gold import tables as gold_tables
from frametally_traffic.drawings.revisions import change_drawing, with_shapes

DOC = Path(__file__).parents[2] / "docs/stored-formats.md"
MOST_FORMS = 18
MOST_IDENTITIES = 3


class Form(NamedTuple):
    """A row: its number, empty for parts without one, and the text in backticks."""

    number: str
    places: tuple[str, ...]


def forms() -> list[Form]:
    section = DOC.read_text().partition("\n## Forms\n")[2].partition("\n## ")[0]
    listed = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        numbered = len(cells) == 6 and cells[0].isdecimal()
        if numbered or (len(cells) == 2 and "`" in cells[1]):
            where = cells[2] if numbered else cells[1]
            listed.append(Form(cells[0] if numbered else "", tuple(re.findall(r"`([^`]+)`", where))))
    return listed


def matches(place: str, key: str) -> bool:
    place = place.replace("RUN", "model=<model>/params=<params>/interval=<seconds>s/day=<day>")
    if place.endswith("/"):
        return key.startswith(place)
    parts = re.split(r"<[^>]+>", place)
    return re.fullmatch("[^/]+".join(map(re.escape, parts)), key) is not None


def test_every_counted_form_has_one_numbered_row() -> None:
    numbers = [form.number for form in forms() if form.number]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert 0 < len(numbers) <= MOST_FORMS


def test_few_identities_decide_whether_counts_are_still_right() -> None:
    table = DOC.read_text().partition("\n| identity | of what |")[2].partition("\n\n")[0]
    identities = [line for line in table.splitlines()[2:] if line.startswith("| ")]
    assert 0 < len(identities) <= MOST_IDENTITIES


def test_each_folder_and_table_has_a_row() -> None:
    places = [place for form in forms() for place in form.places]
    folders = {
        value.partition("/")[0]
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_") and name != "USUAL_TOPIC"
    }
    assert folders - {place.partition("/")[0] for place in places} == set()
    tables = {*index_tables.ALL.tables, *ledger_tables.ALL.tables}
    named = {place for place in places if place.startswith("frametally_")}
    assert tables - named == {"frametally_index", "frametally_ledger"}  # each has the version of its layout
    assert named - tables == set()
    assert all(name.startswith("gold_") for name in gold_tables.ALL.tables if name != "frametally_gold")


@pytest.mark.thorough
def test_a_run_of_everything_leaves_exactly_the_forms_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    for number, name in enumerate(("cam.mp4", "yard.mp4", "gate.mp4")):
        make_video(tmp_path / name, number)
        assert run(data, "produce", name, "--start-time", f"2026-03-04T{10 + number}:00:00Z") == 0
    next((data / "store/images/yard").rglob("*.jpg")).unlink()
    assert run(data, "consume", "--until-caught-up") == 6
    with closing(open_object_store((data / "store").as_uri())) as store:
        change_drawing(store, "gate", lambda drawing: with_shapes(drawing, [ACROSS, WITHIN]))
    assert run(data, "dead-letters", "drop", "--all") == 0
    for command in (["aggregate"], ["index"], ["gold"], ["status"]):
        assert run(data, *command) == 0
    cut = ("--from", "2026-03-04T10:00:01Z", "--to", "2026-03-04T10:00:02Z")
    assert run(data, "forget", "cam.mp4", *cut, "--yes") == 0
    assert run(data, "retime", "gate.mp4", "--start-time", "2026-03-04T12:00:30Z") == 0
    for command in (["consume", "--until-caught-up"], ["aggregate"], ["index"], ["backup"]):
        assert run(data, *command) == 0
    store_folder = data / "store"
    stored = [path.relative_to(store_folder).as_posix() for path in store_folder.rglob("*") if path.is_file()]
    listed = forms()
    forms_of = {
        key: [form for form in listed if any(matches(place, key) for place in form.places)] for key in stored
    }
    assert {key: found for key, found in forms_of.items() if len(found) != 1} == {}
    written: defaultdict[str, int] = defaultdict(int)
    for [form] in forms_of.values():
        written[form.number] += 1
    of_store = {
        form.number
        for form in listed
        if form.number
        and form.places[0].partition("/")[0] in ("metadata", "hours", "mapreduce-output", "tracks")
    }
    assert of_store - written.keys() == set()
