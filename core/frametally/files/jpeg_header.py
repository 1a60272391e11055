"""What a JPEG's header says: without OpenCV, which not every stage has."""

from __future__ import annotations

from frametally.errors import Poison

_START_OF_IMAGE = b"\xff\xd8"
_NO_LENGTH = {0x01, *range(0xD0, 0xD8)}  # TEM and the restart markers stand alone
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the range
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def jpeg_size_px(data: bytes) -> tuple[int, int]:
    """Return `(width, height)` in pixels by a JPEG's header (ITU-T T.81, B.2.2); nothing is decoded.

    Raises:
        Poison: Not a JPEG, or one whose header is damaged.
    """
    if not data:
        raise Poison("the picture is empty (0 bytes)")
    if data[:2] != _START_OF_IMAGE:
        raise Poison("the picture is not a JPEG")
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        elif marker in _START_OF_FRAME:
            height, width = (int.from_bytes(data[at : at + 2]) for at in (position + 5, position + 7))
            if len(data) < position + 9 or not width or not height:
                break
            return width, height
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    raise Poison("the JPEG's header is damaged")
