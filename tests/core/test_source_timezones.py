"""The time zone of a source: set by the command, moved with the name, and never a reason to lose a number."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_manifest

from frametally import keys
from frametally.errors import Poison
from frametally.media.source_timezones import (
    TimezoneChange,
    move_timezone,
    plan_timezone,
    read_timezones,
    readable_timezones,
    set_timezone,
    shared_timezone,
)
from frametally.ports.object_store import ObjectStore
from frametally.records import encode


def given(**timezones: str) -> ObjectStore:
    store = MemoryStore()
    for source, timezone in timezones.items():
        set_timezone(store, TimezoneChange(source, source, timezone, []))
    return store


@pytest.mark.parametrize(
    ("sources", "zone"),
    [
        (["gate"], "Europe/Berlin"),
        (["gate", "yard"], "Europe/Berlin"),
        (["gate", "roof"], None),
        (["gate", "door"], None),
        (["door"], None),
        ([], None),
    ],
)
def test_sources_share_a_time_zone_only_if_all_of_them_have_it(sources: list[str], zone: str | None) -> None:
    timezones = {"gate": "Europe/Berlin", "yard": "Europe/Berlin", "roof": "Asia/Tokyo"}
    assert shared_timezone(timezones, sources) == zone


def test_a_renamed_source_keeps_its_time_zone_and_a_merged_one_takes_the_other_sources() -> None:
    store = given(gate="Europe/Berlin", roof="Asia/Tokyo")
    move_timezone(store, "gate", "front", is_new=True)
    move_timezone(store, "gate", "front", is_new=True)  # again, after a kill
    assert read_timezones(store) == {"front": "Europe/Berlin", "roof": "Asia/Tokyo"}
    move_timezone(store, "front", "roof", is_new=False)
    assert read_timezones(store) == {"roof": "Asia/Tokyo"}


def test_damaged_time_zones_are_shown_as_none_and_never_overwritten() -> None:
    store = given(gate="Europe/Berlin")
    damaged = store.get(keys.TIMEZONES).replace(b"Berlin", b"Bexlin")
    store.put(keys.TIMEZONES, damaged)
    assert readable_timezones(store) == {}
    with pytest.raises(Poison, match=r"sources/timezones\.json: .*set the time zones again"):
        set_timezone(store, TimezoneChange("roof", "Roof", "Asia/Tokyo", []))
    assert store.get(keys.TIMEZONES) == damaged


def test_a_plan_gives_the_first_frame_by_both_clocks_and_nothing_if_nothing_changes() -> None:
    store = given()
    manifest = make_manifest(1, source="gate")
    media = [msgspec.structs.replace(manifest, first_captured_at_ms=0, last_captured_at_ms=0)]
    first, second, third = plan_timezone(store, media, "Asia/Tokyo").lines
    assert first.endswith("in Asia/Tokyo, not in each viewer's own time zone.")
    assert second == "Its first frame: 1970-01-01 00:00:00 UTC becomes 1970-01-01 09:00:00 JST."
    assert third.endswith("No stored count changes.")
    assert not plan_timezone(store, media, "").lines
    assert not read_timezones(store)


def test_the_command_shows_the_changes_asks_and_refuses_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from frametally.adapters_by_url import open_object_store
    from frametally.settings.loading import load_settings
    from frametally_cli.main import main

    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    settings = load_settings()
    store = open_object_store(settings.store_url, settings.store_access)
    store.put(keys.media_key(make_manifest(1).sha256), encode(make_manifest(1, source="gate")))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["set-timezone", *arguments])
        told = capsys.readouterr()
        return code, told.out + told.err

    assert run("gate", "Europe/Berlin", "--yes")[0] == 0
    assert read_timezones(store) == {"gate": "Europe/Berlin"}
    assert run("gate", "Europe/Berlin") == (0, "already done: nothing to change\n")
    for arguments, words in (
        (("gate", "Mars/Base"), "'Mars/Base' is not an IANA time zone; write it like Europe/Berlin"),
        (("roof", "UTC"), "no footage from source 'roof' has been produced; sources: Gate"),
    ):
        code, told = run(*arguments, "--yes")
        assert (code, told.count("\n")) == (2, 1), told
        assert words in told
    assert run("gate", "none", "--yes")[0] == 0
    assert read_timezones(store) == {}
    store.close()
