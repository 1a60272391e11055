"""Turn single bits of what is stored: the numbers stay as they were, or a command says that they do not.

FAULTS_FLIPS and FAULTS_SEED can be set by the environment (see `make soak`). The seed is printed; the same
one turns the same bits of the same footage.
"""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.examples import first_quick
from tests.fakes.records import flipped
from tests.kit.clips import with_patches, write_clip

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.books.runs import current_runs, read_paths, read_tracks
from frametally.errors import FrametallyError
from frametally.media.corrections import retime
from frametally.media.manifests import list_manifests
from frametally.ports.count_index import CountQuery
from frametally.process.reports import NoProgress
from frametally.records import AutoDetector, encode
from frametally.rules.places import FLOWS, series_of
from frametally.settings.loading import load_settings
from frametally_cli import main as cli
from frametally_cli.commands.doctor import deep_rows
from frametally_consumer.load import chosen_backend
from frametally_traffic.counting.published_days import read_flows
from frametally_traffic.drawings.revisions import change_drawing, list_drawings, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

FLIPS = int(os.environ.get("FAULTS_FLIPS", "24"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
SETTINGS = {
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_INTERVAL_S": "1",
    "FRAMETALLY_BATCH_FRAMES": "8",
    "FRAMETALLY_TRACK_LABEL_CONFIDENCE": "*=0.1,bus=0.4,car=0.4,truck=0.4",
    "COLUMNS": "300",
}
COUNT = [["aggregate"], ["index"], ["status"]]
COUNT_ANEW = [["aggregate", "--all"], ["index"], ["status"]]
FILES = ("cam.mp4", "yard.mp4", "gate.mp4")
ACROSS = DrawnLine(name="across", width_px=64, height_px=48, points=((30.0, 0.0), (30.0, 48.0)))
WITHIN = DrawnZone(name="within", width_px=64, height_px=48, points=((8.0, 0.0), (50.0, 0.0), (30.0, 48.0)))


class Kind(NamedTuple):
    """What is damaged: the files of one kind, when, and what is done then.

    `since` names the starting state: `detected`, `counted` or `settled`. `is_cache`: it belongs to the very
    files that are there, so it is filled before the bit is turned.
    """

    since: str
    files: str
    commands: list[list[str]]
    is_cache: bool = False


PRODUCE = [["produce", *FILES], *COUNT]
CORRECT = [
    ["retime", "gate.mp4", "--start-time", "2026-03-04T12:00:30Z"],
    ["consume", "--until-caught-up"],
    *COUNT,
]
KINDS = {
    "segments, before the first count": Kind("detected", "store/metadata/**/*.jsonl", COUNT),
    "segments, counted anew": Kind("settled", "store/metadata/**/*.jsonl", COUNT_ANEW),
    "part files, before they are indexed": Kind("counted", "store/mapreduce-output/**/part-*", COUNT),
    "part files, counted anew": Kind("settled", "store/mapreduce-output/**/part-*", COUNT_ANEW),
    "hour files": Kind("settled", "store/hours/**/*.jsonl", COUNT),
    "lists of hour files": Kind("settled", "store/mapreduce-output/**/_hours.json", COUNT),
    "flows": Kind("settled", "store/tracks/**/flows-*", COUNT),
    "run pointers, before they are indexed": Kind("counted", "store/mapreduce-output/**/_runs/*.json", COUNT),
    "run pointers": Kind("settled", "store/mapreduce-output/**/_runs/*.json", COUNT),
    "quality reports": Kind("settled", "store/mapreduce-output/**/_quality.json", COUNT),
    "tombstones, before the first count": Kind("detected", "store/tombstones/**/*.json", COUNT),
    "tombstones, counted anew": Kind("settled", "store/tombstones/**/*.json", COUNT_ANEW),
    "manifests, before the first count": Kind("detected", "store/media/*.json", COUNT),
    "manifests, produced again": Kind("settled", "store/media/*.json", PRODUCE),
    "drawings": Kind("settled", "store/drawings/**/*.json", COUNT_ANEW),
    "settled dead letters": Kind("settled", "store/dead-letters/dropped/*.json", COUNT_ANEW),
    "lists, counted again": Kind("correcting", "store/mapreduce-output/**/_hours.json", CORRECT),
    "corrections": Kind("correcting", "store/corrections/*.json", CORRECT),
    "models/auto.json": Kind("settled", "store/models/auto.json", COUNT),
    "notes of manifests": Kind("settled", "manifests-*.jsonl", COUNT_ANEW, is_cache=True),
    "seen files": Kind("settled", "seen-files.sqlite", PRODUCE, is_cache=True),
    "ledger": Kind("settled", "ledger.sqlite", COUNT_ANEW, is_cache=True),
    "index": Kind("settled", "index.sqlite", [["index"], ["status"]], is_cache=True),
}


def make_video(path: Path, seed: int) -> None:
    """Four seconds of a bright patch that crosses the picture, and of a still one."""
    write_clip(path, (with_patches((4 + seed, 4), (2 + 2 * n, 26), side_px=13) for n in range(20)))


def run(data: Path, *arguments: str) -> int:
    return cli.main([*arguments, "--data-dir", str(data)])


class States:
    """Data folders to start from, by name, and the numbers at the end of each kind's commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._expected: dict[str, object] = {}

    def expected(self, name: str) -> object:
        """Return the numbers of a kind of which nothing was hurt."""
        if name not in self._expected:
            quiet = begin(self.folder, KINDS[name], self.folder / "quiet")
            assert {run(quiet, *command) for command in KINDS[name].commands} == {0}, name
            self._expected[name] = numbers(quiet)
        return self._expected[name]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
        folder = tmp_path_factory.mktemp("flips")
        patch.chdir(folder)
        for number, name in enumerate(FILES):
            make_video(folder / name, number)
        yield folder


@pytest.fixture(scope="module")
def states(footage: Path) -> States:
    """Three videos, one with a deleted second, one with a missing picture that was settled by hand.

    The complete one has a drawing.
    """
    data = footage / "detected"
    for hour, name in enumerate(FILES, start=10):
        assert run(data, "produce", name, "--start-time", f"2026-03-04T{hour}:00:00Z") == 0
    next((data / "store/images/yard").rglob("*.jpg")).unlink()
    assert run(data, "consume", "--until-caught-up") == 6
    with closing(open_object_store((data / "store").as_uri())) as store:
        store.put(keys.AUTO_DETECTOR, encode(AutoDetector(backend="opencv")))
        change_drawing(store, "gate", lambda drawing: with_shapes(drawing, [ACROSS, WITHIN]))
    assert run(data, "dead-letters", "drop", "--all") == 0
    cut = ("--from", "2026-03-04T10:00:01Z", "--to", "2026-03-04T10:00:02Z")
    assert run(data, "forget", "cam.mp4", *cut, "--yes") == 0
    shutil.copytree(data, footage / "counted")
    assert run(footage / "counted", "aggregate") == 0
    shutil.copytree(footage / "counted", footage / "settled")
    assert [run(footage / "settled", *command) for command in COUNT] == [0, 0, 0]
    shutil.copytree(footage / "settled", footage / "correcting")
    with closing(open_object_store((footage / "correcting/store").as_uri())) as store:
        [gate] = [manifest for manifest in list_manifests(store) if manifest.source == "gate"]
        assert retime(store, gate, start_ms=(gate.start_ms or 0) + 30_000) is not None
    return States(footage)


def begin(footage: Path, kind: Kind, data: Path) -> Path:
    """Make a data folder in the kind's starting state."""
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(footage / kind.since, data)
    if kind.is_cache:
        for command in PRODUCE:
            assert run(data, *command) == 0
    return data


def numbers(data: Path) -> object:
    """The files behind the chart, the proof of objects, lines and the export of this folder."""
    with (
        closing(open_count_index(f"sqlite:///{data}/index.sqlite")) as index,
        closing(open_object_store((data / "store").as_uri())) as store,
    ):
        series = sorted({(run.model, run.interval_s) for run in index.current_runs()})
        charted = [index.histogram(CountQuery(model, base_s, base_s)) for model, base_s in series]
        tracks = [
            [*read_tracks(store, run), *of_sources(store, run)]
            for run in current_runs(store)
            for of_sources in (read_flows if series_of(run.model) == FLOWS else read_paths,)
        ]
        drawn = list_drawings(store)
    return charted, tracks, drawn


def numbers_or_line(data: Path) -> object:
    try:
        return numbers(data)
    except FrametallyError as error:
        return error


@pytest.mark.thorough
@pytest.mark.timeout(240 + 7 * FLIPS)
def test_a_flipped_bit_at_rest_never_changes_a_number_silently(
    states: States, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    rng = random.Random(SEED)  # noqa: S311
    for number in range(FLIPS):
        name = list(KINDS)[number % len(KINDS)]
        kind = KINDS[name]
        data = begin(states.folder, kind, states.folder / "hurt")
        path = rng.choice(sorted(data.glob(kind.files)))
        bit = some_bit(path.read_bytes(), rng)
        turn(path, bit)
        where = f"seed {SEED}, flip {number}: {name}, bit {bit} of {path.relative_to(data)}"
        if path.is_relative_to(data / "store"):
            found = [row for row in deep_rows(load_settings(data_dir=data)) if not row.good]
            assert found, f"{where}: not found by doctor --deep"
        capfd.readouterr()
        codes = [run(data, *command) for command in kind.commands]
        said = capfd.readouterr()
        assert "Traceback" not in said.err + said.out, where
        if path.name == "auto.json":
            codes.append(backend_is_told(data))
        after = numbers_or_line(data)
        if after == states.expected(name):
            outcome = "the same numbers" if not any(codes) else "the same numbers, and a line"
        elif any(codes) or isinstance(after, FrametallyError):
            outcome = "a line"
        else:
            outcome = "in silence"
        assert outcome != "in silence", where
        outcomes[name][outcome] += 1
    with capfd.disabled():
        print(f"\nseed {SEED}: {FLIPS} bits turned")
        for name, found_outcomes in outcomes.items():
            print(f"  {name}: {', '.join(f'{n} {outcome}' for outcome, n in sorted(found_outcomes.items()))}")


def some_bit(data: bytes, rng: random.Random) -> int:
    """Choose a bit of a byte that matters.

    Most of a database's file is empty; the header of a gzip file and the last bits before its checksum do not
    affect its lines.
    """
    places = range(10, len(data) - 9) if data.startswith(b"\x1f\x8b") else range(len(data))
    return 8 * rng.choice([at for at in places if data[at]]) + rng.randrange(8)


def turn(path: Path, bit: int) -> None:
    """Flip one bit; the file's date and place stay."""
    status = path.stat()
    with path.open("r+b") as file:
        data = flipped(file.read(), bit)
        file.seek(0)
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def backend_is_told(data: Path) -> int:
    """Return 0 if the store still names the detector that it was given, 2 if that is refused."""
    try:
        assert chosen_backend(load_settings(data_dir=data, detector="auto"), NoProgress()) == "opencv"
    except FrametallyError:
        return 2
    return 0


@pytest.mark.parametrize(
    "name",
    first_quick(
        [
            "part files, before they are indexed",
            "part files, counted anew",
            "hour files",
            "lists of hour files",
            "flows",
            "run pointers",
            "run pointers, before they are indexed",
            "quality reports",
        ]
    ),
)
def test_the_command_named_in_the_message_repairs_the_data(states: States, name: str) -> None:
    kind = KINDS[name]
    data = begin(states.folder, kind, states.folder / "hurt")
    turn(next(iter(sorted(data.glob(kind.files)))), 8 * 20)
    settings = load_settings(data_dir=data)
    [damaged] = [row for row in deep_rows(settings) if not row.good]
    [command] = re.findall(r"`frametally ([^`]+)`", damaged.remedy)
    run(data, *command.split())
    assert [row for row in deep_rows(settings) if not row.good] == []
    assert [run(data, *command) for command in COUNT] == [0, 0, 0]
    assert numbers(data) == states.expected(name)


@pytest.mark.thorough
def test_damaged_lists_of_hour_files_are_named_and_counted_again_from_the_lines(
    states: States, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = KINDS["lists, counted again"]
    data = begin(states.folder, kind, states.folder / "hurt")
    paths = sorted(data.glob(kind.files))
    for path in paths:
        turn(path, 8 * 20)
    capfd.readouterr()
    assert {run(data, *command) for command in kind.commands} == {0}
    said = capfd.readouterr().err
    for path in paths:
        assert f"{path.relative_to(data / 'store')}" in said
    assert "2026-03-04 is counted from its segments" in said
    assert numbers(data) == states.expected("lists, counted again")


@pytest.mark.thorough
def test_a_ledger_that_contradicts_the_store_is_found_and_rebuilt(states: States) -> None:
    data = begin(states.folder, KINDS["ledger"], states.folder / "hurt")
    settings = load_settings(data_dir=data)
    with closing(sqlite3.connect(data / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE frametally_ledger_tallies SET detected = detected + 1")
    [damaged] = [row for row in deep_rows(settings) if not row.good]
    [command] = re.findall(r"`frametally ([^`]+)`", damaged.remedy)
    assert run(data, *command.split()) == 0
    assert [row for row in deep_rows(settings) if not row.good] == []
