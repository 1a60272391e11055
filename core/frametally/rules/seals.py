"""Checksums and names of stored data: a reader notices a flipped bit and does not count it.

A sealed JSON object has as its last field `seal`: the CRC-32, as 8 hex digits, of all bytes before its comma.
"""

from __future__ import annotations

import hashlib
import re
import zlib

from frametally.errors import Poison

_SEAL = re.compile(rb',"seal":"([0-9a-f]{8})"\}')
_SEAL_BYTES = len(b',"seal":"00000000"}')


def name_of(inputs: str | bytes) -> str:
    """Return the name of what is made from some inputs: 16 hex of these."""
    return hashlib.sha256(inputs.encode() if isinstance(inputs, str) else inputs).hexdigest()[:16]


def sealed(text: bytes) -> bytes:
    """Add the seal to a JSON object without white space that has at least one field."""
    return b'%s,"seal":"%08x"}' % (text[:-1], zlib.crc32(text[:-1]))


def unsealed(text: bytes) -> bytes | None:
    """Return a JSON object without its seal, None if it has none: earlier releases wrote none.

    A seal that is damaged itself looks like none: of an object without a seal refuse every field that those
    releases did not write.

    Raises:
        Poison: The seal is that of other bytes.
    """
    seal = _SEAL.fullmatch(text[-_SEAL_BYTES:])
    if seal is None:
        return None
    fields = text[:-_SEAL_BYTES]
    check_crc32(zlib.crc32(fields), int(seal[1], 16))
    return fields + b"}"


def check_crc32(crc32: int, expected: int | None) -> None:
    """Compare the CRC-32 of bytes as they were read with that as they were stored, None if there was none.

    Raises:
        Poison: They are other bytes than were stored.
    """
    if expected is not None and crc32 != expected:
        raise Poison("damaged: its checksum does not match its bytes")
