"""Converts a Darknet network and its weights to an ONNX network with the same raw outputs.

The layers are Darknet's, as defined by `parser.c` and the `*_layer.c` files of AlexeyAB/darknet. Batch
normalisation is folded into the convolution before it. Of a `[yolo]` layer and the convolution before it, the
network computes only the objectness; `heads.py` does the rest for the few boxes that count, so that it is the
same on every back-end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from frametally_models.darknet_cfg import Section, weights_header_bytes
from frametally_models.files import CheckedModel

CONVERTER_VERSION = 2
"""Raised whenever a converted network changes; part of the cached file's name and of the model id."""

INPUT_NAME = "picture"

_OPSET, _IR_VERSION = 13, 8  # old enough for every reader, new enough for the operations used
_BN_EPSILON = 1e-6  # the value of OpenCV, the reference
_LEAKY_SLOPE = 0.1

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]


class _Value(NamedTuple):
    """A layer's output: its name in the graph, its number of channels and its size."""

    name: str
    channels: int
    height_px: int
    width_px: int

    def slid_over(self, name: str, channels: int, *, size: int, stride: int, padding: int) -> _Value:
        """Return the value that a window of `size` makes of this one; `padding` is the sum of both edges."""
        sides = ((side + padding - size) // stride + 1 for side in (self.height_px, self.width_px))
        return _Value(name, channels, *sides)


class _Weights:
    """The numbers of a weights file, in the order in which layers take them."""

    def __init__(self, data: bytes) -> None:
        self._floats = np.frombuffer(data, "<f4", offset=weights_header_bytes(data))
        self._position = 0

    def take(self, *shape: int) -> npt.NDArray[np.float64]:
        count = int(np.prod(shape))
        weights = self._floats[self._position : self._position + count]
        self._position += count
        return weights.reshape(shape).astype(np.float64)


class _Graph:
    def __init__(self, model: CheckedModel, width_px: int, height_px: int) -> None:
        net = model.facts.sections[0]
        self.weights = _Weights(model.weights)
        self.heads = model.facts.heads
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.outputs: list[onnx.ValueInfoProto] = []
        self.input = _Value(INPUT_NAME, net.integer("channels", 3), height_px, width_px)
        self.values: list[_Value] = []

    @property
    def last(self) -> _Value:
        return self.values[-1] if self.values else self.input

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def output(self, kind: str, value: str, name: str, shape: list[int], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, [value], [name], name=name, **attributes))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, values: Array) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = values
        return name

    def without_what_no_output_needs(self) -> onnx.GraphProto:
        needed = {output.name for output in self.outputs}
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed.update(node.input)
        channels, height_px, width_px = self.input[1:]
        return helper.make_graph(
            [node for node in self.nodes if needed & set(node.output)],
            "darknet",
            [
                helper.make_tensor_value_info(
                    INPUT_NAME, TensorProto.FLOAT, [1, channels, height_px, width_px]
                )
            ],
            self.outputs,
            [
                numpy_helper.from_array(array, name)
                for name, array in self.constants.items()
                if name in needed
            ],
        )


def to_onnx(model: CheckedModel, *, width_px: int, height_px: int) -> bytes:
    """Return the network as an ONNX file, with an input of this size (multiples of 32).

    Returns:
        The file's bytes: input `picture` (1, 3, height_px, width_px) float32, red-green-blue, 0 to 1; two
        outputs per `[yolo]` layer, in order: the objectness before its sigmoid, (1, boxes, rows, columns)
        float32, and the input of the convolution before it, (1, rows, columns, channels) float32.

    Raises:
        Misconfigured: The converter does not support a layer or one of its options.
    """
    graph = _Graph(model, width_px, height_px)
    for section in model.facts.sections[1:]:
        layer = _LAYERS.get(section.kind)
        if layer is None:
            raise _unknown(section, f"a [{section.kind}] layer")
        graph.values.append(layer(graph, section))
    made = helper.make_model(
        graph.without_what_no_output_needs(),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="frametally",
        producer_version=str(CONVERTER_VERSION),
    )
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def _unknown(section: Section, what: str) -> Exception:
    return section.error(
        f"{what} cannot be converted to ONNX; set FRAMETALLY_DETECTOR=opencv, which supports more layers"
    )


