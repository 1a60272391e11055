"""The counting job on real HDFS and YARN: the same bytes as `inline`, through any fault on the way."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import threading
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import server_hadoop
from hadoop_relay import relayed
from s3_bucket import S3Place, new_bucket_name, root_access
from s3_fault_proxy import Fault, FaultProxy
from serving.downloads import cache_folder
from serving.needs import server
from serving.place import Place
from tests.kit.clips import crossing, write_clip
from tests.kit.waiting import until

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_parts
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings
from frametally_cli import main as cli
from frametally_cli.bucket import set_up_store
from frametally_hadoop.driver import aggregate, settings_params
from frametally_hadoop.job.reading import LinkEnded, entry_text
from frametally_hadoop.running import engine
from frametally_hadoop.running.bundle import write_bundle
from frametally_hadoop.running.engine import cluster_of
from frametally_hadoop.running.outcome import LINK_S
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

HADOOP = Path(__file__).resolve().parents[2] / "hadoop"


def put_footage(folder: Path) -> Path:
    """Twelve seconds over midnight: one bright patch moves, and one is still."""
    return write_clip(folder / "cam.mp4", crossing(60))


@dataclass
class Rig:
    """A cluster, footage on S3 that its tasks read through a proxy, and the expected result.

    Attributes:
        settings: Those of an aggregation on the cluster.
        segments: Objects to begin with: segments and manifests of media.
        parts: The part files that `inline` makes of them, by day.
    """

    settings: Settings
    segments: dict[str, bytes]
    parts: dict[str, bytes]
    proxy: FaultProxy
    place: S3Place
    hadoop: dict[str, str]
    on_read: Callable[[], Fault] = lambda: ""

    @contextlib.contextmanager
    def new_store(self) -> Iterator[ObjectStore]:
        """A store with the footage and no counts; links lead through the proxy."""
        url = f"{self.place.url}/{new_bucket_name()}"
        store = open_object_store(url, self.place.access_with(link_endpoint=self.proxy.url))
        with closing(store):
            for key, data in self.segments.items():
                store.put(key, data)
            yield store

    def aggregate(self, store: ObjectStore, **changed: object) -> dict[str, bytes]:
        """The part files that the cluster makes, by day."""
        aggregate(
            settings=self.settings.model_copy(update=changed),
            store=store,
            progress=NoProgress(),
            runner="hadoop",
        )
        return parts(store)

    def fs(self, *arguments: str) -> str:
        command = [self.hadoop["BIN"], "fs", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def parts(store: ObjectStore) -> dict[str, bytes]:
    return {run.day: b"".join(lines for _, lines in read_parts(store, run)) for run in current_runs(store)}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    hadoop, folder = dict(server("hadoop")), tmp_path_factory.mktemp("rig")
    if "FOLDER" not in hadoop:
        pytest.skip("kills daemons: only on the cluster of `make services-up SERVICES=hadoop`")
    access = root_access()
    place = S3Place(f"s3://{new_bucket_name()}", access)
    set_up_store(place.url, access)
    video = put_footage(folder)
    environment = {
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_INTERVAL_S": "1",
        "FRAMETALLY_BATCH_FRAMES": "20",
        "FRAMETALLY_DATA_DIR": str(folder / "data"),
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        arguments = ["--source", "gate", "--start-time", "2026-03-01T23:59:55Z"]
        for command in (["produce", str(video), *arguments], ["consume", "--until-caught-up"], ["aggregate"]):
            assert cli.main(command) == 0
    with closing(open_object_store((folder / "data" / "store").as_uri())) as store:
        expected = parts(store)
        kept = {info.key: store.get(info.key) for top in ("metadata", "media") for info in store.list(top)}
    assert sorted(expected) == ["2026-03-01", "2026-03-02"]
    assert b'"objects":2' in expected["2026-03-01"]
    venv.create(folder / "bare")  # a Python with only its standard library
    settings = Settings(
        data_dir=folder / "driver", interval_s=1, hadoop_python=str(folder / "bare" / "bin" / "python")
    ).resolved()
    (folder / "driver").mkdir()
    made: list[Rig] = []
    with (
        pytest.MonkeyPatch.context() as patched,
        FaultProxy(access.endpoint, lambda method, path: made[0].on_read()) as proxy,
    ):
        patched.setenv("HADOOP_HOME", hadoop["FOLDER"])
        patched.setattr("frametally_hadoop.running.outcome.SPLIT_BYTES", 1_000_000)
        port = int(proxy.url.rpartition(":")[2])
        with relayed(hadoop["IN_NS"], port, Path(hadoop["FOLDER"])):
            made.append(Rig(settings, kept, expected, proxy, place, hadoop))
            yield made[0]


@pytest.fixture(autouse=True)
def nothing_on_the_way(rig: Rig) -> Iterator[None]:
    yield
    rig.on_read = lambda: ""


def in_namespace(rig: Rig, *words: str) -> list[int]:
    """Pids of the Python processes of tasks whose command line has all of `words`."""
    holder = int((Path(rig.hadoop["FOLDER"]) / "holder.pid").read_text())
    found = []
    for pid in server_hadoop.containers(holder):
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if "python" in arguments[0] and all(word in arguments for word in words):
                found.append(pid)
    return found


class HeldReads:
    """Holds the first reads of segments by tasks, one for each of `meanwhile`, until that has been done."""

    def __init__(self, rig: Rig, meanwhile: Sequence[Callable[[], None]]) -> None:
        self.errors: list[BaseException] = []
        self._left = list(meanwhile)
        self._lock = threading.Lock()
        rig.on_read = self._on_read

    def _on_read(self) -> Fault:
        with self._lock:
            if not self._left:
                return ""
            try:
                self._left.pop(0)()
            except BaseException as error:
                self.errors.append(error)
            return "lost answer"


def test_the_parts_match_those_of_inline_even_if_the_first_links_had_expired(
    rig: Rig, capfd: pytest.CaptureFixture[str]
) -> None:
    given: list[int] = []
    with rig.new_store() as store:
        address = store.address

        def short_at_first(key: str, *, ttl_s: int) -> str:
            given.append(ttl_s)
            return address(key, ttl_s=1 if len(given) <= len(segments) else ttl_s)

        segments = [key for key in rig.segments if key.startswith("metadata/")]
        store.address = short_at_first
        assert rig.aggregate(store, hadoop_jobconf="mapreduce.map.maxattempts=1") == rig.parts
    assert set(given) == {LINK_S} and len(given) >= 2 * len(segments)  # then each day has a separate plan
    # No link remains or was shown: neither on HDFS, nor here, nor in the logs of the tasks.
    assert "frametally-" not in rig.fs("-ls", "hdfs:///tmp")
    left = [path for path in rig.settings.data_dir.rglob("*") if path.is_file()]
    logs = [path for path in (Path(rig.hadoop["FOLDER"]) / "logs").rglob("*") if path.is_file()]
    assert len(logs) > 5
    for path in left + logs:
        assert b"X-Amz-Signature" not in path.read_bytes(), path
    assert "X-Amz-Signature" not in "".join(capfd.readouterr())


def test_lines_and_zones_are_counted_to_the_same_bytes_as_inline(rig: Rig, tmp_path: Path) -> None:
    size: dict[str, Any] = {"width_px": 96, "height_px": 64}
    line = DrawnLine(name="stop & go", points=((40, 0), (40, 64)), **size)
    bay = DrawnZone(name="Bucht", points=((0, 0), (30, 0), (30, 64)), **size)

    def published(store: ObjectStore) -> dict[str, bytes]:
        tops = ("mapreduce-output", "tracks", "hours")
        found = [info.key for top in tops for info in store.list(top) if "~flows" in info.key]
        return {key: store.get(key) for key in found}

    with rig.new_store() as store:
        change_drawing(store, "gate", lambda drawing: with_shapes(drawing, [line, bay]))
        aggregate(settings=rig.settings, store=store, progress=NoProgress(), runner="inline")
        expected = published(store)
        assert len([key for key in expected if "/flows-" in key]) == 2
        lines = [gzip.decompress(data) for key, data in expected.items() if key.endswith(".gz")]
        assert any(b"/line/stop%20%26%20go/" in data for data in lines)
        for key in expected:
            store.delete(key)
        venv.create(tmp_path / "node")
        [packages] = (tmp_path / "node").glob("lib/python*/site-packages")
        for package in Path(np.__file__).parent.parent.glob("numpy*"):
            (packages / package.name).symlink_to(package)
        rig.aggregate(store, hadoop_python=str(tmp_path / "node" / "bin" / "python"))
        assert published(store) == expected


def test_links_that_always_expire_too_early_are_one_line_with_the_remedy(rig: Rig) -> None:
    with rig.new_store() as store:
        address = store.address
        store.address = lambda key, *, ttl_s: address(key, ttl_s=1)
        time_out: dict[str, Any] = {"runner": "inline"}
        with pytest.raises(
            LinkEnded, match=r"its presigned link has expired; links last .* use credentials that last longer"
        ) as raised:
            rig.on_read = lambda: time.sleep(2.1) or ""
            aggregate(settings=rig.settings, store=store, progress=NoProgress(), **time_out)
        assert "\n" not in str(raised.value)
        assert "X-Amz" not in str(raised.value)


def test_only_its_owner_can_read_a_manifest_on_hdfs_and_it_is_removed_afterwards(
    rig: Rig, tmp_path: Path
) -> None:
    (tmp_path / "manifest.txt").write_text("a link\n")
    with cluster_of(rig.settings).private_file(tmp_path / "manifest.txt") as uri:
        assert rig.fs("-ls", uri).startswith("-rw-------")
        assert rig.fs("-cat", uri) == "a link\n"
    assert "frametally-" not in rig.fs("-ls", "hdfs:///tmp")


def test_a_task_that_dies_halfway_and_a_node_that_dies_and_returns_change_nothing(rig: Rig) -> None:
    place = Place("hadoop", Path(rig.hadoop["FOLDER"]), cache=cache_folder())
    killed: list[str] = []

    def kill_the_task() -> None:
        until(lambda: in_namespace(rig, "--mapper"))
        os.kill(in_namespace(rig, "--mapper")[0], signal.SIGKILL)
        killed.append("task")

    def kill_the_node() -> None:
        [node] = [process for process in place.processes if process.label == "nodemanager" and process.alive]
        tasks = in_namespace(rig, "--mapper")
        os.kill(node.pid, signal.SIGKILL)
        for pid in tasks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not node.alive)
        server_hadoop.start_daemon(place, "nodemanager")
        killed.append("node")

    held = HeldReads(rig, [kill_the_task, kill_the_node])
    with rig.new_store() as store:
        assert rig.aggregate(store) == rig.parts
    assert held.errors == []
    assert killed == ["task", "node"]


def test_the_traceback_of_a_failing_task_reaches_the_user(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def with_a_mistake(path: Path) -> Path:
        import zipfile

        write_bundle(path)
        with zipfile.ZipFile(path) as bundle:
            files = {name: bundle.read(name) for name in bundle.namelist()}
        name = "frametally_hadoop/job/map_reduce.py"
        files[name] += b"\ndef reduce_group(*_):\n    raise ZeroDivisionError('a mistake of ours')\n"
        with zipfile.ZipFile(path, "w") as bundle:
            for name, data in files.items():
                bundle.writestr(name, data)
        return path

    monkeypatch.setattr(engine, "write_bundle", with_a_mistake)
    with rig.new_store() as store:
        for name, value in S3Place(store.url, rig.place.access).environment().items():
            monkeypatch.setenv(name, value)
        names = [name for name in type(rig.settings).model_fields if name.startswith("hadoop_")]
        for name in (*names, "data_dir", "interval_s"):
            monkeypatch.setenv(f"FRAMETALLY_{name.upper()}", str(getattr(rig.settings, name)))
        monkeypatch.setenv("FRAMETALLY_HADOOP_JOBCONF", "mapreduce.reduce.maxattempts=1")
        monkeypatch.setenv("FRAMETALLY_STORE_LINK_ENDPOINT", rig.proxy.url)
        monkeypatch.setenv("FRAMETALLY_RUNNER", "hadoop")
        assert cli.main(["aggregate"]) == 2
        assert parts(store) == {}
    said = capfd.readouterr().err
    assert "ZeroDivisionError: a mistake of ours" in said
    assert "Traceback (most recent call last)" in said
    assert "in reduce_group" in said
    assert "X-Amz-Signature" not in said


def test_plain_hadoop_streaming_gives_the_lines_of_the_part_files(rig: Rig, tmp_path: Path) -> None:
    """With segments on HDFS, and Hadoop's own program: no mrjob, no frametally on the node."""
    segments = [key for key in rig.segments if key.startswith("metadata/")]
    folder = f"/plain-{new_bucket_name()}"
    for number, key in enumerate(segments):
        (tmp_path / f"{number}.jsonl").write_bytes(rig.segments[key])
    files = sorted(tmp_path.glob("*.jsonl"))
    (tmp_path / "manifest.txt").write_text(
        "".join(entry_text(f"hdfs://{folder}/{file.name}", name=file.name) + "\n" for file in files)
    )
    rig.fs("-mkdir", folder)
    rig.fs("-put", *map(str, files), str(tmp_path / "manifest.txt"), folder)
    write_bundle(tmp_path / "frametally_job.zip")
    python = rig.settings.hadoop_python
    [streaming_jar] = Path(rig.hadoop["FOLDER"], "lib").glob("hadoop-streaming*.jar")
    command = [rig.hadoop["BIN"], "jar", str(streaming_jar)]
    command += ["-D", "mapreduce.job.maps=3"]
    command += ["-files", f"{HADOOP / 'mapper.py'},{HADOOP / 'reducer.py'},{tmp_path / 'frametally_job.zip'}"]
    command += ["-input", f"{folder}/manifest.txt", "-output", f"{folder}/counts"]
    params = settings_params(rig.settings).to_argument()
    for side in ("mapper", "reducer"):
        command += [f"-{side}", f"{python} {side}.py --params {params}"]
    command += ["-cmdenv", f"HADOOP_HOME={Path(rig.hadoop['BIN']).parents[1]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    counted = sorted(rig.fs("-cat", f"{folder}/counts/part-*").splitlines())
    published = b"".join(rig.parts.values()).decode()
    assert counted == sorted(published.splitlines())
    assert len(counted) > 10
