"""An INT8 network needs stored frames and NNCF, and is kept only if it detects enough."""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.said import Said
from tests.kit.clips import grey_jpeg
from tests.kit.errors import one_line

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_consumer.backends.openvino_runtime import ov
from frametally_models import calibration_frames as choosing
from frametally_models import converted, int8
from frametally_models.calibration_frames import calibration_frames, evenly, thinned
from frametally_models.files import ModelFiles, check_model
from frametally_models.prepare import prepare_detector

WriteModel = Callable[..., ModelFiles]


def test_places_are_spread_evenly() -> None:
    assert evenly(10, 5) == [0, 2, 4, 6, 8]
    assert evenly(3, 200) == [0, 1, 2]
    assert evenly(0, 200) == []
    assert len(set(evenly(360, 200))) == 200


@given(st.integers(0, 3_000), st.integers(1, 50))
def test_thinning_selects_names_in_order_and_evenly(count: int, wanted: int) -> None:
    names = [f"{place:04}" for place in range(count)]
    chosen = [int(name) for name in thinned(names, wanted)]
    assert len(chosen) == min(count, wanted)
    if count <= 8 * wanted:
        assert chosen == evenly(count, wanted)
    gaps = np.diff([*chosen, count])
    assert (gaps > 0).all()
    assert (gaps <= 1.5 * count / wanted + 1).all()


def test_only_a_few_of_a_years_names_per_chosen_one_are_in_memory() -> None:
    held: list[weakref.ref[str]] = []
    most = 0

    class Name(str): ...

    def names() -> Any:
        nonlocal held, most
        for place in range(20_000):
            held = [one for one in held if one() is not None]
            most = max(most, len(held))
            name = Name(place)
            held.append(weakref.ref(name))
            yield name

    assert len(thinned(names(), 5)) == 5
    assert most < 50


def test_only_what_the_network_sees_of_a_frame_stays_in_memory(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path, input_size_px="32x32")
    monkeypatch.setattr(choosing, "MOST_FRAMES", 20)
    with closing(open_object_store(settings.store_url)) as store:
        for number in range(30):
            data = grey_jpeg(48, 64, number)
            store.put(keys.image_key("cam", number, "a" * 64, number), data)
    decoded: list[weakref.ref[Pixels]] = []
    alive: list[int] = []
    decode_image = choosing.decode_image

    def watched(data: bytes, max_pixels: int) -> Pixels:
        frame = decode_image(data, max_pixels)
        decoded.append(weakref.ref(frame))
        alive.append(sum(one() is not None for one in decoded))
        return frame

    class AllFramesAreRead(Exception): ...

    def stop(*arguments: Any) -> NoReturn:
        alive.append(sum(one() is not None for one in decoded))
        raise AllFramesAreRead

    monkeypatch.setattr(choosing, "decode_image", watched)
    monkeypatch.setattr(int8, "_nncf", lambda: None)
    monkeypatch.setattr(int8, "onnx_network", stop)
    with pytest.raises(AllFramesAreRead):
        int8.prepare_int8(write_model(), settings, NoProgress())
    assert len(decoded) == 20
    assert max(alive) <= 2


@pytest.mark.parametrize("how", ["missing", "empty", "texts", "broken"])
def test_a_calibration_folder_without_frames_is_refused(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "frames"
    if how != "missing":
        folder.mkdir()
    if how == "texts":
        (folder / "notes.txt").write_text("no picture")
    if how == "broken":
        (folder / "frame.jpg").write_bytes(b"\xff\xd8broken")
    settings = load_settings(data_dir=tmp_path)
    with one_line(
        Misconfigured, "leave the option out", match=f"--calibration-dir {re.escape(str(folder))}: "
    ):
        list(calibration_frames(settings, NoProgress(), folder))


def test_a_folders_pictures_are_selected_evenly_and_a_broken_one_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "frames" / "deeper"
    folder.mkdir(parents=True)
    for number in range(20):
        cv2.imwrite(str(folder / f"{number:02}.png"), np.full((8, 8, 3), number, np.uint8))
    (folder / "04.png").write_bytes(b"broken")
    monkeypatch.setattr(choosing, "MOST_FRAMES", 10)
    said = Said()
    settings = load_settings(data_dir=tmp_path)
    frames = list(calibration_frames(settings, said, folder.parent))
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 2, 6, 8, 10, 12, 14, 16, 18]
    assert said.lines == [f"{folder / '04.png'} cannot be decoded; it is left out"]


def test_the_stores_frames_come_before_the_demo_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traffic_clip: Path
) -> None:
    settings = load_settings(data_dir=tmp_path)
    monkeypatch.setattr(choosing, "MOST_FRAMES", 10)
    monkeypatch.setattr("frametally_models.calibration_frames.ensure_demo_clip", lambda *a: traffic_clip)
    of_clip = list(calibration_frames(settings, NoProgress()))
    assert (len(of_clip), of_clip[0].shape) == (10, (480, 854, 3))
    with closing(open_object_store(settings.store_url)) as store:
        for number in range(3):
            data = grey_jpeg(16, 16, 90)
            store.put(keys.image_key("cam", number, "a" * 64, number), data)
        store.put(keys.image_key("cam", 9, "a" * 64, 9), b"broken")
    said = Said()
    assert [frame.shape for frame in calibration_frames(settings, said)] == [(16, 16, 3)] * 3
    assert "left out" in said.lines[0]
    assert said.lines[1] == "calibrating on 3 frames of this store"


