"""Each engine gives the same bytes: mrjob's runners, plain streaming, a cluster, without msgspec."""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.capabilities import HERE
from tests.examples import first_quick
from tests.hadoop.conftest import Footage, without_index_41
from tests.kit.errors import one_line
from tests.kit.processes import run_program

from frametally.books.runs import DayKey, current_runs, read_parts, read_run
from frametally.errors import Misconfigured, Retryable
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.places import Zones, ZoneShape
from frametally.settings.loading import load_settings
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.params import CountParams, TrackParams, parse_argument
from frametally_hadoop.job.reading import entry_text, parse_line
from frametally_hadoop.planning.hours import DaySegments, HourInputs
from frametally_hadoop.running import bundle, engine
from frametally_hadoop.running.counting_job import CountObjects
from frametally_hadoop.running.engine import HadoopCluster, cluster_of, run_job

HADOOP = Path(__file__).resolve().parents[2] / "hadoop"
NOON_MS = 1_767_268_800_000
HOUR_MS = 3_600_000
TRACKING = [
    {"min_fps": 0},
    {"strong": 5000},
    {"weak": 1},
    {"gap_ms": 2000},
    {"stitch_ms": 0},
    {"strong_by_label": (("car", 4000), ("größer", 1))},
    {"fixed_labels": ("a b", "car")},
    {"groups": (("größer", ("a b", "car")), ("x", ("b", "c")))},
    {"groups": ()},
]


@pytest.fixture
def manifest(file_footage: Footage) -> list[str]:
    """Segments of several sources and hours, with zones, repetitions, odd labels, and one corrupt line."""
    footage = file_footage
    for number in range(6):
        frames = [
            footage.frame(
                NOON_MS + number * 31_000 + n * 400,
                *["car", "größer", 'a "b"\\'][: n % 4],
                source=f"gate-{number % 2}",
                index=n,
                confidence=0.2 + n / 100,
            )
            for n in range(12)
        ]
        footage.segment(frames)
        if number == 3:
            footage.segment(frames[::2])
    for first in (0, 17):  # cars that pass each other, from one hour into the next
        footage.segment(
            [
                footage.frame(
                    NOON_MS + HOUR_MS - 5000 + n * 200,
                    *["car", "truck" if n % 3 else "car"],
                    source="yard",
                    index=n,
                    boxes=[(10.3 + n * 7.7, 50.1, 80.7, 60.9), (500.9 - n * 6.1, 52.2, 70.1, 61.3)],
                )
                for n in range(first, first + 33)
            ]
        )
    footage.film(3, "car", first=40, spoil=without_index_41)
    left = ((0, 0), (3000, 0), (3000, 4800), (0, 4800))
    zones = {
        "yard": (ZoneShape('größer, "links"', left), ZoneShape("later", left, from_ms=NOON_MS + HOUR_MS)),
        "gate-0": (ZoneShape("all", ((0, 0), (6400, 0), (6400, 4800), (0, 4800))),),
    }
    noon = NOON_MS // HOUR_MS
    by_hour = {source: dict.fromkeys((noon, noon + 1), of_source) for source, of_source in zones.items()}
    fields = {"zones": by_hour} if "traffic" in HERE else {}
    return [entry_text(footage.store.address(key), **fields) for key in footage.objects("metadata")]


@pytest.fixture
def expected(manifest: list[str], tmp_path: Path) -> list[bytes]:
    lines = count(manifest, "inline", tmp_path / "expected")
    if "traffic" in HERE:
        assert {line.split(b"~zones")[0][-6:] for line in lines if b"~zones" in line} == {b"tiny-1"}
        assert all(name in b"".join(lines) for name in (b"yard/zone/later", b"gate-0/zone/all", b"gr%C3%B6"))
    assert {line.split(b'"')[1] for line in lines} == {
        b"count",
        b"coverage",
        b"corrupt",
        b"hour",
        b"lines",
        b"paths",
        b"track",
    }
    return lines