def _convolution(graph: _Graph, section: Section) -> _Value:
    before = graph.last
    filters, size = section.integer("filters", 1), section.integer("size", 1)
    stride, groups = section.integer("stride", 1), section.integer("groups", 1)
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
    if any(key in section.options for key in ("stride_x", "stride_y", "antialiasing", "share_index")):
        raise _unknown(section, "a convolution with stride_x, stride_y, antialiasing or share_index")
    if not stride:
        raise section.error("stride=0, which no convolution can have")
    normalised = section.integer("batch_normalize", 0)
    bias, *of_batches = (graph.weights.take(filters) for _ in range(4 if normalised else 1))
    kernel = graph.weights.take(filters, before.channels // groups, size, size)
    if normalised:
        scale, mean, variance = of_batches
        factor = scale / np.sqrt(variance + _BN_EPSILON)
        kernel, bias = kernel * factor[:, None, None, None], bias - mean * factor
    name = graph.node(
        "Conv",
        [before.name, graph.constant(kernel.astype(np.float32)), graph.constant(bias.astype(np.float32))],
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[padding] * 4,
        group=groups,
    )
    name = _activation(graph, section, name)
    return before.slid_over(name, filters, size=size, stride=stride, padding=2 * padding)


def _activation(graph: _Graph, section: Section, name: str) -> str:
    kind = section.options.get("activation", "linear")  # the default of OpenCV, the reference
    if kind == "linear":
        return name
    if kind == "leaky":
        return graph.node("LeakyRelu", [name], alpha=_LEAKY_SLOPE)
    if kind == "relu":
        return graph.node("Relu", [name])
    if kind == "logistic":
        return graph.node("Sigmoid", [name])
    if kind == "mish":  # x * tanh(ln(1 + e^x)), which is one operation only from ONNX's opset 18
        return graph.node("Mul", [name, graph.node("Tanh", [graph.node("Softplus", [name])])])
    raise _unknown(section, f"activation={kind}")


def _maxpool(graph: _Graph, section: Section) -> _Value:
    before = graph.last
    stride = section.integer("stride", 1)
    size = section.integer("size", stride)
    padding = section.integer("padding", size - 1)  # the sum of both edges
    if (
        not size
        or not stride
        or any(key in section.options for key in ("stride_x", "stride_y", "maxpool_depth", "antialiasing"))
    ):
        raise _unknown(section, "such a [maxpool]")
    near, far = padding // 2, padding - padding // 2
    name = graph.node(
        "MaxPool",
        [before.name],
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[near, near, far, far],
    )
    return before.slid_over(name, before.channels, size=size, stride=stride, padding=padding)


def _route(graph: _Graph, section: Section) -> _Value:
    parts = section.earlier("layers", graph.values)
    groups, group = section.integer("groups", 1), section.integer("group_id", 0)
    if len({part[2:] for part in parts}) != 1:
        raise section.error(f"layers={section.options['layers']} differ in size")
    if groups == 1:
        name = parts[0].name
        if len(parts) > 1:
            name = graph.node("Concat", [part.name for part in parts], axis=1)
        return parts[0]._replace(name=name, channels=sum(part.channels for part in parts))
    if len(parts) > 1:
        raise _unknown(section, "a [route] that takes groups of several layers")
    if group >= groups:
        raise section.error(f"group_id={group} of {groups} groups")
    channels = parts[0].channels // groups
    borders = [np.array([at], np.int64) for at in (group * channels, (group + 1) * channels, 1)]
    start, end, axis = (graph.constant(border) for border in borders)
    name = graph.node("Slice", [parts[0].name, start, end, axis])
    return parts[0]._replace(name=name, channels=channels)


def _shortcut(graph: _Graph, section: Section) -> _Value:
    before, others = graph.last, section.earlier("from", graph.values)
    if "weights_type" in section.options or any(other[1:] != before[1:] for other in others):
        raise _unknown(section, "a [shortcut] with weights, or between layers of different shapes,")
    name = before.name
    for other in others:
        name = graph.node("Add", [name, other.name])
    return before._replace(name=_activation(graph, section, name))


def _upsample(graph: _Graph, section: Section) -> _Value:
    before, stride = graph.last, section.integer("stride", 2)
    if not stride or "scale" in section.options:
        raise _unknown(section, "such an [upsample]")
    name = graph.node(
        "Resize",
        [before.name, "", graph.constant(np.array([1, 1, stride, stride], np.float32))],
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    return before._replace(name=name, height_px=before.height_px * stride, width_px=before.width_px * stride)


def _yolo(graph: _Graph, section: Section) -> _Value:
    before = graph.last
    number = len(graph.outputs) // 2
    if graph.heads[number] is None:
        raise _unknown(section, "a [yolo] layer that does not follow a linear 1x1 convolution")
    (convolution,) = (node for node in graph.nodes if node.output[0] == before.name)
    reads, kernel, bias = convolution.input
    columns = 5 + section.integer("classes", 20)
    objectness = graph.node(
        "Conv",
        [reads, *(graph.constant(graph.constants[name][4::columns]) for name in (kernel, bias))],
        kernel_shape=[1, 1],
    )
    boxes, channels = before.channels // columns, graph.constants[kernel].shape[1]
    graph.output(
        "Identity", objectness, f"objectness_{number}", [1, boxes, before.height_px, before.width_px]
    )
    graph.output(
        "Transpose",
        reads,
        f"features_{number}",
        [1, before.height_px, before.width_px, channels],
        perm=[0, 2, 3, 1],
    )
    return before


_LAYERS: dict[str, Callable[[_Graph, Section], _Value]] = {
    "convolutional": _convolution,
    "maxpool": _maxpool,
    "route": _route,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "dropout": lambda graph, _: graph.last,  # it has an effect only in training
    "yolo": _yolo,
}
