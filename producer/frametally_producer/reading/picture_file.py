"""Reading a picture: what its header says, and its pixels, upright."""

from __future__ import annotations

import datetime
import os
import re
import warnings
from io import BufferedReader
from typing import NamedTuple

from PIL import Image

from frametally.errors import Poison
from frametally.files.opencv import Pixels, decode_pixels
from frametally_producer.reading.pixels import UPRIGHT, upright

Image.MAX_IMAGE_PIXELS = None  # sizes are checked here, against the setting

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
# Uncompressed, 4 channels of 16 bits, and room for what else cameras write; more than that is no picture.
_MOST_BYTES_PER_PIXEL, _MOST_OTHER_BYTES = 8, 32 << 20

# EXIF tags (CIPA DC-008, 4.6).
_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL, _SUB_SEC_TIME_ORIGINAL = 0x9003, 0x9011, 0x9291


class PictureHeader(NamedTuple):
    """What a picture's header says.

    Attributes:
        width_px: Width as stored, before the picture is turned upright.
        height_px: Height as stored.
        orientation: EXIF orientation that is left to apply after decoding, 1 to 8.
        recorded: EXIF DateTimeOriginal with its fraction of a second and, if given, its offset (else naive).
    """

    width_px: int
    height_px: int
    orientation: int
    recorded: datetime.datetime | None


def read_header(file: BufferedReader, *, max_pixels: int) -> PictureHeader:
    """Read the header of the picture in `file`; no pixel is decoded.

    Raises:
        Poison: No picture, one with more than `max_pixels`, or a file far larger than its pixels can be.
    """
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged EXIF
        try:
            picture = Image.open(file, formats=_FORMATS)
        except MemoryError:
            raise
        except Exception as error:  # a parser before hostile bytes: whatever it raises, the picture is bad
            raise Poison(
                "is no picture (JPEG, PNG, WebP, BMP and TIFF are read), or a damaged one; "
                "copy it again from its origin"
            ) from error
        width_px, height_px = picture.size
        if width_px * height_px > max_pixels:
            raise Poison(
                f"has {width_px}x{height_px} pixels, {max_pixels // 1_000_000} million are allowed; "
                f"shrink it, or raise FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
            )
        most_bytes = width_px * height_px * _MOST_BYTES_PER_PIXEL + _MOST_OTHER_BYTES
        if size_bytes > most_bytes:
            raise Poison(f"is larger than a picture of {width_px}x{height_px} pixels can be; export it again")
        orientation, recorded = _read_exif(picture)
    # OpenCV turns a TIFF while decoding it, whatever it is asked.
    return PictureHeader(width_px, height_px, UPRIGHT if picture.format == "TIFF" else orientation, recorded)


def read_pixels(file: BufferedReader, header: PictureHeader) -> Pixels:
    """Decode the picture, upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

    Raises:
        Poison: Cut short or damaged, or a JPEG that would take too long.
    """
    file.seek(0)
    try:
        pixels = decode_pixels(file.read())
    except Poison as error:
        raise Poison(f"{error}; copy it again from its origin") from error
    return upright(pixels, header.orientation)


def _read_exif(picture: Image.Image) -> tuple[int, datetime.datetime | None]:
    """Read orientation and time of recording; damaged EXIF is none."""
    if picture.format == "PNG" and "exif" not in picture.info:
        return UPRIGHT, None  # Pillow would decode all pixels to look for it behind them
    try:
        exif = picture.getexif()
        details = exif.get_ifd(_EXIF_IFD)
        orientation = exif.get(_ORIENTATION, UPRIGHT)
    except Exception:  # as above
        return UPRIGHT, None
    recorded = _moment(
        details.get(_DATE_TIME_ORIGINAL),
        details.get(_OFFSET_TIME_ORIGINAL),
        details.get(_SUB_SEC_TIME_ORIGINAL),
    )
    return (orientation if isinstance(orientation, int) else UPRIGHT), recorded


def _moment(date_time: object, offset: object, fraction: object) -> datetime.datetime | None:
    """Return a time as EXIF writes it: `YYYY:MM:DD HH:MM:SS`, `+HH:MM`, digits after the decimal point."""
    match = re.fullmatch(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)", _text(date_time))
    if match is None:
        return None
    year, month, day, time_of_day = match.groups()
    digits = re.match(r"\d{0,6}", _text(fraction), re.ASCII)
    zone = re.fullmatch(r"[+-]\d\d:\d\d|Z", _text(offset), re.ASCII)
    microseconds = (digits.group() if digits else "").ljust(6, "0")
    try:
        return datetime.datetime.fromisoformat(
            f"{year}-{month}-{day}T{time_of_day}.{microseconds}{zone.group() if zone else ''}"
        )
    except ValueError:  # such as 0000:00:00, which stands for "not known"
        return None


def _text(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""
