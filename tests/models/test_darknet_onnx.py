"""A converted network gives the rows of the reference, for every layer that can be converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from tests.kit.errors import one_line

from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import Backend
from frametally_models.converted import detector_of
from frametally_models.darknet import darknet_head, reference_detector
from frametally_models.darknet_cfg import read_network_facts
from frametally_models.darknet_onnx import to_onnx
from frametally_models.files import CheckedModel, ModelFiles, check_model

WriteModel = Callable[..., ModelFiles]
CONVERTED_FOR: tuple[Backend, ...] = ("openvino", "onnxruntime")

HEAD = "[convolutional]\nfilters=14\nsize=1\nstride=1\npad=1\nactivation=linear\n"
YOLO = "[yolo]\nmask=1,2\nanchors=4,5, 10,14, 23,27\nclasses=2\nnum=3\nscale_x_y=1.1\n"
NET = "[net]\nwidth=64\nheight=64\nchannels=3\n"


def conv(filters: int = 6, **options: Any) -> str:
    given = {"batch_normalize": 1, "size": 3, "stride": 1, "pad": 1, "activation": "leaky"} | options
    lines = "".join(f"{key}={value}\n" for key, value in given.items())
    return f"[convolutional]\nfilters={filters}\n{lines}"


BODIES = {
    "batch normalisation and leaky": conv(),
    "no batch normalisation": conv(batch_normalize=0),
    "relu": conv(activation="relu"),
    "mish": conv(activation="mish"),
    "logistic": conv(activation="logistic"),
    "stride 2": conv(stride=2) + conv(stride=2),
    "no padding": conv(pad=0) + conv(size=5, pad=0, padding=2),
    "groups": conv(8) + conv(8, groups=4),
    "maxpool that halves": conv() + "[maxpool]\nsize=2\nstride=2\n",
    "maxpool that keeps the size": conv() + "[maxpool]\nsize=2\nstride=1\n",
    "wide maxpools, as in SPP": conv()
    + "[maxpool]\nstride=1\nsize=5\n[route]\nlayers=-2\n"
    + "[maxpool]\nstride=1\nsize=9\n[route]\nlayers=-1,-3,0\n",
    "route with groups": conv(8) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" + conv(),
    "route by place": conv(4) + conv(4) + "[route]\nlayers=-1,0\n",
    "shortcut": conv() + conv() + "[shortcut]\nfrom=-2\nactivation=linear\n",
    "shortcut with activation": conv() + conv() + "[shortcut]\nfrom=-2\nactivation=leaky\n",
    "upsample": conv(stride=2) + "[upsample]\nstride=2\n",
    "dropout": conv() + "[dropout]\nprobability=.5\n",
    "a head that is read again": conv(stride=2) + HEAD + YOLO + "[route]\nlayers=-2\n" + conv(),
    "two heads": conv(stride=2) + HEAD + YOLO + "[route]\nlayers=0\n" + conv(stride=2),
}


def a_model(write_model: WriteModel, body: str, yolo: str = YOLO) -> CheckedModel:
    files = write_model(cfg=NET + body + HEAD + yolo)
    floats = read_network_facts(files.cfg).floats
    weights = np.random.default_rng(3).uniform(0.02, 0.25, floats).astype(np.float32)
    # The head's weights are signed, so that its outputs are neither all small nor all large.
    weights[-14:] -= 0.135
    files.weights.write_bytes(_header() + weights.tobytes())
    return check_model(files)


def _header() -> bytes:
    return np.array([0, 2, 0], "<i4").tobytes() + bytes(8)


def picture() -> Any:
    return np.random.default_rng(5).integers(0, 256, (70, 90, 3), dtype=np.uint8)


@pytest.mark.thorough
@pytest.mark.parametrize("size", [(64, 64), (96, 64)], ids=["square", "wide"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_layer_gives_the_references_rows(
    write_model: WriteModel, body: str, size: tuple[int, int]
) -> None:
    settings = load_settings(input_size_px=f"{size[0]}x{size[1]}")
    model = a_model(write_model, body)
    expected = reference_detector(model, settings).all_rows(picture())
    network = to_onnx(model, width_px=size[0], height_px=size[1])
    for backend in CONVERTED_FOR:
        got = detector_of(model, network, None, backend, settings).all_rows(picture())
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    assert expected[:, 5:].std() > 1e-4  # not a constant


def test_the_converted_file_is_the_same_every_time(write_model: WriteModel) -> None:
    model = a_model(write_model, conv())
    assert to_onnx(model, width_px=64, height_px=64) == to_onnx(model, width_px=64, height_px=64)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (
            conv() + "[reorg]\nstride=2\n" + conv(),
            r"\[reorg\] in line \d+: a \[reorg\] layer cannot be converted",
        ),
        (conv() + "[sam]\nfrom=-1\n", r"\[sam\] in line \d+: a \[sam\] layer cannot be converted"),
        (conv(activation="swish"), "activation=swish cannot be converted"),
        (conv() + "[maxpool]\nmaxpool_depth=1\nsize=2\n", r"such a \[maxpool\] cannot be converted"),
        (conv(3) + conv(6) + "[shortcut]\nfrom=-2\n", "between layers of different shapes"),
        (conv() + "[upsample]\nstride=2\nscale=3\n", r"such an \[upsample\]"),
        (conv(4) + conv(4) + "[route]\nlayers=-1,-2\ngroups=2\n", "groups of several layers"),
    ],
)
def test_an_unconvertible_layer_is_named_with_its_line_and_a_remedy(
    write_model: WriteModel, body: str, names: str
) -> None:
    model = a_model(write_model, body)
    with one_line(Misconfigured, "tiny.cfg", "FRAMETALLY_DETECTOR=opencv", match=names):
        to_onnx(model, width_px=64, height_px=64)


def test_the_network_has_only_the_objectness_of_the_last_convolution(write_model: WriteModel) -> None:
    network = onnx.load_from_string(to_onnx(a_model(write_model, conv()), width_px=96, height_px=64))
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in network.graph.output
    }
    assert shapes == {"objectness_0": [1, 2, 64, 96], "features_0": [1, 64, 96, 6]}
    assert sorted(list(constant.dims) for constant in network.graph.initializer) == [
        [2],
        [2, 6, 1, 1],
        [6],
        [6, 3, 3, 3],
    ]


@pytest.mark.parametrize(
    "last",
    [
        HEAD.replace("linear", "leaky"),
        HEAD.replace("size=1", "size=3"),
        HEAD + "batch_normalize=1\n",
        HEAD + "[dropout]\nprobability=.5\n",
    ],
    ids=["leaky", "3x3", "batch normalisation", "no convolution"],
)
def test_an_output_layer_after_anything_but_a_linear_1x1_convolution_is_named(
    write_model: WriteModel, last: str
) -> None:
    files = write_model(cfg=NET + conv() + last + YOLO)
    floats = read_network_facts(files.cfg).floats
    files.weights.write_bytes(_header() + np.full(floats, 0.1, "<f4").tobytes())
    model = check_model(files)
    with pytest.raises(Misconfigured, match=r"\[yolo\] in line \d+: only OpenCV can read"):
        darknet_head(model, load_settings())
    with pytest.raises(Misconfigured, match=r"\[yolo\] in line \d+: .* cannot be converted to ONNX"):
        to_onnx(model, width_px=64, height_px=64)


@pytest.mark.parametrize(
    ("yolo", "names"),
    [
        (YOLO + "new_coords=1\n", "only OpenCV can read"),
        (YOLO.replace("[yolo]", "[region]"), "only OpenCV can read"),
        (YOLO.replace("num=3", "num=4"), "num=4 boxes with mask=1,2 do not match the 6 numbers in anchors"),
        (YOLO.replace("mask=1,2", "mask=1,3"), "num=3 boxes with mask=1,3"),
        (YOLO.replace("10,14", "ten,14"), "anchors=.* is not a list of numbers"),
    ],
)
def test_an_unreadable_output_layer_is_named(write_model: WriteModel, yolo: str, names: str) -> None:
    model = a_model(write_model, conv(), yolo)
    with pytest.raises(Misconfigured, match=names):
        darknet_head(model, load_settings())
