"""For a layer that is read in whole and in part, INT8 numbers are made once, and are unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from frametally_consumer.backends.openvino_runtime import ov
from frametally_models.int8 import share_quantizers

ops = ov.opset8
CHANNELS, SIDE_PX, LEVELS = 8, 6, 256


def quantized(value: ov.Output | ov.Node, low: float, high: float) -> ov.Node:
    ends = [ops.constant(np.float32(end)) for end in (low, high, low, high)]
    return ops.fake_quantize(value, *ends, LEVELS)


def upper_half(value: ov.Output | ov.Node) -> ov.Node:
    start, stop, step, axis = (ops.constant(np.array([at])) for at in (CHANNELS // 2, CHANNELS, 1, 1))
    return ops.slice(value, start, stop, step, axis)


def network(*, whole: bool = True, part: bool = True, part_also_raw: bool = False) -> ov.Model:
    """A layer that is read as a whole, and its upper half, each rounded with its own range on request."""
    picture = ops.parameter([1, CHANNELS, SIDE_PX, SIDE_PX], np.float32)
    layer = ops.relu(picture)
    sliced = upper_half(layer)
    read_whole = quantized(layer, 0.0, 4.0) if whole else ops.abs(layer)
    read_part = quantized(sliced, 0.0, 2.0) if part else ops.abs(sliced)
    outputs = [read_whole, ops.abs(read_part)]
    if part_also_raw:
        outputs.append(ops.abs(sliced))
    return ov.Model(outputs, [picture])


def answers(model: ov.Model, picture: np.ndarray) -> list[np.ndarray]:
    found = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(picture)
    return [found[at].copy() for at in range(len(model.outputs))]


def test_a_layer_read_whole_and_in_part_is_rounded_once_with_the_range_of_the_whole() -> None:
    model = network()
    picture = np.random.default_rng(0).uniform(-1, 2, (1, CHANNELS, SIDE_PX, SIDE_PX)).astype(np.float32)
    before = answers(model, picture)
    assert share_quantizers(model) == 1
    kinds = [node.get_type_name() for node in model.get_ordered_ops()]
    assert kinds.count("FakeQuantize") == 1
    whole, part = answers(model, picture)
    np.testing.assert_array_equal(whole, before[0])
    np.testing.assert_array_equal(part, whole[:, CHANNELS // 2 :])
    np.testing.assert_allclose(part, before[1], atol=4.0 / (LEVELS - 1))


@pytest.mark.parametrize("fault", [{"whole": False}, {"part": False}, {"part_also_raw": True}])
def test_a_layer_that_is_also_read_in_f32_is_left_alone(fault: dict[str, bool]) -> None:
    model = network(**fault)
    before = [node.get_friendly_name() for node in model.get_ordered_ops()]
    assert share_quantizers(model) == 0
    assert [node.get_friendly_name() for node in model.get_ordered_ops()] == before
