"""The address of a chart contains the whole query: every reader sees the same numbers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.accounts.people import asking_as
from tests.accounts.test_signed_charts import SITE, Sign, people, sign, url
from tests.accounts.test_signing_charts import query_of
from tests.examples import examples
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines

from frametally.actions.parameters import Args
from frametally_accounts.embeds.signed_selection import read_chart as read_signed
from frametally_web.charts.answers import Counts
from frametally_web.charts.counts import count, whole_question
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.question import resolve
from frametally_web.requests.query import read_chart

pytestmark = pytest.mark.thorough

__all__ = ["people", "sign", "url"]

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
ONCE = {
    "from": some.sampled_from([str(START_MS - HOUR_MS), "2024-05-01T12:30", "2024-05-03T00:00Z"]),
    "to": some.sampled_from([str(START_MS + 90 * HOUR_MS), "2024-05-06T00:00"]),
    "hours": some.sampled_from(["07:00-09:00", "22:00-06:00", "00:00-24:00"]),
    "weekdays": some.sampled_from(["5,1,1", "3", "1,2,3,4,5,6,7"]),
    "timezone": some.sampled_from(ZONES),
    "interval": some.sampled_from(["3600", "7200"]),
    "metric": some.sampled_from(["auto", "peak", "detections"]),
    "model": some.just(MODEL),
}
SEVERAL = {
    "label": some.lists(some.sampled_from(["car", "bus"]), max_size=3),
    "source": some.lists(some.sampled_from(["gate", "yard"]), max_size=3),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Five days of two sources, two frames an hour."""
    made = Place(tmp_path_factory.mktemp("question"))
    lines = [
        line for source in ("gate", "yard") for line in make_lines(source, frames=240, step_ms=HOUR_MS // 2)
    ]
    publish_lines(made, lines, interval_s=1800)
    yield made
    made.close()


@settings(max_examples=examples(100))
@given(
    once=some.fixed_dictionaries({}, optional=ONCE),
    several=some.fixed_dictionaries({}, optional=SEVERAL),
    with_range=some.booleans(),
    zones=some.tuples(some.sampled_from(ZONES), some.sampled_from(ZONES)),
)
def test_every_address_gives_the_same_answer_to_every_reader(
    place: Place,
    once: dict[str, str],
    several: dict[str, list[str]],
    with_range: bool,
    zones: tuple[str, str],
) -> None:
    def answer(question: list[tuple[str, str]], zone: str) -> Counts:
        reader = place.settings.model_copy(update={"timezone": zone})
        asked = read_chart(Args(question), reader)
        return count(resolve(place.real_index, reader, MediaTimes([]), asked), most_rows=100_000)

    sent = [*once.items(), *((name, value) for name, values in several.items() for value in values)]
    here, there = zones
    shown = answer(sent, here)
    whole = whole_question(sent, shown, with_range=with_range)
    read_there = answer(whole, there)
    names = [name for name, _ in whole if name not in SEVERAL]
    # All day and every day are written like on the page: not at all.
    unnamed = {"hours": read_there.hours, "weekdays": read_there.weekdays}
    if not {"hours", "weekdays"} & {*names}:
        unnamed["asked"] = None
    assert read_there == msgspec.structs.replace(shown, **unnamed)
    assert len({*names}) == len(names)
    assert {"timezone", "interval", "metric", "model"} <= {*names}
    assert not with_range or {"from", "to"} <= {*names}
    assert sorted(whole_question(whole, read_there, with_range=with_range)) == sorted(whole)


def test_the_command_the_api_and_the_page_name_the_same_query(
    people: Place, url: str, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(people.settings.data_dir))
    (people.settings.data_dir / "store").mkdir(exist_ok=True)
    times = "from=2024-05-01T10:00&to=2024-05-01T10:00:30&timezone=Europe/Berlin"
    query = f"label=car&{times}&weekdays={(days := '5,4,3,2,1,1')}"
    body = json.dumps({"sites": [SITE]})
    with asking_as(url, "runa") as ask:
        answer = ask("POST", f"/api/v1/embeds?{query}", body, Content_Type="application/json")
        page = ask("GET", f"/data?{query}", Accept="text/html").body.decode()
    key = people.access.signing_key()
    by_api = read_signed(query_of(answer.json["code"]), key)
    by_command = read_signed(sign("--label", "car", "--timezone", "Europe/Berlin", "--weekdays", days), key)
    assert sorted(by_api.selection) == sorted(by_command.selection)
    [counts] = re.findall(r'/api/v1/counts[?]([^"<]*)', html.unescape(page))[:1]
    on_page = dict(parse_qsl(counts))
    ends = {"from": on_page["from"], "to": on_page["to"]}  # as sent
    assert on_page == dict(by_api.selection) | ends
