"""How planning and `frametally status` grow with what is stored, up to a million segments of ten frames.

    python benchmarks/planning_scale.py [--few 100000] [--many 1000000] [--rounds 3] [--data DIR]

The books are made without pictures: segments that consist only of their header, the manifests of their media,
and a ledger with the rows of their frames. A segment has ten frames of one of ten sources, a medium 300, a
day 100,000. The runs of the days are made after the first plan, so that the next one finds nothing new.

A process is measured with its start-up, as in an installation: Python has compiled the modules before, and a
planning process imports what `frametally aggregate` imports, not what only this benchmark needs.
"""

from __future__ import annotations

import gzip
import itertools
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import footage
import msgspec
from aggregation_data import MODEL, START_MS, apart
from aggregation_rounds import Measured, clear
from footage import LOG_ID, TOPIC
from results import Cell, Goal, Table, options, save

from frametally import keys
from frametally.adapters_by_url import open_ledger, open_object_store
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.history_records import HourList
from frametally.media.manifests import ManifestReader
from frametally.process.reports import NoProgress
from frametally.records import Coverage, encode
from frametally.rules.times import DAY_MS
from frametally.segment_records import SegmentHeader, SegmentSource
from frametally.settings.loading import Settings
from frametally_hadoop.driver import settings_params
from frametally_hadoop.planning.hours import SegmentBook
from frametally_hadoop.planning.plan import DayPlan, make_plan

PARTITIONS, SOURCES = 4, 10
FRAMES, STEP_MS = 10, 800
SEGMENTS_PER_MEDIUM, SEGMENTS_PER_DAY = 30, 10_000
NOTHING = "planning from nothing: no ledger, no notes"
WARM, ONE_MORE = "planning, nothing new", "planning, one new segment"
STATUS, STATUS_MORE = "status, nothing new", "status, one new segment"
STEPS = NOTHING, WARM, ONE_MORE, STATUS, STATUS_MORE
FORGET = "the ledger forgets a day"


class Place(NamedTuple):
    """The contents of one segment: frames `STEP_MS` apart of one source, and its place in its partition."""

    number: int
    source: str
    medium: str
    first_ms: int
    first_offset: int

    @property
    def last_ms(self) -> int:
        """The time of its last frame."""
        return self.first_ms + (FRAMES - 1) * STEP_MS

    @property
    def key(self) -> str:
        """Its key in the store."""
        return keys.segment_key(MODEL, LOG_ID, TOPIC, self.number % PARTITIONS, self.first_offset)


