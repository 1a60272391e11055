"""Defines the interface of a back-end that runs a network, and turns pictures into its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from frametally.files.opencv import Pixels, cv2

Outputs = Sequence[npt.NDArray[np.float32]]
"""A network's outputs for one picture, in the network's order."""

_NEARLY_BLACK, _BRIGHT = 16, 128

T = TypeVar("T")


class Network(Protocol):
    """A loaded network. Do not call `start` from several threads at once."""

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Run the network on one picture; return the result of `read` for its outputs, now or later.

        Waits while the back-end is processing as many pictures as it can. `picture` is (height, width, 3)
        uint8, blue-green-red, of the size of the network's input; it is not used after the return. `read` is
        called in any thread and must not keep the outputs, which are overwritten afterwards. Raises
        `Misconfigured` if the network cannot be run; the future may also hold this error, or one from `read`.
        """


def read_now(read: Callable[[Outputs], T], outputs: Outputs) -> Future[T]:
    """Return a completed future with the result of `read` for `outputs`, or with its exception."""
    future: Future[T] = Future()
    complete(future, read, outputs)
    return future


def complete(future: Future[T], read: Callable[[Outputs], T], outputs: Outputs) -> None:
    """Complete `future` with the result of `read` for `outputs`, or with its exception."""
    try:
        future.set_result(read(outputs))
    except Exception as error:
        future.set_exception(error)


Backend = Literal["opencv", "openvino", "onnxruntime"]
Resize = Literal["stretch", "letterbox"]

RESIZE_RULES: dict[Resize, str] = {"stretch": "stretch-linear-1", "letterbox": "letterbox-linear-1"}
"""Names of the rules of `fit`, changed whenever a rule changes a value; part of the model id."""

BRIGHTENING_RULE = "gain-and-blur-3x3-below-128-1"
"""Name of the rule of `brightened`; part of the model id of models that use it."""

DECODE_RULE = "jpeg-reduced-while-sides-suffice-1"
"""Name of the rule for decoding frames (`frametally.files.opencv.reduction_for`); part of the model id."""

BATCH_PICTURES = 8
"""How many pictures a GPU gets at a time; part of the model id on such devices."""


class Preparation(NamedTuple):
    """How pixels become a network's input; part of the model id.

    Attributes:
        resize: How `fit` resizes pictures.
        brightest: Value of the brightest pixel, 1 or 255.
        order: Order of the channels, and of `mean` and `std`.
        mean: Subtracted from the values of each channel.
        std: Divides them afterwards.
        corner: Position of a letterboxed picture in the input.
        fill: The grey around it.
        brightens_dark: Whether dark pictures are brightened first; see `brightened`.
    """

    resize: Resize
    brightest: float = 1.0
    order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    corner: Literal["middle", "top-left"] = "middle"
    fill: int = 114
    brightens_dark: bool = False


AS_DARKNET = Preparation("stretch")


class Fitted(NamedTuple):
    """A picture the size of a network's input.

    Attributes:
        picture: (height, width, 3) uint8, blue-green-red.
        left: Left border of the picture in the input, as a fraction of the input's width.
        top: Top border of the picture in the input, as a fraction of the input's height.
        width: Width of the picture in the input, as a fraction of the input's width.
        height: Height of the picture in the input, as a fraction of the input's height.
    """

    picture: Pixels
    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0


def fit(image: Pixels, *, input_px: tuple[int, int], preparation: Preparation) -> Fitted:
    """Return `image`, (height, width, 3) uint8 blue-green-red, resized to a network's input.

    `stretch` fills the input, as Darknet does; `letterbox` keeps the picture's proportions and fills the rest
    with grey, as most newer YOLO networks are trained.
    """
    if preparation.brightens_dark:
        image = brightened(image)
    image_height_px, image_width_px = image.shape[:2]
    width_px, height_px = input_px
    if preparation.resize == "stretch":
        return Fitted(_resized(image, width_px, height_px))
    scale = min(width_px / image_width_px, height_px / image_height_px)
    inner_width_px = min(width_px, max(1, round(image_width_px * scale)))
    inner_height_px = min(height_px, max(1, round(image_height_px * scale)))
    left_px, top_px = (width_px - inner_width_px) // 2, (height_px - inner_height_px) // 2
    if preparation.corner == "top-left":
        left_px = top_px = 0
    picture = np.full((height_px, width_px, 3), preparation.fill, dtype=np.uint8)
    picture[top_px : top_px + inner_height_px, left_px : left_px + inner_width_px] = _resized(
        image, inner_width_px, inner_height_px
    )
    return Fitted(
        picture,
        left=left_px / width_px,
        top=top_px / height_px,
        width=inner_width_px / width_px,
        height=inner_height_px / height_px,
    )


def brightened(image: Pixels) -> Pixels:
    """Return a dark `image`, (height, width, 3) uint8, slightly blurred and with lights of full brightness.

    Its lights are its 99.5th percentile. An image with brighter lights stays as it is, and so does a nearly
    black one, in which a network would see only noise.
    """
    lights = int(np.percentile(image[::4, ::4], 99.5))
    if not _NEARLY_BLACK <= lights < _BRIGHT:
        return image
    table = np.clip(np.arange(256) * (255 / lights), 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.GaussianBlur(image, (3, 3), 0), table), np.uint8)


def as_parts_of_the_image(rows: npt.NDArray[np.float32], fitted: Fitted) -> npt.NDArray[np.float32]:
    """Return `rows` with their boxes converted from fractions of the network's input to those of the image.

    Rows are (n, 4 or more) float32: centre x, centre y, width, height, and further columns.
    """
    if fitted[1:] == (0.0, 0.0, 1.0, 1.0):
        return rows
    moved = rows.copy()
    size = np.array([fitted.width, fitted.height], np.float32)
    moved[:, :2] = (rows[:, :2] - np.array([fitted.left, fitted.top], np.float32)) / size
    moved[:, 2:4] = rows[:, 2:4] / size
    return moved


def as_blob(picture: Pixels, preparation: Preparation = AS_DARKNET) -> npt.NDArray[np.float32]:
    """Return `picture` as a network's input: (1, 3, height, width) float32."""
    scale, swap = preparation.brightest / 255, preparation.order == "rgb"
    blob = np.asarray(
        cv2.dnn.blobFromImage(picture, scale, picture.shape[1::-1], swapRB=swap, crop=False), np.float32
    )
    for channel, (mean, std) in enumerate(zip(preparation.mean, preparation.std, strict=True)):
        if (mean, std) != (0.0, 1.0):
            blob[:, channel] = (blob[:, channel] - mean) / std
    return blob


def _resized(image: Pixels, width_px: int, height_px: int) -> Pixels:
    if image.shape[:2] == (height_px, width_px):
        return image
    return np.asarray(cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)
