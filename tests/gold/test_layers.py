"""Each function of a layer, called with plain values, without an orchestrator."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.videos.video_records import make_facts, upload_file
from tests.videos.video_records import make_video as make_record

from frametally import keys
from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Poison
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.records import decode_at, encode
from frametally.settings.loading import load_settings
from frametally_gold.book import Gold
from frametally_gold.layers import bronze, gold, silver
from frametally_gold.settings import GoldSettings
from frametally_videos.catalogue.catalogue_rows import usual_jobs
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.media_records import VideoCheck, VideoMetadata, VideoQuality
from frametally_videos.records import VideoRecord

LAYERS = (bronze, silver, gold)


class Place:
    """A store with one video."""

    def __init__(self, folder: Path, clip: Path) -> None:
        self.settings = load_settings("producer", data_dir=folder)
        self.store = FileStore(self.settings.store_url)
        self.patience = Patience(lambda _: None, lambda: False)
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            self.video = upload_file(clip, self.settings, self.store, catalogue)
        self.original = keys.original_key(self.video.id)

    def change(self, **values: object) -> VideoRecord:
        changed = msgspec.structs.replace(self.video, **values)
        self.store.put(changed.key, encode(changed))
        return changed


@pytest.fixture
def place(tmp_path: Path, make_video: Callable[..., Path]) -> Place:
    return Place(tmp_path / "data", make_video("gate.mp4", 12, codec="libx264", size_px=(64, 48)))


def functions(module: types.ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def test_this_file_calls_every_function_of_every_layer_by_name() -> None:
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    called = {
        (node.func.value.id, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    }
    of_layers = {
        (module.__name__.rpartition(".")[2], name) for module in LAYERS for name in functions(module)
    }
    assert of_layers and of_layers <= called, of_layers - called


def test_the_layers_themselves_import_neither_hamilton_nor_pandas() -> None:
    for module in LAYERS:
        imported = {
            alias.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not {name.partition(".")[0] for name in imported} & {"hamilton", "pandas"}


@pytest.mark.thorough
def test_workers_and_layer_functions_run_without_hamilton_and_pandas() -> None:
    program = (
        "import sys, frametally_videos.jobs.job_worker, frametally_videos.jobs.job_steps\n"
        "from frametally_gold.layers import bronze, gold, silver\n"
        "assert not {'hamilton', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.thorough
def test_the_envelope_is_the_accepted_record(place: Place) -> None:
    assert bronze.envelope(place.video.id, place.store, place.patience) == place.video


@pytest.mark.thorough
def test_there_is_no_envelope_without_a_video(place: Place) -> None:
    missing = place.video.id[:-1] + ("0" if place.video.id[-1] != "0" else "1")
    with pytest.raises(Poison, match=f"video {missing} does not exist"):
        bronze.envelope(missing, place.store, place.patience)
    place.change(state="deleting")
    with pytest.raises(Poison, match="is being deleted"):
        bronze.envelope(place.video.id, place.store, place.patience)


@pytest.mark.thorough
def test_an_original_has_as_many_bytes_as_were_accepted(place: Place) -> None:
    data = place.store.get(place.original)
    assert bronze.size_bytes(place.video, place.store, place.patience) == len(data)
    place.store.put(place.original, data[:-1])
    with pytest.raises(Poison, match=f"has {len(data) - 1} bytes, but {len(data)} were accepted"):
        bronze.size_bytes(place.video, place.store, place.patience)
    place.store.delete(place.original)
    with pytest.raises(Poison, match="is missing; restore it"):
        bronze.size_bytes(place.video, place.store, place.patience)


@pytest.mark.thorough
def test_an_original_with_other_bytes_is_reported(place: Place) -> None:
    size_bytes = place.video.size_bytes
    found = bronze.sha256(place.video, size_bytes, place.store, place.patience)
    assert found == place.video.sha256
    data = place.store.get(place.original)
    place.store.put(place.original, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Poison, match="does not contain the bytes that were accepted"):
        bronze.sha256(place.video, size_bytes, place.store, place.patience)
    place.store.delete(place.original)
    with pytest.raises(Poison, match="is missing; restore it"):
        bronze.sha256(place.video, size_bytes, place.store, place.patience)


@pytest.mark.thorough
def test_the_form_is_read_from_the_bytes(place: Place) -> None:
    # The time is a guess.
    in_the_bytes = msgspec.structs.replace(place.video.facts, started_at_ms=None, time_source=None)
    assert bronze.form(place.video, place.video.sha256, place.settings) == in_the_bytes
    place.store.put(place.original, b"no video at all")
    with pytest.raises(Poison, match=place.original):
        bronze.form(place.video, place.video.sha256, place.settings)


@pytest.mark.thorough
def test_previews_are_stored_and_named(place: Place) -> None:
    made = silver.previews(place.video, place.store, place.settings, NoProgress(), place.patience)
    assert [artifact.kind for artifact in made] == ["poster", "sprite", "sprite_vtt"]
    assert all(place.store.head(artifact.key) for artifact in made)


@pytest.mark.thorough
def test_the_metadata_is_stored_and_named(place: Place) -> None:
    [made] = silver.metadata(place.video, place.store, place.settings, NoProgress(), place.patience)
    found = decode_at(made.key, place.store.get(made.key), VideoMetadata)
    assert (found.sha256, made.kind) == (place.video.sha256, "metadata")


@pytest.mark.thorough
def test_a_video_that_browsers_play_gets_no_other_version(place: Place) -> None:
    before = [info.key for info in place.store.list("videos")]
    assert place.video.facts.plays_in_browsers
    assert silver.playable(place.video, place.store, place.settings, NoProgress(), place.patience) == []
    assert [info.key for info in place.store.list("videos")] == before


@pytest.mark.thorough
def test_a_video_that_browsers_cannot_play_gets_a_playable_version(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    other = Place(tmp_path / "other", make_video("gate.mkv", 12, codec="libx264", size_px=(64, 48)))
    [made] = silver.playable(other.video, other.store, other.settings, NoProgress(), other.patience)
    assert (made.kind, made.content_type) == ("playable", "video/mp4")
    assert other.store.head(made.key)


@pytest.mark.thorough
def test_the_checks_are_stored_and_named(place: Place) -> None:
    [made] = silver.checks(place.video, place.store, place.settings, NoProgress(), place.patience)
    found = decode_at(made.key, place.store.get(made.key), VideoQuality)
    assert (found.sha256, made.kind) == (place.video.sha256, "quality")


def test_silver_does_everything_that_workers_do_to_a_video_except_its_frames() -> None:
    facts = make_facts(plays_in_browsers=False, why_not="It is what no browser plays.")
    assert functions(silver) == {*usual_jobs(make_record(facts=facts), "queue")} - {"frames"}


@pytest.mark.thorough
def test_the_tables_get_the_videos_rows(place: Place) -> None:
    found = gold.tabled(place.video, place.store, place.settings, NoProgress(), place.patience)
    with closing(
        Gold(place.settings.part(GoldSettings).gold_url, place.settings.part(GoldSettings).gold_access)
    ) as tables:
        assert [found] == list(tables.video_marks()) == [place.video.id]


@pytest.mark.thorough
def test_failed_checks_are_mailed_once(place: Place) -> None:
    settings = place.settings.model_copy(
        update={"mail_to": "watch@example.org", "smtp_url": "smtp://127.0.0.1"}
    )
    check = VideoCheck(name="dark", passed=False, sentence="It is dark.", measured=0.1, limit=0.2, unit="1")
    quality = VideoQuality(
        video_id=place.video.id, sha256=place.video.sha256, made_by="1", passed=False, checks=[check]
    )
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        gold.told(place.video.id, place.store, settings, catalogue, place.patience)
        assert catalogue.notices(10) == []  # nothing was checked
        place.store.put(quality.key, encode(quality))
        for _ in range(2):
            gold.told(place.video.id, place.store, settings, catalogue, place.patience)
            assert ["It is dark." in notice.body for notice in catalogue.notices(10)] == [True]
