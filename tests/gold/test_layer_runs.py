"""Layers run by `frametally media` leave the same results as workers, with or without kills."""

from __future__ import annotations

import inspect
import json
import shutil
import signal
import sqlite3
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.commands import Finished, run_frametally
from tests.producer.conftest import encode_video
from tests.videos.test_jobs import PROGRAM
from tests.videos.video_place import VideoPlace

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Misconfigured, Poison
from frametally.process import failpoints
from frametally.process.retrying import Patience
from frametally.settings.loading import load_settings
from frametally.work import worker_process
from frametally_cli.main import main
from frametally_gold.layers import bronze, driver, silver
from frametally_videos.catalogue.catalogue_rows import Artifact, usual_jobs
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord
from frametally_videos.settings import videos_topic
from frametally_videos.uploads.arrivals import waiting_arrivals

LAYERS = tuple(driver.MODULES)
NOBODY = "00000000-0000-4000-8000-000000000000"


class Place:
    """A data folder with one video whose layers belong to Airflow, so that no worker runs them."""

    def __init__(self, folder: Path, video: VideoRecord) -> None:
        self.folder = folder
        self.settings = load_settings("producer", data_dir=folder)
        self.store = open_object_store(self.settings.store_url)
        self.video = video

    def run(self, *arguments: str, **variables: str) -> Finished:
        environment: dict[str, Any] = {"FRAMETALLY_VIDEO_ORCHESTRATOR": "airflow"} | variables
        return run_frametally(*arguments, "--data-dir", self.folder, cwd=self.folder, **environment)

    def media(self, layer: str) -> int:
        """Run a layer; return the exit code."""
        return main(["media", layer, "--video", self.video.id, "--data-dir", str(self.folder)])

    def objects(self) -> dict[str, bytes]:
        folder = keys.video_folder(self.video.id)
        return {info.key: self.store.get(info.key) for info in self.store.list(folder)}

    def artifacts(self) -> list[Artifact]:
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            row = catalogue.video(self.video.id)
        return sorted(row.artifacts)

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """The gold tables' rows of videos; none if gold tables are not configured."""
        found = {}
        with closing(sqlite3.connect(self.folder / "gold.sqlite")) as connection:
            for table in ("gold_videos", "gold_video_counts", "gold_quality"):
                found[table] = sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608
        return found

    def made(self) -> tuple[object, ...]:
        """Everything that layers or workers make of the video."""
        return self.objects(), self.artifacts(), self.tables()


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A video that browsers cannot play, with its frames made by workers; Airflow does the rest."""
    folder = tmp_path_factory.mktemp("uploaded")
    clip = encode_video(folder / "gate.mkv", 12, codec="libx264", size_px=(64, 48))
    with closing(VideoPlace(folder / "data", video_orchestrator="airflow")) as place:
        video = place.upload(clip)
        assert [job.kind for job in place.catalogue.jobs(video.id)] == ["frames"]  # its time is a guess
    assert not video.facts.plays_in_browsers
    made = Place(folder / "data", video)
    assert made.run("work", "--until-done").code == 0
    return made


@pytest.fixture
def place(tmp_path: Path, uploaded: Place) -> Place:
    shutil.copytree(uploaded.folder, tmp_path / "data")
    return Place(tmp_path / "data", uploaded.video)


@pytest.fixture(scope="module")
def by_workers(tmp_path_factory: pytest.TempPathFactory, uploaded: Place) -> tuple[object, ...]:
    """The results after workers have done all jobs of the same video."""
    folder = tmp_path_factory.mktemp("worked") / "data"
    shutil.copytree(uploaded.folder, folder)
    worked = Place(folder, uploaded.video)
    for jobs in (usual_jobs(worked.video, "queue"), ["gold"]):
        with closing(open_video_catalogue(worked.settings.catalogue_url)) as catalogue:
            for kind in jobs:
                catalogue.queue(worked.video.id, kind)  # type: ignore[arg-type]
        done = worked.run("work", "--until-done", FRAMETALLY_VIDEO_ORCHESTRATOR="queue")
        assert done.code == 0, done.err
    return worked.made()


@pytest.mark.thorough
def test_layers_leave_the_same_objects_and_rows_as_workers(
    place: Place, by_workers: tuple[object, ...]
) -> None:
    assert [place.media(layer) for layer in LAYERS] == [0] * len(LAYERS)
    assert place.made() == by_workers
    assert [place.media(layer) for layer in LAYERS] == [0] * len(LAYERS)
    assert place.made() == by_workers


def test_running_a_layer_again_does_nothing(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.media("silver")
    before = {key: place.store.head(key) for key in place.objects()}
    capfd.readouterr()
    assert place.media("silver") == 0
    assert capfd.readouterr().out.count("(already done)") == len(driver.functions_of("silver"))
    assert {key: place.store.head(key) for key in place.objects()} == before


@pytest.mark.thorough
@pytest.mark.parametrize("passing", [1, 4])
def test_a_layer_killed_after_any_function_resumes(
    place: Place, by_workers: tuple[object, ...], passing: int
) -> None:
    assert len(driver.functions_of("silver")) == 4  # the first and the last; asking takes a second, so here
    failpoint = {failpoints.VARIABLE: f"layer.made:{passing}"}
    killed = place.run("media", "silver", "--video", place.video.id, **failpoint)
    assert killed.code == -signal.SIGKILL
    assert (place.media("silver"), place.media("gold")) == (0, 0)
    assert place.made() == by_workers


@pytest.mark.thorough
def test_a_killed_gold_layer_resumes_and_sends_its_mail_once(
    place: Place, by_workers: tuple[object, ...]
) -> None:
    assert place.media("silver") == 0
    mail = {"FRAMETALLY_MAIL_TO": "watch@example.org", "FRAMETALLY_SMTP_URL": "smtp://127.0.0.1"}
    gold = "media", "gold", "--video", place.video.id
    assert place.run(*gold, **mail, **{failpoints.VARIABLE: "mail.put"}).code == -signal.SIGKILL
    assert place.run(*gold, **mail).code == 0
    assert place.made() == by_workers
    with closing(open_video_catalogue(place.settings.catalogue_url)) as catalogue:
        [notice] = catalogue.notices(10)
    assert "did not pass" in notice.subject


def test_a_layers_decoder_has_no_network_and_no_credentials(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
    tried("socket", lambda: socket.create_connection(("127.0.0.1", 9)))
    found["environment"] = json.dumps(dict(os.environ))
    """
    in_place_of_previews(body, monkeypatch)
    monkeypatch.setenv("FRAMETALLY_STORE_SECRET_KEY", "what-nobody-is-told")
    assert place.media("silver") == 0
    [poster] = [one.key for one in place.artifacts() if one.kind == "poster"]
    found = json.loads(place.store.get(poster))
    assert "FRAMETALLY_CATALOGUE_URL" in found["environment"]
    assert "what-nobody-is-told" not in found["environment"]
    if sys.platform == "linux":  # only Linux has such filters
        assert found["socket"].startswith("PermissionError")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("bytearray(2_000_000_000)", "It needs more than 1024 MB of memory; convert it"),
        ("os.kill(os.getpid(), 11)", "Its decoder was killed (SIGSEGV)."),
    ],
)
def test_a_video_that_kills_its_decoder_is_named_and_does_not_block_other_functions(
    place: Place, body: str, why: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    in_place_of_previews(body, monkeypatch)
    monkeypatch.setenv("FRAMETALLY_JOB_MEMORY_MB", "1024")
    assert place.media("silver") == 6
    said = capfd.readouterr()
    assert said.out == "silver: checks, metadata, playable\n"
    assert f"skipped previews: {why}" in said.err.replace("\n", " ")


def in_place_of_previews(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a job's process do this instead of previews."""
    program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "    "), kind="previews")
    monkeypatch.setattr(worker_process, "bound", lambda arguments: [sys.executable, "-c", program])


