"""10,000 random and 1,000 nearly valid messages: each is set aside once, and the good ones are processed."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import grey_jpeg
from tests.kit.consuming import consume_all

from frametally.errors import Poison
from frametally.ports.frame_log import consumer_group
from frametally.records import FrameAnnouncement, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.segments.stored_frame import BadFrame, parse_announcement
from frametally.settings.loading import load_settings
from frametally_consumer.load import load_detector

TOPIC = "frames"
RANDOM, NEARLY_VALID, GOOD = 10_000, 1_000, 200
WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    -(10**30),
    "",
    "x",
    "\x00",
    "../../etc/passwd",
    [],
    {},
    "🚲" * 50,
    [[[]]],
]
JPEG = grey_jpeg(64, 48, 200)


def good(number: int) -> FrameAnnouncement:
    return make_announcement(make_frame(1000 * number, number), JPEG)


def random_message(rng: random.Random) -> bytes:
    match rng.randrange(4):
        case 0:
            return rng.randbytes(rng.randrange(0, 300))
        case 1:
            return b"[" * rng.randrange(1, 5000)
        case 2:
            return b'{"v":1,"image_path":' + b'{"a":' * rng.randrange(1, 5000)
        case _:
            return bytes(rng.choices(b'{}[]":,0123456789.eE-+truefalsnu\\ \xff', k=rng.randrange(1, 200)))


def nearly_valid(rng: random.Random, number: int) -> bytes:
    """A good announcement with one fault: truncated, a missing field, another type, or another value."""
    message = encode(good(number))
    fields = msgspec.json.decode(message)
    name = rng.choice(sorted(fields))
    match rng.randrange(4):
        case 0:
            return message[: rng.randrange(len(message))]
        case 1 if name != "v":  # without a version it has the first
            del fields[name]
        case _:
            fields[name] = rng.choice([wrong for wrong in WRONG if wrong != fields[name]])
    if fields.get("v") is True or fields == msgspec.json.decode(message):
        fields["v"] = 99
    return msgspec.json.encode(fields)


@pytest.mark.thorough
def test_ten_thousand_random_and_a_thousand_nearly_valid_messages_are_all_accounted_for(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    rng = random.Random(seed)  # noqa: S311
    store, log = MemoryStore(), MemoryLog()
    log.create_topic(TOPIC, 6)
    for number in range(GOOD):
        store.put(good(number).image_path, JPEG)
    messages = [encode(good(number)) for number in range(GOOD)]
    messages += [random_message(rng) for _ in range(RANDOM)]
    messages += [nearly_valid(rng, rng.randrange(GOOD)) for _ in range(NEARLY_VALID)]
    rng.shuffle(messages)
    log.publish(TOPIC, [(str(at).encode(), message) for at, message in enumerate(messages)])
    settings = load_settings(data_dir=tmp_path, detector="pixels", topic=TOPIC)
    report = consume_all(settings, store, log)
    ends = log.end_offsets(TOPIC)
    group = consumer_group(load_detector(settings).model_id)
    assert log.committed(TOPIC, group) == ends
    detected = []
    dead = []
    for key in list_segments(store):
        segment = read_segment(store, key)
        detected += [frame.image_path for frame in segment.frames()]
        for letter in segment.dead_letters():
            dead.append((segment.header.partition, letter.offset))
            assert letter.cause
            assert letter.reason
            assert "\n" not in letter.reason
            assert len(letter.reason) < 1000
    assert len(dead) == len(set(dead)) == len(messages) - len(detected)
    # A changed one may still be valid: another `bytes`, or a medium's name, of the right form.
    assert set(detected) == {good(number).image_path for number in range(GOOD)}
    assert GOOD <= len(detected) <= GOOD + NEARLY_VALID // 10
    assert report.frames == len(detected)
    assert len(report.dead_letters) + report.dead_letters_unlisted == len(dead)


@pytest.mark.parametrize(
    "name", [name for name in FrameAnnouncement.__struct_fields__ if name != "time_source"]
)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:20])
def test_a_wrong_field_is_reported_or_harmless(name: str, wrong: object) -> None:
    fields = msgspec.json.decode(encode(good(7))) | {name: wrong}
    try:
        frame = parse_announcement(msgspec.json.encode(fields))
    except BadFrame as error:
        assert isinstance(error, Poison)
        assert error.cause == "malformed"
    else:
        encode(frame)
        assert 0 < frame.width_px < 1 << 16
        assert 0 < frame.height_px < 1 << 16
