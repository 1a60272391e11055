"""Dead letters can be listed, mended and settled; the counts end as if nothing had failed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of
from tests.kit.consuming import consume_all

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameAnnouncement, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.segments.dead_letters import choose, drop, list_dead_letters, replay
from frametally.settings.loading import Settings, load_settings
from frametally_cli.main import cli

TOPIC = "frames"
MOST_PIXELS = 50_000_000


def jpeg(number: int) -> bytes:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[8:20, 8 + number : 20 + number] = (0, 0, 255)
    return bytes(jpeg_of(picture))


def announce(store: ObjectStore, log: MemoryLog, number: int) -> FrameAnnouncement:
    data = jpeg(number)
    frame = make_announcement(make_frame(1000 * number, number), data)
    store.put(frame.image_path, data)
    log.publish(TOPIC, [(b"", encode(frame))])
    return frame


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, detector="pixels", batch_frames=4, log_partitions=1)


def run_consumer(settings: Settings, store: ObjectStore, log: object) -> None:
    consume_all(settings, store, log)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create_topic(TOPIC, 1)
    return log


def lines(store: ObjectStore) -> dict[str, bytes]:
    return {
        frame.image_path: encode(frame)
        for key in list_segments(store)
        for frame in read_segment(store, key).frames()
    }


SPOIL = {
    "missing": lambda store, frame: store.delete(frame.image_path),
    "checksum": lambda store, frame: store.put(frame.image_path, b"other bytes"),
}


@pytest.mark.parametrize("cause", list(SPOIL))
def test_a_replay_after_the_cause_is_mended_leaves_no_difference(
    settings: Settings, store: MemoryStore, log: MemoryLog, cause: str
) -> None:
    frames = [announce(store, log, number) for number in range(6)]
    SPOIL[cause](store, frames[2])
    run_consumer(settings, store, log)
    [entry] = list_dead_letters(store)
    assert (entry.cause, entry.state, entry.letter.image_path) == (cause, "waiting", frames[2].image_path)

    again = replay([entry], store=store, log=log, partitions=2, max_pixels=MOST_PIXELS)
    assert again.announced == []
    assert "has not been corrected yet" in again.skipped[0].reason

    store.put(frames[2].image_path, jpeg(2))
    assert replay([entry], store=store, log=log, partitions=2, max_pixels=MOST_PIXELS).announced == [entry]
    run_consumer(settings, store, log)
    assert [entry.state for entry in list_dead_letters(store)] == ["detected"]

    undisturbed, its_log = MemoryStore(), MemoryLog()
    its_log.create_topic(TOPIC, 1)
    for number in range(6):
        announce(undisturbed, its_log, number)
    run_consumer(settings, undisturbed, its_log)
    assert lines(store) == lines(undisturbed)

    messages = log.end_offsets(TOPIC)
    settled = replay(list_dead_letters(store), store=store, log=log, partitions=2, max_pixels=MOST_PIXELS)
    assert settled.announced == settled.skipped == []
    assert log.end_offsets(TOPIC) == messages, "what is settled is not announced again"


def test_an_oversized_picture_can_be_replayed_once_the_limit_allows_it(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    big = np.zeros((1100, 1000, 3), np.uint8)
    data = jpeg_of(big)
    frame = announce(store, log, 0)
    path = keys.image_key("cam", 9000, "ab" * 32, 9)
    store.put(path, data)
    changed = {name: getattr(frame, name) for name in FrameAnnouncement.__struct_fields__} | {
        "image_path": path,
        "captured_at_ms": 9000,
        "frame_index": 9,
        "width_px": 1000,
        "height_px": 1100,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    log.publish(TOPIC, [(b"", encode(FrameAnnouncement(**changed)))])
    run_consumer(settings.model_copy(update={"max_image_megapixels": 1}), store, log)
    [entry] = list_dead_letters(store)
    assert entry.cause == "oversized"
    assert replay([entry], store=store, log=log, partitions=2, max_pixels=MOST_PIXELS).announced == [entry]


def test_a_malformed_message_cannot_be_replayed_and_the_command_says_so(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    log.publish(TOPIC, [(b"", b"\xff")])
    run_consumer(settings, store, log)
    result = replay(list_dead_letters(store), store=store, log=log, partitions=2, max_pixels=MOST_PIXELS)
    assert result.announced == []
    assert "cannot announce it again" in result.skipped[0].reason
    assert "drop" in result.skipped[0].reason


def test_a_dropped_letter_is_settled_and_dropping_it_again_changes_nothing(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    log.publish(TOPIC, [(b"", b"\xff"), (b"", b"")])
    run_consumer(settings, store, log)
    first, second = list_dead_letters(store)
    assert drop([first], store=store) == 1
    assert [entry.state for entry in list_dead_letters(store)] == ["dropped", "waiting"]
    assert drop(list_dead_letters(store), store=store) == 1
    assert drop(list_dead_letters(store), store=store) == 0
    assert first.id != second.id


def test_an_id_may_be_shortened_as_long_as_it_is_unique(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    log.publish(TOPIC, [(b"", b"\xff")] * 40)
    run_consumer(settings, store, log)
    entries = list_dead_letters(store)
    assert choose(entries, ids=[entries[3].id]) == [entries[3]]
    for bad in ("zz", ""):
        with pytest.raises(Misconfigured, match="dead-letters list"):
            choose(entries, ids=[bad])
    assert choose(entries, cause="missing") == []
    assert len(choose(entries, cause="malformed")) == 40


def test_the_commands_list_show_replay_and_drop_dead_letters(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    store, log = open_object_store(settings.store_url), open_frame_log(settings.log_url)
    request.addfinalizer(log.close)
    log.create_topic(TOPIC, 1)
    frame = announce(store, log, 1)  # type: ignore[arg-type]
    store.delete(frame.image_path)
    log.publish(TOPIC, [(b"", b"\xff")])
    run_consumer(settings, store, log)

    def call(*arguments: str) -> tuple[int | None, str]:
        result = CliRunner().invoke(
            cli, ["dead-letters", *arguments, "--data-dir", str(tmp_path)], standalone_mode=False
        )
        assert result.exception is None, result.output
        return result.return_value, result.output

    listed = json.loads(call("list", "--json")[1])
    assert [one["cause"] for one in listed] == ["missing", "malformed"]
    assert {"id", "reason", "stage", "source", "offset", "segment"} <= listed[0].keys()
    assert "2 dead letters" in call("list")[1]
    assert json.loads(call("show", listed[0]["id"])[1])["message"]["image_path"] == frame.image_path
    assert json.loads(call("show", listed[1]["id"])[1])["message"] == "\\xff"

    assert call("replay")[0] == 2
    store.put(frame.image_path, jpeg(1))
    code, output = call("replay", "--cause", "missing")
    assert (code, "1 announced again" in output) == (0, True)
    assert "1 dropped" in call("drop", listed[1]["id"])[1]
    run_consumer(settings, store, log)
    assert "no dead letters" in call("list")[1]
    assert {one["state"] for one in json.loads(call("list", "--json", "--all")[1])} == {"detected", "dropped"}
