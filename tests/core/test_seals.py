"""Stored data is sealed: no flipped bit leaves a record that is accepted."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.capabilities import of_capabilities
from tests.examples import first_quick
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    DAY_MS,
    MEDIUM,
    flipped,
    make_coverage,
    make_frame,
    make_manifest,
    make_run,
    make_segment,
    put_run,
)

from frametally import keys
from frametally.books.quality_reports import QualityReport
from frametally.books.runs import read_parts, read_paths, read_run, read_tracks
from frametally.errors import BEFORE_FIRST_RELEASE, FrametallyError, Poison, TooOld
from frametally.history_records import HistoryEntry, HistoryReason, HourFile, HourList, RunHistory
from frametally.media.manifests import list_manifests, list_tombstones
from frametally.media.source_timezones import SourceTimezones
from frametally.model_records import InputCheck
from frametally.openers.port_openers import open_ports
from frametally.process.reports import NoProgress
from frametally.records import (
    AutoDetector,
    DeadLetter,
    Detection,
    Record,
    Run,
    SealedRecord,
    decode,
    decode_at,
    encode,
)
from frametally.rules.seals import sealed, unsealed
from frametally.segment_records import SegmentHeader
from frametally.segments.contents import decode_segment, read_header, read_source
from frametally.settings.loading import load_settings
from frametally.undo_records import Correction, DroppedDeadLetter, FootageChange, Tombstone
from frametally_cli.commands.doctor import check_records
from frametally_hadoop.job.reading import read_blocks

SEGMENT = keys.segment_key("pixels-1", "log-1", "frames", 0, 0)
STONE = Tombstone(
    media=f"{MEDIUM}.1", source="cam", name="cam.mp4", from_ms=DAY_MS, to_ms=DAY_MS + 5000, why="forget"
)
UPLOAD, VIDEO = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
RECORDS: list[SealedRecord] = [
    make_manifest(3, announced_frames=b"\x07"),
    STONE,
    Correction(
        why="retime",
        manifest=make_manifest(1),
        images=["1-abcdefabcdef-0.jpg"],
        source="cam",
        source_name="Cam",
        shift_ms=5,
        time_source="exif",
        delete_images=False,
    ),
    FootageChange(what="retime", id="0123456789ab", target="cam", media=[make_manifest(1)], shifts_ms=[5]),
    DroppedDeadLetter(segment=SEGMENT, offset=5),
    SourceTimezones(timezones={"cam": "Europe/Berlin"}),
    AutoDetector(backend="opencv"),
    make_run(),
    QualityReport(
        run_id="000001-" + "5" * 16,
        model="m",
        params="0" * 8,
        interval_s=60,
        day="2026-01-01",
        frames=1,
        detections=2,
        duplicates_dropped=0,
        lines_dead=0,
        set_aside=[],
        checks=[],
        frames_by_source={"cam": 1},
    ),
    RunHistory(
        run_id="000001-" + "5" * 16,
        model="m",
        params="0" * 8,
        interval_s=60,
        day="2026-01-01",
        entries=[
            HistoryEntry(
                sequence=1,
                run_id="000001-" + "5" * 16,
                params="0" * 8,
                reasons=[HistoryReason(kind="first")],
                differences={"cam": {"": {8: 1}, "car": {8: 2}}},
            )
        ],
        segments_to={"log-1/frames-0": 0},
    ),
    HourList(
        run_id="000001-" + "5" * 16,
        model="m",
        params="0" * 8,
        interval_s=60,
        day="2026-01-01",
        hours={"cam": {8: HourFile("6" * 16, 7, duplicates_dropped=1), 9: HourFile("8" * 16, None)}},
    ),
    InputCheck(
        model="m",
        sha256="7" * 64,
        setting="yolo",
        frames=8,
        sources=["cam"],
        sums={"yolo": 1.5, "yolox": 2.0},
        better="yolox",
    ),
]
# Records that `doctor --deep` reads in a separate check: of runs, or of a capability.
OWN_CHECKS: tuple[type[SealedRecord], ...] = (Run, QualityReport, RunHistory, HourList)
for module in of_capabilities("sealed_records"):
    RECORDS += module.RECORDS
    OWN_CHECKS += getattr(module, "OWN_CHECKS", ())


def segment() -> bytes:
    boxes = [Detection(label="car", confidence=0.9643, box=(1.0, 2.0, 3.0, 4.0))]
    frames = [make_frame(DAY_MS + n, n, boxes, source=source) for source in ("cam", "yard") for n in range(2)]
    letters = [DeadLetter(offset=4, message=b"?", stage="parse", cause="malformed", reason="no JSON")]
    return make_segment(frames, letters)


def every_flip(data: bytes) -> Iterator[bytes]:
    return (flipped(data, bit) for bit in range(8 * len(data)))


def named(record: Record) -> str:
    return type(record).__name__


@pytest.mark.thorough
@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_no_flipped_bit_of_a_stored_record_goes_unnoticed(record: SealedRecord) -> None:
    data = encode(record)
    assert decode_at(record.key, data, type(record)) == record
    for damaged in every_flip(data):
        with pytest.raises(Poison, match=r"^(?!.*\n)") as raised:
            decode_at(record.key, damaged, type(record))
        assert str(raised.value).startswith(f"{record.key}: ")
        assert str(raised.value).endswith(type(record).remedy)


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_record_without_a_checksum_is_refused(record: SealedRecord) -> None:
    with pytest.raises(Poison, match=rf"it has no checksum: it is damaged, or {BEFORE_FIRST_RELEASE}"):
        decode_at(record.key, unsealed(encode(record)), type(record))


def test_an_intact_record_that_lacks_a_field_is_from_before_the_first_release() -> None:
    fields = msgspec.json.decode(unsealed(encode(make_run())))
    del fields["hours"]
    with pytest.raises(TooOld, match=rf"^mapreduce-output/\S+ {BEFORE_FIRST_RELEASE}; set FRAM"):
        decode_at(make_run().key, sealed(msgspec.json.encode(fields)), Run)


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_field_that_a_newer_release_added_and_sealed_is_ignored(record: SealedRecord) -> None:
    newer = msgspec.json.encode(record)[:-1] + b',"colour":"red"}'
    assert decode(sealed(newer), type(record)) == record


@pytest.mark.parametrize("record", [*RECORDS, STONE], ids=named)
def test_a_record_stored_under_another_key_is_refused(record: SealedRecord) -> None:
    with pytest.raises(Poison, match=r"elsewhere\.json: it gives its own name as"):
        decode_at("elsewhere.json", encode(record), type(record))


def test_the_seal_is_the_last_field_and_changes_nothing_else() -> None:
    assert sealed(b'{"a":1}') == b'{"a":1,"seal":"%08x"}' % zlib.crc32(b'{"a":1')
    assert unsealed(sealed(b'{"a":1}')) == b'{"a":1}'


def read_whole(data: bytes) -> object:
    return decode_segment(data, SEGMENT)


def read_by_the_job(data: bytes) -> object:
    return [*read_blocks(f"data:;base64,{base64.b64encode(data).decode()}", SEGMENT, block_bytes=100)]


def read_by_ranges(data: bytes) -> object:
    store = MemoryStore()
    store.put(SEGMENT, data)
    header, body_start = read_header(store, SEGMENT)
    return header, [read_source(store, SEGMENT, body_start, part) for part in header.sources]


READERS: list[Callable[[bytes], Any]] = [read_whole, read_by_the_job, read_by_ranges]


@pytest.mark.thorough
@pytest.mark.parametrize("read", first_quick(READERS))
def test_no_flipped_bit_of_a_segment_goes_unnoticed(read: Callable[[bytes], Any]) -> None:
    data = segment()
    read(data)
    dead_letters = data.rindex(b"\n", 0, -1) + 1
    for bit in range(8 * (dead_letters if read is read_by_ranges else len(data))):
        with pytest.raises(FrametallyError, match=SEGMENT):
            read(flipped(data, bit))


@pytest.mark.parametrize("read", READERS)
def test_a_segment_without_checksums_is_refused(read: Callable[[bytes], Any]) -> None:
    head, newline, lines = segment().partition(b"\n")
    with pytest.raises(Poison, match=SEGMENT):
        read(unsealed(head) + newline + lines)


def test_the_same_messages_give_the_same_bytes() -> None:
    assert segment() == segment()
    assert unsealed(segment().partition(b"\n")[0]) is not None


def test_no_flipped_bit_of_a_part_file_changes_its_lines(store: MemoryStore) -> None:
    run = put_run(store, make_run(), [], [make_coverage(frames=1, detections=0)])
    [(key, _)] = read_parts(store, run)
    counts = read_run(store, run)
    not_seen = 0
    for damaged in every_flip(store.get(key)):
        store.put(key, damaged)
        try:
            assert read_run(store, run) == counts
            not_seen += 1
        except Poison as error:
            assert re.match(rf"{key}: damaged: .*frametally aggregate --all", str(error))
    assert not_seen < 80  # most bits of the ten bytes of its header do not affect its lines


@pytest.mark.parametrize("read", [read_tracks, read_paths])
@pytest.mark.parametrize("top", [keys.HOURS, keys.OUTPUT])
def test_no_flipped_bit_of_an_hour_file_or_their_list_goes_unnoticed(
    top: str, read: Callable[[MemoryStore, Run], Iterator[object]]
) -> None:
    store, run = MemoryStore(), make_run()
    data = b'["coverage","gate",0]\t{"not":"read"}\n'
    file = HourFile("6" * 16, zlib.crc32(data))
    about = {name: getattr(run, name) for name in ("run_id", "model", "params", "interval_s", "day")}
    listed = HourList(**about, hours={"gate": {8: file}})
    run = msgspec.structs.replace(run, hours_crc32=zlib.crc32(encode(listed)), hours=listed.digests())
    objects = {keys.HOURS: listed.file_key("gate", 8), keys.OUTPUT: listed.key}
    store.put(objects[keys.HOURS], data)
    store.put(listed.key, encode(listed))
    store.put(run.key, encode(run))
    assert list(read(store, run)) == []
    for damaged in every_flip(store.get(objects[top])):
        store.put(objects[top], damaged)
        with pytest.raises(Poison, match=rf"{objects[top]}: damaged: .*frametally aggregate --all"):
            list(read(store, run))


def test_a_foreign_file_in_a_folder_of_records_is_ignored(store: MemoryStore) -> None:
    manifest = make_manifest(1)
    store.put(manifest.key, encode(manifest))
    store.put(STONE.key, encode(STONE))
    for folder in (keys.MEDIA, keys.TOMBSTONES, f"{keys.TOMBSTONES}/{MEDIUM}"):
        store.put(f"{folder}/.DS_Store", b"\x00\x00\x00\x01Bud1")
    assert list_manifests(store) == [manifest]
    assert list_tombstones(store) == [STONE]


def test_doctor_checks_each_record_as_its_kind_and_names_each_damaged_one(tmp_path: Path) -> None:
    with open_ports(load_settings(data_dir=tmp_path)) as ports:
        small = [record for record in RECORDS if not isinstance(record, OWN_CHECKS)]
        for record in small:
            ports.store.put(record.key, encode(record))
        [row] = check_records(ports, NoProgress())
        assert (row.good, row.value) == (True, f"{len(small)} read")
        for record in small:
            ports.store.put(record.key, flipped(encode(record), 99))
        damaged = {row.name: row.remedy for row in check_records(ports, NoProgress()) if not row.good}
        assert damaged.keys() == {record.key for record in small}
        for record in small:
            assert damaged[record.key].endswith(type(record).remedy)
            assert "folder" not in type(record).remedy, "an original may lie in it"


def test_every_standalone_record_in_the_store_is_sealed() -> None:
    sealed_types = {type(record) for record in RECORDS} | {SegmentHeader}
    assert {*SealedRecord.__subclasses__()} == sealed_types