def places(segments: Iterable[int]) -> Iterator[Place]:
    """Yield the contents of these segments, given by number."""
    slot_ms = DAY_MS * SOURCES // SEGMENTS_PER_DAY
    for number in segments:
        day, of_day = divmod(number, SEGMENTS_PER_DAY)
        turn, source = divmod(of_day, SOURCES)
        medium = (day * SOURCES + source) * SEGMENTS_PER_DAY + turn // SEGMENTS_PER_MEDIUM
        first_ms = START_MS // DAY_MS * DAY_MS + day * DAY_MS + turn * slot_ms
        yield Place(number, f"gate-{source}", f"{medium:064x}", first_ms, number // PARTITIONS * FRAMES)


def write_segment(store: Path, place: Place) -> None:
    """Write a segment's header to the segment's place in the store in this folder."""
    part = SegmentSource(
        source=place.source,
        frames=FRAMES,
        first_captured_at_ms=place.first_ms,
        last_captured_at_ms=place.last_ms,
        first_byte=0,
        next_byte=3000,
        crc32=place.number,
    )
    header = SegmentHeader(
        model=MODEL,
        log_id=LOG_ID,
        topic=TOPIC,
        partition=place.number % PARTITIONS,
        first_offset=place.first_offset,
        next_offset=place.first_offset + FRAMES,
        frames=FRAMES,
        dead_letters=0,
        sources=[part],
        dead_letters_crc32=0,
    )
    path = store / place.key
    if not place.number:
        path.parent.mkdir(parents=True)
    path.write_bytes(encode(header) + b"\n")


def generate(folder: Path, segments: int) -> None:
    """Write segments and manifests, and a ledger's rows for them."""
    store = folder / "store"
    frames_of: dict[str, list[Place]] = {}
    for place in places(range(segments)):
        write_segment(store, place)
        frames_of.setdefault(place.medium, []).append(place)
    (store / keys.MEDIA).mkdir()
    for held in frames_of.values():
        write_manifest(store, held)
    fill_ledger(folder, segments)
    (folder / "ready").touch()


def write_manifest(store: Path, held: list[Place]) -> None:
    """Write the manifest of a medium in these segments."""
    frames, span = len(held) * FRAMES, (held[0].first_ms, held[-1].last_ms)
    manifest = footage.manifest(held[0].medium, held[0].source, span, frames, sampling="1", runs=[span])
    (store / manifest.key).write_bytes(encode(manifest))


def fill_ledger(folder: Path, segments: int) -> None:
    """Insert the rows of the segments, as a refresh does after reading them whole."""
    path = folder / "ledger.sqlite"
    with (
        closing(open_object_store((folder / "store").as_uri())) as store,
        closing(open_ledger(f"sqlite:///{path}")) as headers,
    ):
        headers.refresh_headers(store, NoProgress())
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute("UPDATE frametally_ledger_segments SET is_read = 1")
        number_of = dict(ledger.execute("SELECT name, number FROM frametally_ledger_names"))
        (first,) = ledger.execute("SELECT next_number FROM frametally_ledger").fetchone()
        media = sorted({place.medium for place in places(range(segments))})
        number_of |= {name: number for number, name in enumerate(media, start=first)}
        insert(ledger, "names", ((name, number_of[name]) for name in media))
        rows = (
            (number_of[MODEL], number_of[place.source], number_of[place.medium], at_ms, place.number, 0)
            for place in places(range(segments))
            for at_ms in range(place.first_ms, place.last_ms + 1, STEP_MS)
        )
        insert(ledger, "frames", rows)
        ledger.execute(
            "INSERT INTO frametally_ledger_tallies "
            "SELECT model, captured_at_ms / ?, source, media, count(*), 0 "
            "FROM frametally_ledger_frames GROUP BY 1, 2, 3, 4",
            [DAY_MS],
        )
        ledger.execute("UPDATE frametally_ledger SET next_number = ?", [first + len(media)])
        ledger.commit()


def insert(ledger: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows whose values are in the order of the table's columns."""
    columns = ledger.execute("SELECT count(*) FROM pragma_table_info(?)", [f"frametally_ledger_{table}"])
    marks = ",".join("?" * columns.fetchone()[0])
    ledger.executemany(f"INSERT INTO frametally_ledger_{table} VALUES ({marks})", rows)  # noqa: S608


def write_whole(store: Path, place: Place) -> None:
    """Write one more segment with its lines, and the manifest of its medium."""
    frames = [
        footage.frame(MODEL, place.source, place.first_ms + n * STEP_MS, n, [], medium=place.medium)
        for n in range(FRAMES)
    ]
    key, data = footage.segment(MODEL, place.number % PARTITIONS, place.first_offset, frames)
    (store / key).write_bytes(data)
    write_manifest(store, [place])


def plan(folder: Path, *, publish: bool) -> None:
    """Plan as `frametally aggregate` does; then publish runs of the stale days as if they were counted."""
    settings = Settings(data_dir=folder).resolved()
    with (
        closing(open_object_store((folder / "store").as_uri())) as store,
        closing(SegmentBook(settings.ledger_url)) as book,
    ):
        counting_plan = make_plan(
            store=store,
            params=settings_params(settings),
            book=book,
            manifests=ManifestReader(store, folder),
            progress=NoProgress(),
        )
        print(len(counting_plan.stale), "days to count,", len(counting_plan.up_to_date), "up to date")
        for day in counting_plan.stale if publish else ():
            publish_run(folder / "store", day)


def publish_run(store: Path, day: DayPlan) -> None:
    """Write a run with the day's coverage, one line a source, and its pointer."""
    digest = day.inputs_sha256()
    run_id = f"{day.sequence:06d}-{digest[:16]}"
    prefix = keys.run_folder(MODEL, day.params.digest(), 60, day.key.day, run_id)
    frames_of: dict[str, int] = {}
    for source, _ in {(row.source, row.key) for row in day.segments.rows if row.is_own}:
        frames_of[source] = frames_of.get(source, 0) + FRAMES
    start_ms = keys.day_start_ms(day.key.day)
    lines = b"".join(coverage_line(source, start_ms, frames) for source, frames in sorted(frames_of.items()))
    hours = HourList(
        run_id=run_id, model=MODEL, params=day.params.digest(), interval_s=60, day=day.key.day, hours={}
    )
    hour_list = encode(hours)
    run = msgspec.structs.replace(
        footage.run(MODEL, day.key.day, day.sequence, frames=sum(frames_of.values())),
        run_id=run_id,
        params=day.params.digest(),
        prefix=prefix,
        inputs_sha256=digest,
        parts_crc32=[zlib.crc32(lines)],
        tombstones_crc32=[],
        hours_crc32=zlib.crc32(hour_list),
        settings=day.params.in_words(),
    )
    (store / prefix).mkdir(parents=True)
    (store / prefix / run.parts[0]).write_bytes(gzip.compress(lines, 1))
    (store / hours.key).write_bytes(hour_list + b"\n")
    (store / run.key).parent.mkdir(exist_ok=True)
    (store / run.key).write_bytes(encode(run))


def coverage_line(source: str, start_ms: int, frames: int) -> bytes:
    """Return a part file's line for a source's day, as if it were one interval."""
    coverage = Coverage(
        model=MODEL, source=source, interval_start_ms=start_ms, interval_s=60, frames=frames, detections=0
    )
    return b'["coverage","%s",%d]\t%s\n' % (source.encode(), start_ms, encode(coverage))


def main() -> None:
    """Measure, and write benchmarks/results/planning_scale.json."""
    asked = options(__doc__, few=100_000, many=1_000_000, rounds=3, data=Path, plan=Path, publish=False)
    if asked.plan:
        plan(asked.plan, publish=asked.publish)
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in an installation, which is compiled once
    sizes = asked.few, asked.many
    with tempfile.TemporaryDirectory() as temporary:
        (few, few_forgotten_s), (many, many_forgotten_s) = (
            measure(asked.data or Path(temporary), size, asked.rounds) for size in sizes
        )
    size = f"{asked.many:,} segments"
    rows: list[list[Cell]] = [
        [name, *(cell for of in (few[name], many[name]) for cell in (of.wall_s, of.cpu_s, round(of.peak_mb)))]
        for name in STEPS
    ]
    save(
        name="planning_scale",
        title="Planning and status of many segments",
        about=f"{asked.few:,} and {asked.many:,} segments of {FRAMES} frames in a store of files, their "
        "manifests, and a ledger in SQLite that has taken them in; start-up included. From nothing: no "
        "segment and no manifest is noted, and no day is counted. The system caches the files as far as "
        "it has room.",
        packages=["msgspec", "sqlalchemy"],
        tables=[
            Table(
                "By the number of segments",
                ["", *(f"{size:,}: {what}" for size in sizes for what in ("wall s", "CPU s", "peak MB"))],
                rows,
                f"Medians of {asked.rounds} rounds, but of the first, which is one.",
            ),
            Table(
                "A day is removed",
                ["", *(f"{size:,}: wall s" for size in sizes)],
                [[FORGET, few_forgotten_s, many_forgotten_s]],
                f"{SEGMENTS_PER_DAY:,} segments with {SEGMENTS_PER_DAY * FRAMES:,} frames, without the "
                "listing that notices that they went.",
            ),
        ],
        goals=[
            Goal(f"planning {size} from nothing, peak (MB)", many[NOTHING].peak_mb, at_most=1000),
            Goal(f"planning {size} with nothing new (s)", many[WARM].wall_s, at_most=2),
            Goal(f"`frametally status` of {size} (s)", many[STATUS].wall_s, at_most=2),
            Goal(
                f"the ledger forgets a day: of {size}, as ratio to {asked.few:,}",
                many_forgotten_s / few_forgotten_s,
                at_most=1.5,
            ),
        ],
    )


def forget_day(folder: Path) -> float:
    """Return the seconds for a ledger to forget the segments of its first day, which is rolled back."""
    from frametally.adapters.sql.ledger import intake, segment_rows
    from frametally.adapters.sql.ledger.chains import Chains
    from frametally.adapters.sql.ledger.database import LedgerDatabase

    gone = [place.key for place in places(range(SEGMENTS_PER_DAY))]
    database = LedgerDatabase(f"sqlite:///{folder / 'ledger.sqlite'}", None, BUSY_TIMEOUT_S)
    with closing(database), suppress(_Undone), database.writing() as connection:
        started_s = time.perf_counter()
        of_all = Chains(connection)
        if segment_rows.forget_segments(connection, of_all, gone):
            raise SystemExit("segments of another day were to be read again")
        of_all.save(intake.Numbers(connection).number_of)
        forgotten_s = time.perf_counter() - started_s
        raise _Undone
    return forgotten_s


class _Undone(Exception):
    """Signals that the transaction is to be rolled back."""


def next_place(store: Path, segments: int) -> Place:
    """Return the first free place after so many segments."""
    return next(place for place in places(itertools.count(segments)) if not (store / place.key).exists())


@contextmanager
def empty(folder: Path) -> Iterator[None]:
    """Take away the machine's notes about the store, and restore its ledger afterwards."""
    for file in folder.glob("manifests-*.jsonl"):
        file.unlink()
    whole = folder / "ledger"
    whole.mkdir()
    for file in folder.glob("ledger.sqlite*"):
        file.rename(whole / file.name)
    yield
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()
    for file in whole.iterdir():
        file.rename(folder / file.name)
    whole.rmdir()


def measure(folder: Path, segments: int, rounds: int) -> tuple[dict[str, Measured], float]:
    """Plan and read the books in separate processes, start-up included; then forget a day."""
    place = folder.resolve() / f"books-{segments}"
    if not (place / "ready").exists():
        apart(generate, place, segments)
    for file in place.glob("index.sqlite*"):
        file.unlink()
    os.environ["FRAMETALLY_DATA_DIR"] = str(place)
    planning = [sys.executable, str(Path(__file__).resolve()), "--plan", str(place)]
    frametally = [sys.executable, "-m", "frametally"]
    # The status is "behind", because the segments' frames are not counted yet.
    status = ["/bin/sh", "-c", f"{' '.join(frametally)} status || [ $? -eq 4 ]"]
    measured = {name: Measured() for name in STEPS}
    with empty(place):
        clear(place)
        measured[NOTHING].run(planning)
    Measured().run([*planning, "--publish"])
    Measured().run([*frametally, "index"])
    Measured().run(status)
    for _ in range(rounds):
        measured[WARM].run(planning)
        measured[STATUS].run(status)
        write_whole(place / "store", next_place(place / "store", segments))
        measured[ONE_MORE].run(planning)
        measured[STATUS_MORE].run(status)
    forgotten_s = statistics.median(forget_day(place) for _ in range(rounds))
    print(f"{segments} {FORGET}: {forgotten_s:.2f} s")
    for name, one in measured.items():
        print(f"{segments} {name}: {one.wall_s:.2f} s, {one.cpu_s:.2f} s of CPU, {one.peak_mb:.0f} MB")
    return measured, forgotten_s


if __name__ == "__main__":
    main()
