"""A model's files are used only if they fit each other."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from tests.kit.errors import one_line

from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally_models.catalogue import COCO_NAMES, YOLOV4_TINY_CFG, YOLOV4_TINY_WEIGHTS
from frametally_models.darknet_cfg import read_network_facts
from frametally_models.files import ModelFiles, check_model, chosen_model_files, read_class_names

WriteModel = Callable[..., ModelFiles]

HEAD = "[net]\nchannels=3\n[convolutional]\nfilters=8\nsize=3\n"
YOLO = "[yolo]\nmask=0\nclasses=3\nnum=1\n"


def test_the_default_models_files_match_each_other(model_files: ModelFiles) -> None:
    model = check_model(model_files)
    assert (model.facts.classes, model.facts.floats) == (80, 6_062_814)
    assert model.class_names[:3] == ("person", "bicycle", "car")


def test_the_default_model_is_pinned_to_the_tested_bytes(model_files: ModelFiles) -> None:
    known = (YOLOV4_TINY_CFG, YOLOV4_TINY_WEIGHTS, COCO_NAMES)
    assert [path.name for path in model_files] == [file.name for file in known]
    assert [path.stat().st_size for path in model_files] == [file.size_bytes for file in known]


@pytest.mark.parametrize("version", [(0, 1), (0, 2), (0, 5)])
def test_weights_of_every_header_version_are_accepted(
    write_model: WriteModel, version: tuple[int, int]
) -> None:
    assert check_model(write_model(version=version)).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("change", "what"),
    [(-1, "cut short"), (-4, "cut short"), (4, "too long")],
    ids=["a byte less", "a number less", "a number more"],
)
def test_weights_of_another_length_are_refused(write_model: WriteModel, change: int, what: str) -> None:
    whole = write_model().weights.read_bytes()
    files = write_model(weights=whole[:change] if change < 0 else whole + bytes(change))
    with one_line(Misconfigured, str(files.weights), what, f"needs {len(whole):,}"):
        check_model(files)


def test_truncated_weights_of_the_default_network_are_refused(
    model_files: ModelFiles, write_model: WriteModel
) -> None:
    files = write_model(weights=model_files.weights.read_bytes()[:20_000_000])
    with pytest.raises(Misconfigured, match=r"tiny\.weights: cut short.*needs 24,251,276"):
        check_model(model_files._replace(weights=files.weights))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_with_a_number_that_is_not_finite_are_refused(write_model: WriteModel, value: float) -> None:
    whole = write_model().weights.read_bytes()
    with pytest.raises(Misconfigured, match=r"tiny\.weights is damaged: not all its numbers are finite"):
        check_model(write_model(weights=whole[:-4] + struct.pack("<f", value)))


@pytest.mark.parametrize("weights", [b"", b"short"], ids=["empty", "5 bytes"])
def test_a_weights_file_without_a_header_is_refused(write_model: WriteModel, weights: bytes) -> None:
    with pytest.raises(
        Misconfigured, match=r"only \d bytes, so it is not a Darknet weights file; download it again"
    ):
        check_model(write_model(weights=weights))


@pytest.mark.parametrize("which", ["cfg", "weights", "names"])
def test_an_unreadable_file_is_named(write_model: WriteModel, which: str) -> None:
    files = write_model()
    folder = files.cfg.parent
    with one_line(Misconfigured, f"{folder} cannot be read (Is a directory)"):
        check_model(files._replace(**{which: folder}))


@pytest.mark.parametrize("names", ["cat\n", "cat\ndog\nbird\n", ""])
def test_a_names_file_of_another_model_is_refused(write_model: WriteModel, names: str) -> None:
    files = write_model(names=names)
    with one_line(Misconfigured, str(files.names)):
        check_model(files)


def test_names_may_have_spaces_dos_line_ends_a_byte_order_mark_and_trailing_empty_lines(
    write_model: WriteModel,
) -> None:
    files = write_model(names="\N{BYTE ORDER MARK}traffic light\r\nstop sign\r\n\r\n\n")
    assert read_class_names(files.names) == ("traffic light", "stop sign")


def test_an_empty_line_between_names_is_refused(write_model: WriteModel) -> None:
    with pytest.raises(Misconfigured, match="line 2 is empty"):
        read_class_names(write_model(names="cat\n\ndog\n").names)


def test_names_that_are_not_text_are_refused(write_model: WriteModel) -> None:
    files = write_model()
    files.names.write_bytes(b"\xff\xfe\x00cat")
    with pytest.raises(Misconfigured, match="not UTF-8 text"):
        read_class_names(files.names)


@pytest.mark.parametrize(
    ("cfg", "reason"),
    [
        ("", "does not begin with a [net] section"),
        ("[yolo]\nclasses=2\n", "does not begin with a [net] section"),
        ("hello\n", "line 1 is neither [section] nor key=value: 'hello'"),
        (HEAD, "no [yolo] layer"),
        (HEAD + YOLO.replace("classes=3", "classes=80"), "need filters=85 in the layer before, but it has 8"),
        (
            HEAD + YOLO + "[route]\nlayers=-2\n" + YOLO.replace("3", "-3"),
            "classes=-3 is not a single whole number",
        ),
        (
            HEAD.replace("filters=8", "filters=many") + YOLO,
            "line 3: filters=many is not a list of whole numbers",
        ),
        (HEAD.replace("filters=8", "filters=8\ngroups=2") + YOLO, "do not match 3 channels"),
        (HEAD + "dilation=2\n" + YOLO, "frametally cannot run dilation=2"),
        (HEAD + "[route]\nlayers=-4\n" + YOLO, "there is no layer -4 before this one"),
        (HEAD + "[route]\nlayers=-1\ngroups=3\n" + YOLO, "8 channels in 3 groups"),
        (HEAD + "[lstm]\n" + YOLO, "[lstm] in line 6: frametally cannot run such a layer"),
        (
            HEAD + YOLO + "[route]\nlayers=-2\n[convolutional]\nfilters=9\n" + YOLO.replace("3", "4"),
            "layers of [3, 4] classes",
        ),
    ],
)
def test_a_network_file_that_cannot_be_a_detector_is_refused_with_its_fault(
    write_model: WriteModel, cfg: str, reason: str
) -> None:
    files = write_model(cfg=cfg)
    with one_line(Misconfigured, str(files.cfg), reason):
        read_network_facts(files.cfg)


def test_opencv_reads_the_network_without_its_own_thresholds(write_model: WriteModel) -> None:
    cfg = HEAD.replace("filters=8", " filters = 8 # of the head") + YOLO + "thresh=.6\nnms_threshold=.4\n"
    assert read_network_facts(write_model(cfg="\n; x\n" + cfg).cfg).text == (
        HEAD + YOLO + "thresh=0\nnms_threshold=0\n"
    )


def test_routes_groups_and_spatial_layers_are_followed(write_model: WriteModel) -> None:
    cfg = (
        "[net]\nchannels=3\n"
        "[convolutional]\nfilters=8\nsize=3\nbatch_normalize=1\n"  # 0: 8 channels, 8*(4+27) numbers
        "[maxpool]\nsize=2\nstride=2\n"  # 1
        "[route]\nlayers=-1\ngroups=2\ngroup_id=1  # the upper half\n"  # 2: 4 channels
        "[convolutional]\nfilters=6\ngroups=2\nsize=3\n"  # 3: 6*(1+2*9)
        "[upsample]\nstride=2\n"  # 4
        "[route]\nlayers=-1, 0\n"  # 5: 6 + 8 channels
        "[convolutional]\nfilters=8\nsize=1\n" + YOLO  # 6: 8*(1+14)
    )
    facts = read_network_facts(write_model(cfg=cfg).cfg)
    assert (facts.classes, facts.floats) == (3, 8 * 31 + 6 * 19 + 8 * 15)


def test_ones_own_files_replace_the_default_ones_one_by_one(
    write_model: WriteModel, model_files: ModelFiles
) -> None:
    own = write_model()
    settings = load_settings(models_dir=model_files.cfg.parent, model_weights=own.weights)
    assert chosen_model_files(settings) == model_files._replace(weights=own.weights)


def test_with_three_files_of_ones_own_nothing_is_downloaded(write_model: WriteModel) -> None:
    own = write_model()
    settings = load_settings(
        models_dir=own.cfg / "no folder", model_cfg=own.cfg, model_weights=own.weights, model_names=own.names
    )
    assert chosen_model_files(settings) == own


@pytest.mark.parametrize("which", ["model_cfg", "model_weights", "model_names"])
def test_a_missing_file_of_ones_own_is_named_with_its_setting(write_model: WriteModel, which: str) -> None:
    own = write_model()
    given: dict[str, Any] = {"model_cfg": own.cfg, "model_weights": own.weights, "model_names": own.names}
    missing = own.cfg.parent / "missing"
    with one_line(Misconfigured, f"FRAMETALLY_{which.upper()}={missing}: this file does not exist"):
        chosen_model_files(load_settings(**given | {which: missing}))