def test_without_nncf_the_remedy_is_shown_before_anything_is_downloaded(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    monkeypatch.setattr(int8, "calibration_frames", None)
    with one_line(Misconfigured, match=r"an INT8 network with NNCF, .*pip install 'frametally\[int8\]'"):
        int8.prepare_int8(write_model(), load_settings(data_dir=tmp_path), NoProgress())


def test_int8_networks_are_made_from_darknet_models(write_model: WriteModel, tmp_path: Path) -> None:
    settings = load_settings(model_weights=tmp_path / "own.onnx")
    with pytest.raises(Misconfigured, match="INT8 networks only from Darknet models"):
        int8.prepare_int8(write_model(), settings, NoProgress())


@pytest.fixture
def own_copy(model_files: ModelFiles, tmp_path: Path) -> ModelFiles:
    folder = tmp_path / "models"
    folder.mkdir()
    files = ModelFiles(*(folder / path.name for path in model_files))
    for source, copy in zip(model_files, files, strict=True):
        copy.symlink_to(source)
    return files


@pytest.mark.usefixtures("nncf")
def test_an_int8_network_finds_what_f32_finds_and_names_its_calibration(
    own_copy: ModelFiles, clip_frames: dict[int, Pixels], tmp_path: Path
) -> None:
    frames = [*clip_frames.values()] * 2
    settings = load_settings(models_dir=own_copy.cfg.parent, data_dir=tmp_path)
    made = int8.make_int8(check_model(own_copy), frames, settings, NoProgress())
    assert made.found_again >= int8.LEAST_FOUND_AGAIN
    used = load_settings(
        models_dir=own_copy.cfg.parent, data_dir=tmp_path, detector="openvino", precision="int8"
    )
    detector: Any = prepare_detector(used)
    assert re.fullmatch(r"yolov4-tiny-openvino-int8-[0-9a-f]{8}-[0-9a-f]{8}", detector.model_id)
    images = list(clip_frames.values())[:3]
    assert detector.detect(images) == [detector.detect([image])[0] for image in images]
    again = int8.make_int8(check_model(own_copy), frames[:-1], settings, NoProgress())
    assert again.path == made.path
    assert prepare_detector(used).model_id != detector.model_id


@pytest.mark.usefixtures("nncf")
def test_an_int8_network_that_finds_too_little_is_discarded(
    own_copy: ModelFiles, clip_frames: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(int8, "LEAST_FOUND_AGAIN", 1.01)
    settings = load_settings(models_dir=own_copy.cfg.parent, data_dir=tmp_path)
    with pytest.raises(Misconfigured, match=r"in INT8 it finds \d+ of the \d+ objects that it finds"):
        int8.make_int8(check_model(own_copy), [*clip_frames.values()] * 2, settings, NoProgress())
    black = [np.zeros((64, 64, 3), np.uint8)] * 10
    with pytest.raises(Misconfigured, match="the network finds nothing in the calibration frames"):
        int8.make_int8(check_model(own_copy), black, settings, NoProgress())
    assert not list(own_copy.cfg.parent.glob("*int8*"))


@pytest.mark.usefixtures("nncf")
def test_an_int8_network_is_8_bit_except_for_its_heads_and_must_pass_its_self_test(
    own_copy: ModelFiles, traffic_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("frametally_models.calibration_frames.ensure_demo_clip", lambda *a: traffic_clip)
    monkeypatch.setattr(choosing, "MOST_FRAMES", 15)
    settings = load_settings(
        models_dir=own_copy.cfg.parent, data_dir=tmp_path, detector="openvino", precision="int8"
    )
    said = Said()
    made = int8.prepare_int8(own_copy, settings, said)
    assert made.frames == 15
    assert said.lines == [
        "calibrating on the demo clip, because this store has no frames; your own footage gives better "
        "results",
        "comparing INT8 with f32 on 15 frames",
    ]
    nodes = ov.Core().read_model(made.path).get_ordered_ops()
    bits = [bits_of_weights(node) for node in nodes if node.get_type_name() == "Convolution"]
    assert (bits.count("i8"), bits.count("f32")) == (19, 2)
    # Mixed: outputs of a leaky layer are rounded in their own range, which differs above and below 0.
    ranges = [range_of(node) for node in nodes if node.get_type_name() == "FakeQuantize"]
    assert len(ranges) == 19
    assert all(-low < 0.8 * high for low, high in ranges)

    card_path = made.path.with_suffix(".json")
    card = msgspec.json.decode(card_path.read_bytes(), type=converted.Card)
    assert card.calibration is not None
    assert card.calibration.found_again == made.found_again
    assert f"-int8-{card.calibration.sha256[:8]}-" in prepare_detector(settings).model_id
    blind = [[*values[:4], *(0.0 for _ in values[4:])] for values in card.self_test.values]
    wrong = msgspec.structs.replace(card.self_test, values=blind)
    card_path.write_bytes(msgspec.json.encode(msgspec.structs.replace(card, self_test=wrong)))
    with pytest.raises(
        Misconfigured, match=r"in int8: the self-test did not find the objects that it should"
    ):
        prepare_detector(settings)


def bits_of_weights(convolution: Any) -> str:
    node = convolution.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return str(node.get_element_type().get_type_name())


def range_of(rounding: Any) -> tuple[float, float]:
    low, high = (float(rounding.input_value(place).get_node().data.min()) for place in (1, 2))
    return low, high