def count(
    manifest: list[str], runner: str, temporary: Path, params: CountParams | None = None
) -> list[bytes]:
    temporary.mkdir()
    lines = run_job(manifest=manifest, params=params or CountParams(), runner=runner, temporary=temporary)
    return comparable(lines)


def comparable(lines: Iterable[bytes]) -> list[bytes]:
    """Sorted; a corrupt line is identified by its place, not by the decoder's error message."""
    return sorted(line.split(b"\t")[0] + b"\t" if b'"corrupt"' in line else line for line in lines)


def run(command: list[object], stdin: bytes, **env: str) -> bytes:
    finished = subprocess.run(
        [str(part) for part in command], input=stdin, env=os.environ | env, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout


def streamed(mapper: list[object], reducer: list[object], manifest: list[str]) -> list[bytes]:
    """`mapper | sort | reducer | sort`."""
    mapped = run(mapper, "".join(f"{line}\n" for line in manifest).encode())
    grouped = run(["sort"], mapped, LC_ALL="C")
    return comparable(run([*reducer, "--output", "hours"], grouped).splitlines(keepends=True))


@pytest.mark.thorough
def test_the_local_runner_gives_the_inline_runners_bytes_and_leaves_nothing_behind(
    manifest: list[str], expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    job_keys = []
    make_runner = CountObjects.make_runner

    def noted(job: Callable[..., Any]) -> Any:
        engine = make_runner(job)
        job_keys.append(engine.get_job_key())
        return engine

    monkeypatch.setattr(CountObjects, "make_runner", noted)
    assert count(manifest, "local", tmp_path / "local") == expected
    assert list((tmp_path / "elsewhere").iterdir()) == []
    [job_key] = job_keys
    assert list(Path("/tmp").glob(f"*{job_key}*")) == []  # noqa: S108


def test_plain_streaming_gives_the_inline_runners_bytes(manifest: list[str], expected: Any) -> None:
    scripts = ([sys.executable, HADOOP / "mapper.py"], [sys.executable, HADOOP / "reducer.py"])
    assert streamed(*scripts, manifest) == expected


def readme_command(script: str) -> str:
    """A command of README.md that begins with a script."""
    [command] = re.findall(rf"^python {script}.*sort$", (HADOOP / "README.md").read_text(), re.MULTILINE)
    return str(command)


@pytest.mark.parametrize(
    "program", first_quick(["mapper.py", "object_counts.py", "object_counts.py -r local"])
)
def test_the_readmes_commands_print_the_published_part_file(
    file_footage: Footage, tmp_path: Path, program: str
) -> None:
    """With cars across the full hour, repetitions, a label to quote, and a line that is set aside."""
    at_ms = NOON_MS + HOUR_MS - 2_000
    drive = [
        file_footage.frame(at_ms + n * 200, "car", 'a "b"', index=n, box=(n * 9.0, 50.0, 60.0, 40.0))
        for n in range(30)
    ]
    file_footage.segments([drive, drive[7:12]])
    spoilt = file_footage.film(2, "bus", first=40, spoil=without_index_41)
    addresses = map(file_footage.store.address, file_footage.objects("metadata"))
    manifest = tmp_path / "manifest.txt"
    manifest.write_text("".join(f"{address}\n" for address in addresses))
    script, _, options = program.partition(" ")
    command = readme_command(script).replace("python ", f"{sys.executable} ")
    command = command.replace(script, f"{script} {options}").replace("manifest.txt", str(manifest))
    printed = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=HADOOP, capture_output=True, check=False
    )
    assert printed.returncode == 0, printed.stderr.decode()
    file_footage.aggregate()
    [run] = current_runs(file_footage.store)
    [(key, published)] = read_parts(file_footage.store, run)
    assert printed.stdout == published
    file_footage.store.put(key, gzip.compress(printed.stdout))
    counts, coverage = read_run(file_footage.store, run)
    assert {record.label for record in counts} == {"car", 'a "b"', "bus"}
    assert sum(record.objects or 0 for record in coverage) == 2
    if not options:  # otherwise it is in the log of a task
        assert f"{spoilt.rpartition('/')[2]}, line 3: " in printed.stderr.decode()


@pytest.mark.thorough
def test_a_bare_python_gives_the_same_bytes_from_the_bundle(
    manifest: list[str], expected: Any, tmp_path: Path
) -> None:
    archive = bundle.write_bundle(tmp_path / "job.zip")
    sides = []
    for side in ("mapper", "reducer"):
        script = (
            f"import sys; sys.path.insert(0, {str(archive)!r})\n"
            "from frametally_hadoop.job.streaming import main\n"
            f"assert 'msgspec' not in sys.modules; sys.exit(main({side!r}))"
        )
        sides.append([sys.executable, "-I", "-S", "-c", script])
    assert streamed(*sides, manifest) == expected


@pytest.mark.thorough
def test_the_scripts_find_the_bundle_next_to_them(manifest: list[str], expected: Any, tmp_path: Path) -> None:
    bundle.write_bundle(tmp_path / "frametally_job.zip")
    sides = []
    for side in ("mapper", "reducer"):
        shutil.copy(HADOOP / f"{side}.py", tmp_path)
        sides.append([sys.executable, "-I", "-S", tmp_path / f"{side}.py"])
    assert streamed(*sides, manifest) == expected


def test_the_original_script_runs_the_job_over_a_manifest(
    manifest: list[str], expected: Any, tmp_path: Path
) -> None:
    (tmp_path / "manifest.txt").write_text("\n".join(manifest))
    command = [
        sys.executable,
        HADOOP / "object_counts.py",
        "--no-conf",
        "--output",
        "hours",
        tmp_path / "manifest.txt",
    ]
    assert comparable(run(command, b"").splitlines(keepends=True)) == expected


@pytest.mark.thorough
@pytest.mark.parametrize("tracking", [None, TrackParams(weak=3000, stitch_ms=0, fixed_labels=("größer",))])
def test_params_reach_the_tasks_of_every_engine(manifest: list[str], tmp_path: Path, tracking: Any) -> None:
    params = CountParams(
        interval_s=3600, min_confidence=2600, min_side=5, labels=("car", "größer"), tracking=tracking
    )
    inline = count(manifest, "inline", tmp_path / "inline", params)
    assert not any(rb"\"b\"" in line for line in inline)  # a label that is not counted
    assert any(b'"track"' in line for line in inline) == (tracking is not None)
    assert count(manifest, "local", tmp_path / "local", params) == inline
    options = ["--params", params.to_argument()]
    sides = [[sys.executable, HADOOP / f"{side}.py", *options] for side in ("mapper", "reducer")]
    assert streamed(*sides, manifest) == inline


def test_the_job_avoids_what_differs_between_engines(expected: Any) -> None:
    job = CountObjects([])
    for step in job.steps():
        described = step.description(0)
        assert "jobconf" not in described
        assert "combiner" not in described
    assert job.jobconf()
    for line in expected:
        assert line.count(b"\t") == 1


def ignore(*_: object) -> None:
    """Counts nothing."""


def test_a_buffer_that_is_always_full_changes_nothing(manifest: list[str], expected: Any) -> None:
    groups = FrameGroups(CountParams(), ignore, buffer_bytes=1)
    pairs = [pair for line in manifest for pair in groups.add(line)]
    assert list(groups.drain()) == []
    keys = {key for key, _ in pairs}
    assert len(pairs) > len(keys)
    lines = []
    for key in keys:
        values = [value for other, value in pairs if other == key]
        lines += [b"\t".join(pair) + b"\n" for pair in reduce_group(key, values, CountParams(), ignore)]
    assert comparable(lines) == expected


def test_the_held_bytes_are_known_exactly_and_are_none_once_passed_on(footage: Footage) -> None:
    key = footage.segment([footage.frame(NOON_MS, "car")])
    groups = FrameGroups(CountParams(tracking=None), ignore)
    assert groups.held_bytes == 0
    assert list(groups.add(footage.store.address(key))) == []
    held = groups.held_bytes
    values = [value for name, value in groups.drain() if json.loads(name)[0] == "frames"]
    lines = [value.partition(b"\x1e")[2] for value in values]
    assert (held, groups.held_bytes) == (sum(map(len, lines)), 0)


def test_a_zone_is_counted_by_tracks_of_the_hour_and_of_a_minute_on_both_sides() -> None:
    box = ZoneShape("box", ((0, 0), (3000, 0), (3000, 4800)))

    def zones_of(**time: int) -> Zones:
        zones = {"gate": (box._replace(**time),)}
        inputs = HourInputs(DayKey("m", 60, "2026-01-01"), CountParams(), DaySegments({}), (), (), zones)
        return inputs.zones_of("gate", NOON_MS)

    end_ms = NOON_MS + HOUR_MS + 60_000
    assert zones_of(to_ms=NOON_MS - 59_999) == (box._replace(to_ms=NOON_MS - 59_999),)
    assert zones_of(to_ms=NOON_MS - 60_000) == ()
    assert zones_of(from_ms=end_ms - 1) == (box._replace(from_ms=end_ms - 1),)
    assert zones_of(from_ms=end_ms) == ()
    assert zones_of(from_ms=NOON_MS - 60_000, to_ms=end_ms) == (box,)


def test_only_a_segments_days_that_the_manifest_names_are_passed_on(footage: Footage) -> None:
    day_ms = 86_400_000
    key = footage.segment([footage.frame(NOON_MS + day * day_ms, "car") for day in range(4)])
    days = [(NOON_MS + day * day_ms) // day_ms for day in (1, 3)]
    groups = FrameGroups(CountParams(), ignore)
    assert list(groups.add(entry_text(footage.store.address(key), days=days))) == []
    passed_on = [json.loads(key)[-1] // day_ms for key, _ in groups.drain()]
    assert sorted(set(passed_on)) == days


def test_hours_of_zones_are_counted_with_or_without_whole_pictures() -> None:
    noon = NOON_MS // HOUR_MS
    box = (ZoneShape("box", ((0, 0), (3000, 0), (3000, 4800))),)
    [entry] = parse_line(entry_text("file:///a", hours={"yard": [noon]}, zones={"gate": {noon: box}}))
    assert entry.sources == {"gate", "yard"}
    assert (entry.has("yard", NOON_MS), entry.has("gate", NOON_MS)) == (True, False)
    assert [entry.zones_of("gate", NOON_MS + hours * HOUR_MS) for hours in (0, 1, 24)] == [box, (), ()]
    assert entry.zones_of("yard", NOON_MS) == ()


def test_lines_needed_by_a_source_and_its_zones_reach_the_reduce_once(footage: Footage) -> None:
    key = footage.segment([footage.frame(NOON_MS + n * 1000, "car", index=n) for n in range(3)])
    box = ZoneShape("box", ((0, 0), (3000, 0), (3000, 4800)))
    zones = {"gate": {NOON_MS // HOUR_MS: (box, box._replace(name="later", from_ms=NOON_MS + 1000))}}
    groups = FrameGroups(CountParams(), ignore)
    pairs = [*groups.add(entry_text(footage.store.address(key), zones=zones)), *groups.drain()]
    of_frames = [value for key, value in pairs if json.loads(key)[0] == "frames"]
    assert len(of_frames) == 2  # of the hour, and of the one before, because it is near the end
    passed_on = {json.loads(key)[1]: json.loads(value) for key, value in pairs if b'["lines"' in key}
    assert passed_on == {"tiny-1": 3, "tiny-1~zones": 3 + 2}


def test_the_counters_show_each_line_set_aside_and_each_repeated_frame(manifest: list[str]) -> None:
    counted: Counter[tuple[str, str]] = Counter()

    def count(group: str, name: str, amount: int) -> None:
        counted[group, name] += amount

    groups = FrameGroups(CountParams(tracking=None), count)
    pairs = [pair for line in manifest for pair in groups.add(line.partition("\t")[0])] + [*groups.drain()]
    lines = [
        pair for key, value in pairs for pair in reduce_group(key, [value], CountParams(tracking=None), count)
    ]
    dropped = [json.loads(value)["duplicates_dropped"] for key, value in lines if key.startswith(b'["hour"')]
    assert counted == {
        ("frames", "corrupt lines set aside"): 1,
        ("frames", "duplicates dropped"): sum(dropped),
    }
    assert sum(dropped) > 1


def test_a_segment_without_a_name_is_named_by_its_address_without_the_signature() -> None:
    with pytest.raises(Retryable) as raised:
        list(FrameGroups(CountParams(), ignore).add("file:///nowhere/a.jsonl?signature=secret"))
    assert "file:///nowhere/a.jsonl " in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_users_mrjob_conf_is_not_read(
    manifest: list[str], expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mrjob.conf").write_text("runners: {inline: {owner: [unbalanced")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MRJOB_CONF", str(tmp_path / ".mrjob.conf"))
    assert count(manifest, "inline", tmp_path / "inline") == expected


def test_what_runs_on_a_cluster_imports_only_the_standard_library_and_itself(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(bundle.write_bundle(tmp_path / "job.zip"))
    shipped = {name.removesuffix(".py").replace("/", ".") for name in archive.namelist()}
    for name in (name for name in archive.namelist() if name.endswith(".py")):
        tree = ast.parse(archive.read(name))
        # The module of a hook's answer is imported there.
        for node in tree.body if name.endswith("/picture_places.py") else ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                found = [node.module]
            elif isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            else:
                continue
            for module in found:
                # Only flows need numpy.
                numpy = {"numpy", "numpy.typing"} if "frametally_traffic/flows/" in name else set()
                there = {"msgspec"} | numpy
                assert module in shipped | there or module.split(".")[0] in sys.stdlib_module_names


def test_the_bundle_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (bundle.write_bundle(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_params_survive_their_argument_and_json() -> None:
    params = CountParams(interval_s=1, min_confidence=1234, min_side=7, labels=("'\"", "a b", "größer"))
    assert parse_argument(params.to_argument()) == params
    for tracking in (None, *(TrackParams()._replace(**changed) for changed in TRACKING)):
        tracked = params._replace(tracking=tracking)
        assert parse_argument(tracked.to_argument()) == tracked
    assert set(params.to_argument()) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
    )
    assert parse_argument('{"labels": ["b", "a"], "interval_s": 5}') == CountParams(5, labels=("a", "b"))
    assert parse_argument("") == CountParams()


@pytest.mark.parametrize(
    "argument",
    [
        "{",
        "{}x",
        "////",
        '{"interval_s": 7}',
        '{"interval_s": "60"}',
        '{"other": 1}',
        '{"labels": [1]}',
        '{"tracking": 1}',
        '{"tracking": {"gap_ms": "3000"}}',
        '{"tracking": {"other": 1}}',
        '{"tracking": {"fixed_labels": [1]}}',
        '{"tracking": {"groups": [["a", [1]]]}}',
        '{"tracking": {"groups": {"a": ["b", "c"]}}}',
        '{"tracking": {"groups": [["a"]]}}',
        '{"tracking": {"strong_by_label": [["car"]]}}',
        "[1]",
    ],
)
def test_invalid_params_are_one_line(argument: str) -> None:
    with pytest.raises(Exception, match="--params") as raised:
        parse_argument(argument)
    assert type(raised.value).__name__ == "Misconfigured"


@pytest.mark.parametrize(
    ("confidence", "least"), [(0.25, 2500), (0.07, 700), (0.29, 2900), (0.00001, 1), (0.12345, 1235), (0, 0)]
)
def test_a_threshold_is_rounded_up_to_a_whole_number(confidence: float, least: int) -> None:
    assert (
        CountedBoxes.from_limits(min_confidence=confidence, min_side_px=0, labels="").min_confidence == least
    )


def test_the_digest_covers_only_what_changes_counts() -> None:
    def digest(**changed: object) -> str:
        limits = {"min_confidence": 0.25, "min_side_px": 0.0, "labels": ""}
        limits |= {name: changed.pop(name) for name in limits.keys() & changed.keys()}
        return CountParams(**CountedBoxes.from_limits(**limits)._asdict(), **changed).digest()

    assert digest() == digest(interval_s=3600) == "3616ff94"
    assert digest(labels="a, b") == digest(labels=" b,a,,")
    others = [
        {"labels": "a"},
        {"min_confidence": 0.3},
        {"min_side_px": 1},
        {"tracking": None},
        *({"tracking": TrackParams()._replace(**changed)} for changed in TRACKING),
    ]
    assert len({digest(), *(digest(**changed) for changed in others)}) == 1 + len(others)


@pytest.mark.thorough
def test_a_failing_task_on_the_local_runner_is_one_line_with_its_segment(
    file_footage: Footage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = file_footage.segment([file_footage.frame(NOON_MS, "car")], spoil=lambda data: data[:-9])
    with pytest.raises(Exception, match="was cut short: 0 lines of 1") as raised:
        count([file_footage.store.address(key)], "local", tmp_path / "local")
    assert type(raised.value).__name__ == "Retryable"
    assert "\n" not in str(raised.value)
    assert caplog.text == ""  # mrjob's own log lines are not for users


def test_a_failing_streaming_task_ends_with_1_and_one_line(file_footage: Footage) -> None:
    key = file_footage.segment([file_footage.frame(NOON_MS, "car")], spoil=lambda data: data[:-9])
    finished = run_program(
        [sys.executable, HADOOP / "mapper.py"], code=None, input=file_footage.store.address(key)
    )
    assert (finished.returncode, finished.stdout) == (1, "")
    [line] = finished.stderr.splitlines()
    assert "was cut short" in line


def test_mrjob_is_imported_without_setuptools_and_yaml_and_leaves_no_stand_in_behind() -> None:
    script = (
        "import sys, frametally_hadoop.running.counting_job, mrjob.compat, mrjob.util\n"
        "assert not {'setuptools', 'distutils', 'pipes', 'pkg_resources', 'yaml'} & set(sys.modules)\n"
        "import yaml\n"
        "assert mrjob.util.find_executable('sh')\n"
        "assert mrjob.compat.uses_yarn('3.3.6') and not mrjob.compat.uses_yarn('1.2.1')\n"
        "assert mrjob.compat.version_gte('2.10.1', '2.9') and not mrjob.compat.version_gte('2.7', '2.10')"
    )
    assert run([sys.executable, "-W", "error", "-c", script], b"") == b""


BOUNDED_SORT = ["sort", "-S", "256M"]


def noted_sorts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of each `sort` from now on."""
    calls = []

    def noted(command: Any, **options: Any) -> Any:
        calls.append(command[:3])
        return start(command, **options)

    start = subprocess.run
    monkeypatch.setattr(engine.subprocess, "run", noted)
    return calls


@pytest.mark.parametrize("in_memory_bytes", [0, 5000])
def test_data_beyond_the_memory_limit_gives_the_same_bytes(
    manifest: list[str], expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int
) -> None:
    assert list((tmp_path / "expected").iterdir()) == []
    monkeypatch.setattr(engine, "IN_MEMORY_BYTES", in_memory_bytes)
    assert count(manifest, "inline", tmp_path / "inline") == expected
    assert len(list((tmp_path / "inline").iterdir())) > 1


@pytest.mark.thorough
def test_the_local_runner_sorts_within_a_memory_limit(
    manifest: list[str], expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = noted_sorts(monkeypatch)
    assert count(manifest, "local", tmp_path / "local") == expected
    assert calls == [BOUNDED_SORT]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ("write failed: /tmp/sortX: No space left on device", OSError, "No space left"),
        ("out of ideas", Retryable, r"the counting job's `sort` failed \(sort: out of ideas\); run it again"),
    ],
)
def test_a_failing_sort_ends_the_job_and_is_not_repeated_in_memory(
    manifest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: Any, reason: str
) -> None:
    monkeypatch.setattr(engine, "_SORT", ("sh", "-c", f"echo 'sort: {said}' >&2; exit 2"))
    with pytest.raises(kind, match=reason):
        count(manifest, "local", tmp_path / "job")


@pytest.mark.thorough
def test_without_a_sort_command_the_local_runner_names_it_and_the_other_runner(
    manifest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SORT", ("no-such-sort",))
    with pytest.raises(Misconfigured, match=r"no-such-sort.*install.*`sort`.*FRAMETALLY_RUNNER=inline"):
        count(manifest, "local", tmp_path / "local")


def hadoop_that(tmp_path: Path, does: str) -> str:
    """A `hadoop` command."""
    command = tmp_path / "hadoop"
    command.write_text(f"#!/bin/sh\n{does}\n")
    command.chmod(0o755)
    return str(command)


def test_a_machine_without_hadoop_gets_a_message_with_the_settings(tmp_path: Path) -> None:
    with one_line(Misconfigured, match=r"no command 'no-such-hadoop'.*HADOOP_HOME"):
        list(
            run_job(
                manifest=["file:///segment"],
                params=CountParams(),
                runner="hadoop",
                temporary=tmp_path,
                cluster=HadoopCluster(hadoop="no-such-hadoop"),
            )
        )
    assert stat.S_IMODE((tmp_path / "manifest.txt").stat().st_mode) == 0o600


def test_hdfss_own_error_is_in_the_message(tmp_path: Path) -> None:
    hadoop = hadoop_that(tmp_path, "echo 'WARN: old' >&2; echo 'put: Permission denied' >&2; exit 1")
    with (
        pytest.raises(Retryable, match=r"fs .*failed: put: Permission denied; check that HDFS is running"),
        HadoopCluster(hadoop=hadoop).private_file(tmp_path / "manifest.txt"),
    ):
        pass


def test_a_private_file_is_removed_whatever_happens_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hadoop = hadoop_that(tmp_path, f'echo "$@" >> {log}')
    with (
        pytest.raises(ZeroDivisionError),
        HadoopCluster(hadoop=hadoop).private_file(tmp_path / "manifest.txt") as uri,
    ):
        raise ZeroDivisionError
    put, removed = log.read_text().splitlines()
    assert put == f"fs -D fs.permissions.umask-mode=077 -put {tmp_path / 'manifest.txt'} {uri}"
    assert removed == f"fs -rm -f -skipTrash {uri}"


def test_settings_become_the_options_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    hadoop = hadoop_that(tmp_path / "bin", "exit")
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    cluster = cluster_of(load_settings(hadoop_jobconf="mapreduce.job.reduces=4, mapreduce.map.memory.mb=512"))
    options = cluster.job_options(splits=7)
    assert options[:4] == ["--hadoop-bin", hadoop, "--python-bin", "python3"]
    assert options[5::2] == ["mapreduce.job.maps=7", "mapreduce.job.reduces=4", "mapreduce.map.memory.mb=512"]
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_HADOOP_JOBCONF: 'reduces' is not a property"):
        cluster_of(load_settings(hadoop_jobconf="reduces"))