def test_changed_bytes_stop_at_bronze(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    original = keys.original_key(place.video.id)
    data = place.store.get(original)
    place.store.put(original, data[:-1] + bytes([data[-1] ^ 1]))
    assert place.media("bronze") == 6
    said = capfd.readouterr()
    assert said.out == "bronze: envelope, size_bytes\n"
    assert said.err.startswith("skipped sha256: ")
    assert "does not contain the bytes that were accepted" in said.err.replace("\n", " ")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("video_id", ["", "../../x", "1", NOBODY.replace("4000", "1000"), NOBODY])
def test_an_invalid_or_unknown_video_gives_one_line(
    place: Place, layer: str, video_id: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["media", layer, "--video", video_id, "--data-dir", str(place.folder)]) == 2
    said = capfd.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1, said.err
    assert said.out == ""


def test_without_hamilton_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hamilton", None)
    with pytest.raises(Misconfigured, match=r"pip install 'frametally\[layers\]'"):
        driver.arranged("bronze")


def test_our_own_errors_pass_through_unchanged_and_without_a_banner(
    place: Place, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    place.store.delete(keys.original_key(place.video.id))
    patience = Patience(print, lambda: False)
    with pytest.raises(Poison) as ours:
        bronze.size_bytes(place.video, place.store, patience)
    inputs = {"video_id": place.video.id, "store": place.store, "patience": patience}
    with pytest.raises(Poison) as arranged:
        driver.arranged("bronze").execute(["size_bytes"], inputs=inputs)
    assert str(arranged.value) == str(ours.value)
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


@pytest.mark.parametrize("layer", LAYERS)
def test_the_pictures_in_the_docs_show_these_functions(layer: driver.LayerName) -> None:
    folder = Path(__file__).resolve().parents[2] / "docs/pictures"
    drawn = driver.draw(layer).source
    assert (folder / f"layer-{layer}.dot").read_text(encoding="utf-8") == drawn, "make pictures"
    shown = (folder / f"layer-{layer}.svg").read_text(encoding="utf-8")
    for name in driver.functions_of(layer):
        assert f"<title>{name}</title>" in shown
    assert (folder / f"layer-{layer}.png").read_bytes().startswith(b"\x89PNG")


def test_a_helper_is_in_no_picture() -> None:
    assert inspect.isfunction(vars(silver)["_do_job"])
    for layer in LAYERS:
        assert "_" not in {name[0] for name in driver.functions_of(layer)}
        assert "\t_" not in driver.draw(layer).source


def test_without_graphviz_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="apt install graphviz"):
        driver.write_pictures(tmp_path)


@pytest.mark.thorough
def test_a_worker_announces_new_videos_where_airflow_handles_them(place: Place) -> None:
    done = place.run("work", "--until-done")
    assert done.code == 0, done.err
    with closing(open_frame_log(place.settings.log_url)) as log:
        waiting = waiting_arrivals(log, videos_topic(place.settings))
    assert [one.video_id for one in waiting.videos] == [place.video.id]
    assert place.artifacts() == []
