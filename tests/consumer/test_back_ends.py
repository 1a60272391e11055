"""Every back-end detects the same as the reference, and its results depend only on the picture."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.fakes.said import Said
from tests.kit.errors import one_line

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.records import AutoDetector, Detection, decode, encode
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends
from frametally_consumer.backends.network import BATCH_PICTURES
from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork
from frametally_consumer.detectors.boxes import boxes_from_rows
from frametally_consumer.detectors.protocol import AsyncDetector, Detector, start
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_models.detector_agreement import iou
from frametally_models.files import ModelFiles
from frametally_models.prepare import prepare_detector

WriteModel = Callable[..., ModelFiles]
Load = Callable[..., Any]

# Compared with the reference: pixels, confidence, and the share of boxes. In bf16 a box sometimes yields to a
# neighbour of nearly the same confidence.
BOUNDS = {
    ("openvino", "f32"): (0.5, 0.005, 1.0),
    ("onnxruntime", "f32"): (0.5, 0.005, 1.0),
    ("openvino", "bf16"): (2.0, 0.03, 0.93),
}


@pytest.fixture(scope="module")
def load(model_files: ModelFiles, tmp_path_factory: pytest.TempPathFactory, has_bf16: bool) -> Load:
    folder = tmp_path_factory.mktemp("back-ends")
    loaded: dict[Any, Any] = {}

    def make(detector: str, precision: str = "f32", **more: Any) -> Any:
        if more:  # only for one test: each takes some 100 MB
            return make_anew(detector, precision, **more)
        if (detector, precision) not in loaded:
            loaded[detector, precision] = make_anew(detector, precision)
        return loaded[detector, precision]

    def make_anew(detector: str, precision: str, **more: Any) -> Any:
        if precision == "bf16" and not has_bf16:
            pytest.skip("this CPU has no bf16")
        return prepare_detector(
            load_settings(
                models_dir=model_files.cfg.parent,
                data_dir=folder,
                detector=detector,
                precision=precision,
                **more,
            )
        )

    return make


def as_bytes(found: Sequence[Sequence[Detection]]) -> bytes:
    return msgspec.json.encode(found)


def matched(expected: Sequence[Detection], got: Sequence[Detection]) -> list[tuple[Detection, Detection]]:
    pairs = []
    free = list(got)
    for one in expected:
        best = max(
            (other for other in free if other.label == one.label),
            key=lambda other: iou(one.box, other.box),
            default=None,
        )
        if best is not None and iou(one.box, best.box) > 0.5:
            free.remove(best)
            pairs.append((one, best))
    return pairs


@pytest.mark.thorough
@pytest.mark.parametrize(("backend", "precision"), BOUNDS)
def test_on_real_frames_a_back_end_finds_what_the_reference_finds(
    load: Load, clip_frames: dict[int, Pixels], backend: str, precision: str
) -> None:
    images = list(clip_frames.values())
    found = load("opencv").detect(images), load(backend, precision).detect(images)
    assert_near(*found, BOUNDS[backend, precision])


@pytest.mark.thorough
def test_on_real_frames_a_network_in_gpu_like_batches_finds_what_the_reference_finds(
    load: Load, clip_frames: dict[int, Pixels]
) -> None:
    alone = load("onnxruntime")
    network = OnnxRuntimeNetwork(
        alone.model.network,
        name=alone.model.name,
        providers=["CPUExecutionProvider"],
        threads=2,
        batch=BATCH_PICTURES,
    )
    in_batches = YoloDetector(network, alone.model)
    images = list(clip_frames.values())
    found = in_batches.detect(images)
    for others in (load("opencv").detect(images), alone.detect(images)):
        assert_near(others, found, BOUNDS["onnxruntime", "f32"])
    # Whichever pictures share its batch, and however full the batch is.
    assert as_bytes(found) == as_bytes(in_batches.detect(images[::-1])[::-1])
    assert as_bytes(found[:2]) == as_bytes([in_batches.detect([image])[0] for image in images[:2]])


def assert_near(
    reference: Sequence[Sequence[Detection]],
    other: Sequence[Sequence[Detection]],
    bounds: tuple[float, float, float],
) -> None:
    """`bounds`: pixels and confidence by which a box may differ, and the share of boxes within both."""
    pixels, confidence, share = bounds
    sought, pairs = 0, []
    for expected, got in zip(reference, other, strict=True):
        # A box near the lowest confidence may be in one result and not in the other.
        sure = [found for found in expected if found.confidence >= 0.1 + 2 * confidence]
        sought += len(sure)
        pairs += matched(sure, got)
    assert len(pairs) >= sought - (share < 1) and sought > 50
    near = 0
    for one, same in pairs:
        edges = [[x, y, x + w, y + h] for x, y, w, h in (one.box, same.box)]
        moved = np.abs(np.subtract(*edges)).max()
        near += abs(one.confidence - same.confidence) <= confidence and moved <= pixels + 0.1
    assert near >= share * len(pairs)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_below_02_the_same_boxes_are_written_as_by_the_reference(
    load: Load, clip_frames: dict[int, Pixels], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_models.darknet.MIN_CONFIDENCE", 0.02)
    images = list(clip_frames.values())
    # The size is the usual one: for an option, a new detector is made, with this confidence.
    reference, other = (load(which, input_size_px="416x416").detect(images) for which in ("opencv", backend))
    weak = [sum(found.confidence < 0.2 for found in every) for every in reference]
    assert sum(weak) > 100
    assert [len(every) for every in reference] == pytest.approx([len(every) for every in other], abs=1)


@pytest.mark.thorough
@pytest.mark.parametrize(("backend", "precision"), [("opencv", "f32"), *BOUNDS])
def test_threads_batches_order_and_repeats_give_the_same_bytes(
    load: Load, clip_frames: dict[int, Pixels], backend: str, precision: str
) -> None:
    images = list(clip_frames.values())[:3]
    results = set()
    for threads in (1, 3):
        detector = load(backend, precision, detector_threads=threads)
        results.add(as_bytes(detector.detect(images)))
        results.add(as_bytes(detector.detect(images[::-1])[::-1]))
        results.add(as_bytes([detector.detect([image])[0] for image in images]))
        results.add(as_bytes(detector.detect(images * 2)[3:]))
    assert len(results) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["opencv", "openvino", "onnxruntime"])
def test_pictures_started_one_by_one_give_the_same_and_the_caller_may_reuse_its_buffer(
    load: Load, clip_frames: dict[int, Pixels], backend: str
) -> None:
    detector = load(backend)
    images = list(clip_frames.values())[:3]
    buffer = np.empty_like(images[0])
    futures = []
    for image in itertools.chain(images, images):
        buffer[:] = image
        futures.append(start(detector, buffer))
    assert as_bytes([future.result() for future in futures]) == as_bytes(detector.detect(images * 2))


@pytest.mark.thorough
def test_a_picture_of_the_networks_own_size_may_be_reused_too(load: Load) -> None:
    detector = load("openvino")
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (416, 416, 3), dtype=np.uint8) for _ in range(12)]
    buffer = np.empty_like(images[0])
    futures = []
    for image in images:
        buffer[:] = image
        futures.append(detector.start(buffer))
    assert as_bytes([future.result() for future in futures]) == as_bytes(detector.detect(images))


def test_a_detector_for_one_picture_at_a_time_can_be_started_too() -> None:
    detector: Detector = prepare_detector(load_settings(detector="pixels"))
    image = np.full((40, 40, 3), 255, np.uint8)
    assert not isinstance(detector, AsyncDetector)
    assert start(detector, image).result() == detector.detect([image])[0]
    assert isinstance(start(detector, image[..., 0]).exception(), ValueError)


@pytest.mark.thorough
def test_a_wider_input_works_on_every_back_end(load: Load, clip_frames: dict[int, Pixels]) -> None:
    images = list(clip_frames.values())[:2]
    found = [
        load(backend, input_size_px="544x320").detect(images)
        for backend in ("opencv", "openvino", "onnxruntime")
    ]
    for other in found[1:]:
        for expected, got in zip(found[0], other, strict=True):
            assert len(matched(expected, got)) >= len(expected) - 1 > 5


@pytest.mark.thorough
def test_letterboxing_keeps_proportions_and_puts_boxes_where_the_objects_are(
    load: Load, clip_frames: dict[int, Pixels]
) -> None:
    image = clip_frames[0]
    stretched, boxed = (
        load("openvino", input_size_px="416x416", resize=rule) for rule in ("stretch", "letterbox")
    )
    assert stretched.model_id != boxed.model_id
    sure = [found for found in stretched.detect([image])[0] if found.confidence > 0.6]
    assert len(sure) > 2
    assert len(matched(sure, boxed.detect([image])[0])) >= len(sure) - 1


@pytest.mark.thorough
def test_the_model_id_contains_back_end_and_precision(load: Load) -> None:
    ids = [
        load(*which).model_id
        for which in (("opencv",), ("openvino",), ("openvino", "bf16"), ("onnxruntime",))
    ]
    assert ids == [
        "yolov4-tiny-opencv-f32-e57867ad",
        "yolov4-tiny-openvino-f32-5d2036cf",
        "yolov4-tiny-openvino-bf16-5d2036cf",
        "yolov4-tiny-onnxruntime-f32-5d2036cf",
    ]


@pytest.mark.thorough
def test_the_number_of_threads_does_not_change_the_id(load: Load) -> None:
    assert load("openvino", detector_threads=1).model_id == load("openvino").model_id


@pytest.mark.thorough
def test_an_error_in_the_callback_comes_out_of_the_future(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = load("openvino")
    image = np.zeros((60, 80, 3), np.uint8)

    def fail(*arguments: Any, **more: Any) -> Any:
        raise Misconfigured(f"failed in {threading.current_thread().name}")

    monkeypatch.setattr("frametally_consumer.detectors.yolo.boxes_from_rows", fail)
    with pytest.raises(Misconfigured, match="failed in"):
        detector.detect([image])
    monkeypatch.setattr("frametally_consumer.detectors.yolo.boxes_from_rows", boxes_from_rows)
    assert detector.detect([image] * 9) == [detector.detect([image])[0]] * 9


@pytest.mark.parametrize("backend", ["opencv", "onnxruntime"])
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_precision_that_a_back_end_lacks_is_refused(backend: str, precision: str) -> None:
    with pytest.raises(Misconfigured, match=f"PRECISION={precision}: {backend} computes only in f32"):
        prepare_detector(load_settings(detector=backend, precision=precision))


def test_a_cpu_without_bf16_refuses_it(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("openvino.Core.get_property", lambda *arguments: ["FP32", "INT8"])
    files = write_model()
    settings = load_settings(
        detector="openvino",
        precision="bf16",
        model_cfg=files.cfg,
        model_weights=files.weights,
        model_names=files.names,
        data_dir=tmp_path,
    )
    with pytest.raises(
        Misconfigured, match="FRAMETALLY_PRECISION=bf16: this machine's CPU does not support it"
    ):
        prepare_detector(settings)


def test_a_missing_provider_is_named_with_those_that_are_installed(load: Load) -> None:
    with pytest.raises(Misconfigured, match=r"PROVIDERS=CUDAX: the installed .* has .*CPUExecutionProvider"):
        load("onnxruntime", execution_providers="CUDAX")


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_missing_back_end_is_reported_with_the_remedy(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None if name == backend else name)
    with pytest.raises(Misconfigured, match=f"DETECTOR={backend} is not installed here; .*pip install"):
        prepare_detector(load_settings(detector=backend))


def settings_of_auto(tmp_path: Path, model_files: ModelFiles) -> Any:
    return load_settings(detector="auto", data_dir=tmp_path, models_dir=model_files.cfg.parent)


@pytest.mark.thorough
def test_auto_is_resolved_once_and_stored(
    tmp_path: Path, model_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of_auto(tmp_path, model_files)
    monkeypatch.setattr(backends, "fastest_installed", lambda: "onnxruntime")
    first = Said()
    assert "-onnxruntime-f32-" in prepare_detector(settings, first).model_id
    assert first.lines == ["from now on, this store uses the detector onnxruntime"]
    monkeypatch.setattr(backends, "fastest_installed", lambda: "opencv")
    second = Said()
    assert "-onnxruntime-f32-" in prepare_detector(settings, second).model_id
    assert second.lines == []


def test_a_worker_that_cannot_run_the_stores_choice_says_so_in_one_line(
    tmp_path: Path, model_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of_auto(tmp_path, model_files)
    store = open_object_store(settings.store_url)
    store.put(keys.AUTO_DETECTOR, encode(AutoDetector(backend="openvino")))
    assert decode(store.get(keys.AUTO_DETECTOR), AutoDetector).backend == "openvino"
    monkeypatch.setattr(backends, "is_installed", lambda backend: backend != "openvino")
    with one_line(Misconfigured, match=r"detector is openvino \(models/auto.json\), .* not installed"):
        prepare_detector(settings)


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({}, 8),
        ({"": "max 100000", "site.slice": "max 100000", "site.slice/app.service": "max 100000"}, 8),
        ({"site.slice/app.service": "150000 100000"}, 2),
        ({"site.slice": "300000 100000", "site.slice/app.service": "max 100000"}, 3),
        ({"": "50000 100000"}, 1),
        ({"site.slice/app.service": "1600000 100000"}, 8),
        ({"other.slice": "100000 100000", "site.slice": "what is this?"}, 8),
    ],
)
def test_the_cpu_quota_limits_the_number_of_cores_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quotas: dict[str, str], expected: int
) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/site.slice/app.service\n")
    for group, quota in quotas.items():
        folder = tmp_path / "cgroups" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(backends, "_CGROUPS", tmp_path / "cgroups")
    monkeypatch.setattr(backends, "_OWN_CGROUP", own)
    monkeypatch.setattr(backends.os, "sched_getaffinity", lambda process: set(range(8)))
    assert backends.cores() == expected


def test_a_machine_without_cgroups_uses_all_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "_CGROUPS", tmp_path / "none")
    monkeypatch.setattr(backends, "_OWN_CGROUP", tmp_path / "none")
    monkeypatch.setattr(backends.os, "sched_getaffinity", lambda process: set(range(8)))
    assert backends.cores() == 8


@pytest.mark.parametrize(
    ("machine", "installed", "expected"),
    [
        ("x86_64", {"openvino", "onnxruntime", "opencv"}, "openvino"),
        ("x86_64", {"onnxruntime", "opencv"}, "onnxruntime"),
        ("aarch64", {"openvino", "onnxruntime", "opencv"}, "onnxruntime"),
        ("arm64", {"opencv"}, "opencv"),
    ],
)
def test_auto_chooses_the_fastest_installed_back_end(
    machine: str, installed: set[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends.platform, "machine", lambda: machine)
    monkeypatch.setattr(backends, "is_installed", lambda backend: backend in installed)
    assert backends.fastest_installed() == expected


@pytest.mark.thorough
def test_boxes_of_the_traffic_clip_stay_where_people_saw_them(
    load: Load, clip_frames: dict[int, Pixels]
) -> None:
    golden = json.loads((Path(__file__).parent / "golden" / "traffic_boxes.json").read_text())
    for backend in ("opencv", "openvino", "onnxruntime"):
        detector = load(backend)
        for index, expected in golden["frames"].items():
            got = detector.detect([clip_frames[int(index)]])[0]
            got = [found for found in got if found.confidence >= golden["min_confidence"]]
            assert [found.label for found in got] == [box["label"] for box in expected]
            for found, box in zip(got, expected, strict=True):
                assert found.box == pytest.approx(box["box"], abs=2)
                assert found.confidence == pytest.approx(box["confidence"], abs=0.01)
