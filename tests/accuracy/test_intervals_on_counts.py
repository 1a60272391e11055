"""Intervals next to counts: in the API's answers and in files, only where a check covers them."""

from __future__ import annotations

import contextvars
import csv
import io
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import msgspec
import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from pyarrow import parquet
from tests.accuracy.test_accuracy_checks import FRAMES, answer_all, right_counts, start
from tests.fakes.records import make_coverage
from tests.web.conftest import START_MS, Place
from tests.web.counted_footage import make_lines, publish_lines

from frametally.actions.parameters import Args
from frametally.books.counted_days import CountedWith
from frametally.errors import Retryable
from frametally.ports.count_index import CountIndex
from frametally_accuracy import charted
from frametally_accuracy.book import AccuracyBook
from frametally_web.access.seen_index import SeenIndex
from frametally_web.access.visitors import Visitor, set_visitor
from frametally_web.charts import answers, checked_counts
from frametally_web.charts.counts import count
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.question import resolve
from frametally_web.requests.query import read_chart

Checked = Callable[..., str]
QUESTION = "interval=60&label=car&metric=detections"


def counts(client: FlaskClient, query: str = QUESTION) -> dict[str, Any]:
    answer = client.get(f"/api/v1/counts?{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


@pytest.fixture
def checked(client: FlaskClient, counted: Place) -> Checked:
    """Answer the first units of a check correctly; return the check's id."""

    def check(*, most: int = 100, **wanted: Any) -> str:
        found: str = start(client, **wanted)["id"]
        with closing(AccuracyBook(counted.settings.catalogue_url)) as book:
            check = book.find_check(found)
            for unit in book.units(found)[:most]:
                of_unit = {label: sum(box.label == label for box in unit.boxes) for label in check.labels}
                of_unit["car"] += unit.captured_at_ms // 5000 % 4 == 0  # in the form of `right_counts`
                book.answer(check, unit.number, person="anna", counts=of_unit)
        return found

    return check


def truths(bar_ms: int) -> dict[int, int]:
    """Cars by the start of the bar."""
    frames = [one["car"] for one in right_counts().values()]
    found: dict[int, int] = {}
    for number, cars in enumerate(frames):
        at_ms = START_MS + number * 5000
        found[at_ms - at_ms % bar_ms] = found.get(at_ms - at_ms % bar_ms, 0) + cars
    return found


@pytest.mark.thorough
def test_bars_and_totals_have_an_interval_beside_the_raw_count(client: FlaskClient, checked: Checked) -> None:
    raw = counts(client)
    check = checked()
    found = counts(client)
    assert [one["detections"] for one in found["buckets"]] == [one["detections"] for one in raw["buckets"]]
    truth = truths(60_000)
    held = [one["low"] <= truth[one["start_ms"]] <= one["high"] for one in found["buckets"]]
    assert sum(held) >= 9 and len(held) == 10
    assert {one["check"] for one in found["buckets"]} == {check}
    (total,) = found["totals"]
    assert total["low"] <= sum(truth.values()) <= total["high"]
    assert total["estimate"] > total["detections"], "the model misses a car in every fourth frame"
    (reference,) = found["checks"]
    assert reference["id"] == check and reference["units"] >= 90
    assert (reference["confidence"], reference["method"], reference["stale"]) == (0.95, "at_will", [])
    accuracy = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"][1]
    assert (total["low"], total["high"]) == pytest.approx((accuracy["low"], accuracy["high"]), abs=0.01)


@pytest.mark.thorough
def test_the_sum_of_all_labels_has_an_interval_if_the_check_has_all_of_them(
    client: FlaskClient, checked: Checked
) -> None:
    checked()
    summary = client.get("/api/v1/summary?interval=60").get_json()
    truth = sum(one["car"] + one["bus"] for one in right_counts().values())
    assert summary["total"]["low"] <= truth <= summary["total"]["high"]
    assert len(summary["checks"]) == 1


@pytest.mark.thorough
def test_a_check_of_one_label_gives_no_interval_for_others(client: FlaskClient, checked: Checked) -> None:
    checked(labels=["car"])
    found = counts(client, "interval=60&metric=detections")
    assert {one["label"] for one in found["buckets"] if "check" in one} == {"car"}
    assert "low" not in client.get("/api/v1/summary?interval=60").get_json()["total"]


def test_answers_keep_their_bytes_without_an_answered_check(client: FlaskClient, counted: Place) -> None:
    files = [f"export?{QUESTION}&format={one}" for one in ("csv", "xlsx", "parquet")]

    def answers() -> list[bytes]:
        asked = [f"counts?{QUESTION}", f"summary?{QUESTION}", *files]
        return [client.get(f"/api/v1/{one}").data for one in asked]

    before = answers()
    start(client)
    assert answers() == before
    assert b"checks" not in before[0] and b'"low"' not in before[0]


def test_answers_keep_their_bytes_without_the_plugin(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [client.get(f"/api/v1/{route}?{QUESTION}").data for route in ("counts", "summary", "export")]
    monkeypatch.setattr(checked_counts, "hooks", lambda _: ())
    again = [client.get(f"/api/v1/{route}?{QUESTION}&").data for route in ("counts", "summary", "export")]
    assert again == before


@pytest.mark.thorough
def test_an_answer_is_updated_once_a_check_has_more_answers(client: FlaskClient) -> None:
    start(client)
    answer_all(client, most=70)
    first = client.get(f"/api/v1/counts?{QUESTION}")
    answer_all(client, most=40)
    second = client.get(f"/api/v1/counts?{QUESTION}", headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 200
    assert second.headers["Frametally-Counts-Version"] != first.headers["Frametally-Counts-Version"]
    assert second.get_json()["checks"][0]["units"] > first.get_json()["checks"][0]["units"]


@pytest.mark.thorough
def test_a_bar_where_the_model_counts_nothing_has_an_interval_if_people_checked_it(
    client: FlaskClient, checked: Checked, counted: Place
) -> None:
    blind_ms = START_MS + 5 * 60_000
    lines = [
        line
        if line.captured_at_ms < blind_ms
        else msgspec.structs.replace(line, detections=[one for one in line.detections if one.label != "car"])
        for line in make_lines("gate", frames=FRAMES)
    ]
    publish_lines(counted, lines)
    before = client.get(f"/api/v1/export?{QUESTION}").text.splitlines()
    assert len(counts(client)["buckets"]) == 5, "nothing is counted in the last five minutes"
    start(client, labels=["car"])
    answer_all(client, most=80)
    answered = counts(client)["buckets"]
    assert [one["start_ms"] for one in answered] == [START_MS + minute * 60_000 for minute in range(10)]
    by_minute = truths(60_000)
    assert all(one["low"] <= by_minute[one["start_ms"]] <= one["high"] for one in answered[5:])
    assert {one["detections"] for one in answered[5:]} == {0}
    after = client.get(f"/api/v1/export?{QUESTION}").text.splitlines()
    assert len(after) == len(before), "a file has these bars anyway"


@pytest.mark.thorough
@pytest.mark.parametrize("more_ms", [0, 30_000], ids=["whole bars", "part of a bar"])
def test_bars_beyond_the_checked_range_have_no_interval(
    client: FlaskClient, checked: Checked, more_ms: int
) -> None:
    middle_ms = START_MS + 5 * 60_000
    checked(to_ms=middle_ms + more_ms)
    found = counts(client)
    minutes = [START_MS + minute * 60_000 for minute in range(10)]
    assert [one["start_ms"] for one in found["buckets"] if "low" in one] == minutes[:5]
    assert [one["start_ms"] for one in found["buckets"] if "low" not in one] == minutes[5:]
    assert "low" not in found["totals"][0]
    if not more_ms:
        assert "low" in counts(client, f"{QUESTION}&to={middle_ms}")["totals"][0]


@pytest.mark.thorough
def test_for_chosen_hours_only_answers_in_those_hours_count(
    client: FlaskClient, checked: Checked, counted: Place
) -> None:
    """The number that people saw in other hours is not a lower limit for these."""
    lines = make_lines("gate", frames=FRAMES, step_ms=60_000)
    publish_lines(counted, lines)
    checked()
    part = counts(client, "interval=86400&label=car&metric=detections&hours=08:00-09:00")
    (hour,) = part["buckets"]
    truth = hour["detections"] + 60  # one more car in each frame of that hour
    assert hour["low"] <= truth <= hour["high"] < truth + 60
    early = client.get("/api/v1/summary?interval=86400&label=car&hours=08:00-09:00").get_json()["total"]
    assert (early["low"], early["high"]) == (hour["low"], hour["high"])


@pytest.mark.thorough
def test_other_sources_have_no_interval_unless_they_are_shown_separately(
    client: FlaskClient, checked: Checked, counted: Place
) -> None:
    checked(sources=["gate"])
    publish_lines(counted, [*make_lines("gate", frames=FRAMES), *make_lines("yard", frames=FRAMES, seed=2)])
    together = counts(client)
    assert "checks" not in together and all("low" not in one for one in together["buckets"])
    apart = counts(client, f"{QUESTION}&by=source")
    assert {one["source"] for one in apart["buckets"] if "low" in one} == {"gate"}


@pytest.mark.thorough
def test_a_stale_check_is_named_and_not_applied(
    client: FlaskClient, checked: Checked, counted: Place
) -> None:
    checked(to_ms=START_MS + 10**8)
    publish_lines(counted, make_lines("gate", frames=FRAMES + 20))
    found = counts(client)
    (reference,) = found["checks"]
    assert reference["stale"] == [
        "The footage or its counts changed since the check began (20 frames added)."
    ]
    assert all("low" not in one for one in (*found["buckets"], *found["totals"]))
    assert "low" not in client.get(f"/api/v1/export?{QUESTION}").text.splitlines()[0]


@pytest.mark.thorough
def test_a_check_does_not_apply_to_counts_with_other_settings(
    client: FlaskClient, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked()
    others = [CountedWith("another", None)]
    monkeypatch.setattr("frametally_accuracy.staleness.SettingsByDay.between", lambda *_: others)
    assert counts(client)["checks"][0]["stale"] == ["The counting settings changed since the check began."]


@pytest.mark.thorough
def test_a_check_does_not_apply_to_counts_of_another_model(
    client: FlaskClient, checked: Checked, counted: Place
) -> None:
    checked()
    coverage = make_coverage(interval_start_ms=START_MS, model="other", source="gate")
    counted.publish([], [coverage], interval_s=60, model="other")
    found = counts(client, f"{QUESTION}&model=other")
    assert found["checks"][0]["stale"] == ["The counts are from model other; the check is for m."]
    assert "low" in counts(client, f"{QUESTION}&model=m")["buckets"][0], "of its own model it still holds"


@pytest.mark.thorough
def test_files_have_interval_columns_where_a_check_applies(client: FlaskClient, checked: Checked) -> None:
    def exported() -> list[dict[str, str]]:
        text = client.get(f"/api/v1/export?{QUESTION}").data.decode("utf-8-sig")
        return [*csv.DictReader(io.StringIO(text))]

    plain = exported()
    checked()
    answered, rows = counts(client), exported()
    assert [{name: row[name] for name in plain[0]} for row in rows] == plain
    for row, bucket in zip(rows, answered["buckets"], strict=True):
        assert [float(row[name]) for name in ("low", "high", "estimate")] == [
            bucket[name] for name in ("low", "high", "estimate")
        ]
        assert row["check"] == "gate"
        assert re.fullmatch(
            r"gate: 95% intervals, checked by anna on 20\d\d-\d\d-\d\d, \d+ frames, model m",
            row["check_details"],
        )
    table = parquet.read_table(io.BytesIO(client.get(f"/api/v1/export?{QUESTION}&format=parquet").data))
    assert table.column("high").to_pylist() == [bucket["high"] for bucket in answered["buckets"]]
    book = load_workbook(io.BytesIO(client.get(f"/api/v1/export?{QUESTION}&format=xlsx").data))
    head = [cell.value for cell in book["Counts"][1]]
    assert "low" in head and any("gate: 95% intervals" in str(row[1].value) for row in book["About"].rows)
    compared = client.get(f"/api/v1/export?{QUESTION}&compare=previous&format=json").get_json()
    assert compared["rows"][0]["low"] == answered["buckets"][0]["low"]


@pytest.mark.thorough
@pytest.mark.parametrize("seen", [("gate",), ("yard",)])
def test_an_account_that_does_not_see_all_sources_of_a_check_sees_nothing_of_it(
    checked: Checked, counted: Place, seen: tuple[str, ...]
) -> None:
    publish_lines(counted, [*make_lines("gate", frames=FRAMES), *make_lines("yard", frames=1)])
    checked()

    def ask() -> answers.Counts:
        set_visitor(Visitor(role="look", sources=seen))
        query = read_chart(Args([("interval", "60")]), counted.settings)
        index = cast(CountIndex, SeenIndex(counted.real_index))
        return count(resolve(index, counted.settings, MediaTimes(None), query), most_rows=1000)

    found = contextvars.copy_context().run(ask)
    assert found.coverage and found.checks is msgspec.UNSET


def test_a_signed_chart_on_another_site_names_no_person(checked: Checked, counted: Place) -> None:
    checked()

    def persons() -> list[str]:
        query = read_chart(Args([("interval", "60")]), counted.settings)
        question = resolve(counted.real_index, counted.settings, MediaTimes(None), query)
        found = count(question, most_rows=1000)
        return [person for one in found.checks or () for person in one.persons]

    def embedded() -> list[str]:
        set_visitor(Visitor(role="look", shown_on=("https://example.org",)))
        return persons()

    assert persons() == ["anna"]
    assert contextvars.copy_context().run(embedded) == []


def test_openapi_describes_intervals(client: FlaskClient) -> None:
    schemas = client.get("/api/v1/openapi.json").get_json()["components"]["schemas"]
    bucket = schemas["CountBucket"]
    for name in ("low", "high", "estimate", "check"):
        assert bucket["properties"][name]["description"]
        assert name not in bucket["required"]
    assert "checks" in schemas["Counts"]["properties"] and "checks" not in schemas["Counts"]["required"]


@pytest.mark.thorough
def test_an_unreadable_book_does_not_break_charts(
    client: FlaskClient, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get(f"/api/v1/counts?{QUESTION}").data

    def away(*_: object) -> AccuracyBook:
        raise Retryable("the database is away")

    monkeypatch.setattr(charted, "AccuracyBook", away)
    checked()
    assert client.get(f"/api/v1/counts?{QUESTION}&").data == before


@pytest.mark.thorough
def test_a_chart_reads_only_new_answers_of_checks_of_its_own_footage_and_labels(
    client: FlaskClient, checked: Checked, counted: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_lines(counted, [*make_lines("gate", frames=FRAMES), *make_lines("yard", frames=FRAMES, seed=2)])
    cars = checked(name="cars", labels=["car"], sources=["gate"])
    buses = checked(name="yard", sources=["yard"])
    read: list[str] = []
    rows_of = charted._rows_of
    monkeypatch.setattr(charted, "_rows_of", lambda *args: read.append(args[1]) or rows_of(*args))
    monkeypatch.setattr(charted, "CHECKS", charted.ChartedChecks())
    monkeypatch.setattr(checked_counts, "hooks", lambda _: (charted.CHECKS,))

    def chart(query: str) -> list[str]:
        read.clear()
        counts(client, query)
        return [*read]

    question = "interval=60&metric=detections&source=gate"
    assert chart(f"{question}&label=bus") == []
    assert chart(f"{question}&label=car") == [cars]
    answer = {"unit": 0, "counts": {}}
    assert client.post(f"/api/v1/accuracy/{buses}/answers", json=answer).status_code == 200
    assert chart(f"{question}&label=car") == [], "nothing new of this footage"
    assert client.post(f"/api/v1/accuracy/{cars}/answers", json=answer).status_code == 200
    assert chart(f"{question}&label=car") == [cars]


def test_a_chart_without_checks_opens_no_book_of_checks(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_accuracy.charted.AccuracyBook.checks", pytest.fail)
    assert counts(client)
