"""A file of crossings, zones, movements or dwell times has each field of the API's answer, and zeros."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.examples import first_quick
from tests.traffic import junction
from tests.web.conftest import Place
from tests.web.exported_rows import READERS, time_ms

from frametally.adapters_by_url import open_object_store
from frametally_cli.main import main
from frametally_traffic.line_counts import place_rows

ANSWERS = {
    "crossings": ("crossings", "crossings"),
    "zones": ("zones", "stays"),
    "movements": ("movements", "movements"),
    "dwell": ("zones", "zones"),
}
"""By what is exported: the route, and the list in its answer."""
NOT_MINE = ("start_ms", "points", "from_ms", "to_ms")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[FlaskClient]:
    place = Place(folder)
    with closing(open_object_store((folder / "store").as_uri())) as store:
        place.store = store
        junction.draw(place)
        junction.count(place, junction.frames())
        yield place.app().test_client()
        place.close()


def get(client: FlaskClient, route: str, **query: Any) -> Any:
    asked = {"source": junction.SOURCE, "interval": 60, **query}
    answer = client.get(f"/api/v1/{route}", query_string=asked)
    assert answer.status_code == 200, answer.text
    return answer.json if answer.is_json else answer.data


def fields_of(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record and of those within it, without lists and times."""
    fields: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            fields |= {f"{name}_{inner}": number for inner, number in value.items()}
        elif not isinstance(value, list) and name not in NOT_MINE:
            fields[name] = value
    return fields


@pytest.mark.parametrize("form", first_quick(list(READERS)))
@pytest.mark.parametrize("of", ANSWERS)
def test_a_file_has_each_field_of_the_answer_and_the_command_writes_the_same_bytes(
    client: FlaskClient, folder: Path, of: str, form: str
) -> None:
    route, name = ANSWERS[of]
    answer = get(client, route)
    data = get(client, "places/export", of=of, format=form)
    rows = READERS[form](data)
    for record in answer[name]:
        fields = fields_of(record)
        start_ms = record.get("start_ms", answer["from_ms"])
        [row] = [
            row
            for row in rows
            if time_ms(row["interval_start"]) == start_ms
            and all(row[name] == value for name, value in fields.items() if isinstance(value, str))
        ]
        own = {name: row.get(name) for name in fields}
        assert own == pytest.approx(fields)
        assert row["source"] == junction.SOURCE
        if of != "dwell":
            [end_ms] = [bar["end_ms"] for bar in answer["bars"] if bar["start_ms"] == start_ms]
            assert time_ms(row["interval_end"]) == end_ms
    if of == "dwell":
        assert [row["median_s"] for row in rows] == [zone["median_s"] for zone in answer["zones"]] != [None]
    else:
        assert len(rows) == len(answer["bars"]) * {"crossings": 3, "zones": 1, "movements": 9}[of] * 2
    output = folder / f"out.{form}"
    command = ["export", "--data-dir", str(folder), "--source", junction.SOURCE, "--of", of]
    assert main([*command, "--interval", "60", "--output", str(output)]) == 0
    assert output.read_bytes() == data


def test_what_cannot_be_exported_is_refused_with_the_remedy(
    client: FlaskClient, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["export", "--data-dir", str(folder), "--of", "zones"]
    for more, said in (
        ((), "add --source"),
        (("--source", "gate", "--hours", "07:00-09:00"), "use --of without --by-source, --hours"),
        (("--source", "gaet"), "There is no source named 'gaet'"),
        (("--source", "gate", "--of", "lines"), "of='lines'"),
    ):
        assert main([*command, *more]) == 2
        assert said in capfd.readouterr().err
    monkeypatch.setattr(place_rows, "MOST_ROWS", 10)
    asked = {"source": junction.SOURCE, "of": "movements", "interval": 60, "format": "xlsx"}
    refused = client.get("/api/v1/places/export", query_string=asked)
    assert refused.json["detail"] == "That is 72 rows; a file of this format has at most 10."
