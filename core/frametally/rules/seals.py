"""Seals and names stored data, so that readers detect flipped bits and do not count them.

The last field of a sealed JSON object is `seal`: the CRC-32, as 8 hex digits, of all bytes before its comma.
"""

from __future__ import annotations

import hashlib
import re
import zlib

from frametally.errors import BEFORE_FIRST_RELEASE, Poison

_SEAL = re.compile(rb',"seal":"([0-9a-f]{8})"\}')
_SEAL_BYTES = len(b',"seal":"00000000"}')


def name_of(inputs: str | bytes) -> str:
    """Return a name for the result of some inputs: 16 hex digits of their hash."""
    return hashlib.sha256(inputs.encode() if isinstance(inputs, str) else inputs).hexdigest()[:16]


def sealed(text: bytes) -> bytes:
    """Add the seal to a JSON object without white space that has at least one field."""
    return b'%s,"seal":"%08x"}' % (text[:-1], zlib.crc32(text[:-1]))


def unsealed(text: bytes) -> bytes:
    """Return a JSON object without its seal.

    Raises:
        Poison: There is no seal, or it does not match the bytes.
    """
    seal = _SEAL.fullmatch(text[-_SEAL_BYTES:])
    if seal is None:
        raise Poison(f"it has no checksum: it is damaged, or {BEFORE_FIRST_RELEASE}")
    fields = text[:-_SEAL_BYTES]
    check_crc32(zlib.crc32(fields), int(seal[1], 16))
    return fields + b"}"


def check_crc32(crc32: int, expected: int | None) -> None:
    """Compare the CRC-32 of bytes read with that of the bytes stored, which matches nothing if it is None.

    Raises:
        Poison: The bytes differ from those stored.
    """
    if crc32 != expected:
        raise Poison("damaged: its checksum does not match its bytes")
