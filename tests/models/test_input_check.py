"""Footage decides how the input of a user's network is prepared, before anything is announced."""

from __future__ import annotations

import datetime
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.kit.clips import Picture, jpeg_of, write_clip
from tests.kit.processes import run_program

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.verdict import find_open, model_input
from frametally.checkup.findings import Glance
from frametally.errors import Misconfigured
from frametally.media.manifests import find_record
from frametally.model_records import InputCheck
from frametally.records import encode
from frametally.settings.loading import load_settings
from frametally_cli import main as cli
from frametally_models.footage_frames import SampledFootage, SourceFrame, stored_footage
from frametally_models.footage_samples import footage_to_test
from frametally_models.input_check import better_setting
from frametally_models.prepare import prepare_detector
from frametally_producer.writing.production import ProduceCall

SIZE = 96
BOX = (48.0, 36.0, 24.0, 12.0)


def picky(path: Path, *, red: float = 0.2, brightest: float = 1.0) -> Path:
    """A network of 1 x 5 x boxes that finds its box if the mean of the first channel is about `red`."""
    rows = np.zeros((1, 5, 189), np.float32)
    rows[0, :4] = np.random.default_rng(0).uniform(10, 80, (4, 189))
    rows[0, :4, 7] = BOX
    is_score = np.zeros((1, 5, 189), np.float32)
    is_score[0, 4, 7] = 1
    constants = {
        "rows": rows,
        "is_score": is_score,
        "zero": np.array([0], np.int64),
        "target": np.float32(red * brightest),
        "sharpness": np.float32(-4 / brightest),
        "one": np.float32(1),
    }
    nodes = [
        helper.make_node("Gather", ["images", "zero"], ["first"], axis=1),
        helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "target"], ["off"]),
        helper.make_node("Abs", ["off"], ["distance"]),
        helper.make_node("Mul", ["distance", "sharpness"], ["scaled"]),
        helper.make_node("Add", ["scaled", "one"], ["score"]),
        helper.make_node("Clip", ["score", "least", "one"], ["probability"]),
        helper.make_node("Mul", ["is_score", "probability"], ["scores"]),
        helper.make_node("Add", ["rows", "scores"], ["output"]),
    ]
    constants["least"] = np.float32(0)
    graph = helper.make_graph(
        nodes,
        "picky",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 5, 189))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def frames(source: str = "gate", number: int = 8) -> Iterator[SourceFrame]:
    """Frames with little red and much blue, each a little different."""
    for place in range(number):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        picture[..., 2] = np.random.default_rng(place).integers(0, 102, (SIZE, SIZE), np.uint8)
        picture[: SIZE // 2, :, 0] = 250 - place
        picture[..., 1] = 20
        yield SourceFrame(source, picture)


def footage(*sources: str) -> SampledFootage:
    return SampledFootage(sources, lambda: (frame for source in sources for frame in frames(source)))


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    def make(
        seen: SampledFootage | None = None,
        *,
        family: str | None = None,
        resize: Any = "auto",
        **expects: float,
    ) -> Any:
        names = tmp_path / "own.names"
        names.write_text("person\n")
        settings = load_settings(
            detector="onnxruntime",
            model_weights=picky(tmp_path / "own.onnx", **expects),
            model_names=names,
            model_cfg=family,
            resize=resize,
            data_dir=tmp_path,
        )
        return prepare_detector(settings, footage=seen)

    return make


def kept(folder: Path) -> dict[str, InputCheck | None]:
    store = open_object_store((folder / "store").as_uri())
    return {info.key: find_record(store, info.key, InputCheck) for info in store.list(keys.INPUT_CHECKS)}


@pytest.mark.thorough
def test_the_preparation_that_finds_most_on_the_footage_is_named_and_any_worse_one_is_refused(
    load: Callable[..., Any],
) -> None:
    for family, brightest in ((None, 255.0), ("yolo-255", 1.0), ("yolo-bgr", 1.0)):
        with pytest.raises(Misconfigured, match=r"in 8 frames of your footage, .* set FRAMETALLY_MODEL_CFG="):
            load(footage("gate"), family=family, brightest=brightest)
    assert load(footage("gate")).model_id


def test_a_resize_rule_that_finds_much_less_on_wide_pictures_is_refused(load: Callable[..., Any]) -> None:
    def wide() -> Iterator[SourceFrame]:
        return (SourceFrame(source, np.ascontiguousarray(picture[::3])) for source, picture in frames())

    with pytest.raises(
        Misconfigured, match=r"in 8 frames of your footage, .* set FRAMETALLY_RESIZE=stretch$"
    ):
        load(SampledFootage(("gate",), wide))
    assert load(SampledFootage(("gate",), wide), resize="stretch").model_id


def test_without_footage_nothing_is_refused_and_nothing_is_stored(
    load: Callable[..., Any], tmp_path: Path
) -> None:
    assert load(brightest=255.0).model_id
    assert not kept(tmp_path)


def test_a_result_is_kept_until_there_is_another_source(load: Callable[..., Any], tmp_path: Path) -> None:
    model = load(footage("gate")).model_id
    unread = SampledFootage(("gate",), lambda: pytest.fail("read again"))
    assert load(unread).model_id == load(SampledFootage((), unread.read)).model_id == model
    load(footage("yard"))
    [check] = kept(tmp_path).values()
    assert check is not None
    assert (check.sources, check.is_passed, check.frames) == (["gate", "yard"], True, 8)


def test_frames_are_sampled_from_all_sources_and_days(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    picture = next(frames()).picture
    for source in ("gate", "gate-2", "yard"):
        for day in (1, 2, 3):
            for second in range(5):
                key = keys.image_key(source, (86_400 * day + second) * 1000, "0123456789ab", second)
                store.put(key, jpeg_of(picture))
    seen = list(stored_footage(settings).read())
    assert {frame.source for frame in seen} == {"gate", "gate-2", "yard"}
    assert 8 <= len(seen) <= 16


def test_a_refused_model_with_detections_needs_attention_until_its_file_fits(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    bad = InputCheck(
        model="own-1",
        sha256="a",
        setting="yolo",
        frames=8,
        sources=["gate"],
        sums={"yolo": 1.0, "yolox": 9.0},
        better="yolox",
    )
    store.put(bad.key, encode(bad))
    glance = Glance(settings, store)
    assert not [*find_open(glance)]
    store.put(keys.segment_key("own-1", "log", "frames", 0, 0), b"x")
    [need] = find_open(glance)
    assert need.line.startswith("own-1: finds 1.0 in 8 frames of gate, but 9.0 with ")
    assert need.line.endswith("; set FRAMETALLY_MODEL_CFG=yolox")
    good = InputCheck(
        model="own-2", sha256="a", setting="yolox", frames=8, sources=["gate"], sums={"yolox": 9.0}
    )
    store.put(good.key, encode(good))
    assert not [*find_open(glance)]
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    fits = f"own-2 fits the footage best, in 8 frames of gate; tested {day}"
    assert model_input(settings, store, "own-2").startswith(fits)
    assert model_input(settings, store, "own-1").startswith(
        "own-1 finds 1.0 in 8 frames of gate, but 9.0 with"
    )
    assert model_input(settings, store, "yolov4-tiny") == ""
    own = load_settings(data_dir=tmp_path, model_weights=tmp_path / "own.onnx")
    assert model_input(own, store, None) == "own.onnx: its input is not tested yet: there is no footage"


@pytest.mark.parametrize(
    ("own", "other", "is_refused"),
    [([1.0] * 8, [1.1] * 8, False), ([1.0] * 8, [1.2] * 8, True), ([0.0] * 8, [0.0] * 7 + [0.9], False)],
    ids=["a tenth more", "a fifth more", "one box in one frame"],
)
def test_one_box_decides_nothing_but_a_seventh_more_in_all_frames_does(
    own: list[float], other: list[float], is_refused: bool
) -> None:
    assert bool(better_setting("yolo", {"yolox": other, "yolo": own})) is is_refused


def brightening(shade: int) -> Iterator[Picture]:
    """Yield a second of pictures."""
    for number in range(10):
        picture = np.full((SIZE, SIZE, 3), shade + number, np.uint8)
        picture[: SIZE // 2] = 20
        yield picture


def test_frames_of_each_given_file_are_tested_before_any_is_stored(tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    for name, shade in (("gate", 60), ("yard", 160)):
        write_clip(tmp_path / f"footage/{name}.mp4", brightening(shade), fps=10, codec="mpeg4")
    (tmp_path / "footage/broken.mp4").write_bytes(b"no video")
    settings = load_settings("producer", data_dir=tmp_path / "data")
    files = sorted((tmp_path / "footage").iterdir())
    media = ProduceCall(paths=files, settings=settings).find_footage().media
    given = footage_to_test(settings, media, ())
    seen = list(given.read())
    assert set(given.sources) == {"broken", "gate", "yard"}
    assert {frame.source for frame in seen} == {"gate", "yard"}
    assert len({int(frame.picture.max()) for frame in seen}) >= 4
    assert not list(footage_to_test(settings, (), ()).read())


def test_run_refuses_a_wrong_preparation_before_a_frame_is_stored_or_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "gate.mp4", brightening(60), fps=10, codec="mpeg4")
    (tmp_path / "own.names").write_text("person\n")
    picky(tmp_path / "own.onnx", brightest=255.0)
    monkeypatch.setenv("FRAMETALLY_MODEL_WEIGHTS", str(tmp_path / "own.onnx"))
    monkeypatch.setenv("FRAMETALLY_MODEL_NAMES", str(tmp_path / "own.names"))
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "onnxruntime")
    data = tmp_path / "data"
    assert cli.main(["run", str(tmp_path / "gate.mp4"), "--no-serve", "--data-dir", str(data)]) == 2
    assert re.search(r"in 8 frames of your footage, .* set FRAMETALLY_MODEL_CFG=yolo", capfd.readouterr().err)
    assert not list((data / "store").rglob("*.jpg"))


WITHOUT_A_READER = """
import sys

sys.modules["av"] = None
from frametally.settings.loading import load_settings
from frametally_models import chosen_model
from frametally_models.footage_samples import footage_to_test

print(len(list(footage_to_test(load_settings(), (), ()).read())))
"""


@pytest.mark.thorough
def test_a_consumer_without_a_video_reader_tests_its_network_on_stored_frames(tmp_path: Path) -> None:
    """As in its image, whose packages are those of `locks/consumer.lock`."""
    done = run_program(
        [sys.executable, "-c", WITHOUT_A_READER],
        code=None,
        env={**os.environ, "FRAMETALLY_DATA_DIR": str(tmp_path)},
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
