"""The text of a PDF from Chromium with its positions: what a reader sees, and in which row."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NUMBER = rb"(-?[0-9.]+)"
_OPERATION = re.compile(
    rb"\n(?:(q|Q|ET)|/X(\d+) Do|"
    + rb" ".join([_NUMBER] * 6)
    + rb" (cm|Tm)|/F(\d+) "
    + _NUMBER
    + rb" Tf|(?:"
    + _NUMBER
    + rb" "
    + _NUMBER
    + rb" Td )?<([0-9A-F]+)> Tj)(?=\n)"
)

Matrix = tuple[float, ...]
_HERE: Matrix = (1, 0, 0, 1, 0, 0)


class Words(NamedTuple):
    """Words of one group; lengths in points, `y` of their base line from the foot of the page."""

    page: int
    x: float
    end_x: float
    y: float
    height: float
    text: str

    def is_over(self, other: Words) -> bool:
        """Whether both are printed at one place."""
        lower, higher = sorted((self, other), key=lambda one: one.y)
        return (
            self.page == other.page
            and min(self.end_x, other.end_x) - max(self.x, other.x) > 1
            and higher.y - lower.y < 0.6 * lower.height
        )


def words_of(pdf: bytes) -> list[Words]:
    """Return all words, page by page."""
    objects = {int(n): body for n, body in re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    [root] = [body for body in objects.values() if b"/Type /Pages" in body and b"/Parent" not in body]
    return [
        words
        for number, page in enumerate(_pages(root, objects), start=1)
        for words in _words(number, _stream(objects[_reference(page, b"/Contents")]), objects)
    ]


def _pages(body: bytes, objects: dict[int, bytes]) -> Iterator[bytes]:
    """Walk the tree of pages in order."""
    if b"/Contents" in body:
        yield body
    elif kids := re.search(rb"/Kids \[([^]]*)\]", body):
        for number in re.findall(rb"(\d+) 0 R", kids[1]):
            yield from _pages(objects[int(number)], objects)


def rows_of(words: list[Words]) -> list[str]:
    """Return the texts on one line, from left to right."""
    lines: dict[tuple[int, int], list[Words]] = {}
    for one in words:
        lines.setdefault((one.page, -round(one.y)), []).append(one)
    return [
        " ".join(one.text for one in sorted(line, key=lambda one: one.x)) for _, line in sorted(lines.items())
    ]


def _words(page: int, content: bytes, objects: dict[int, bytes], place: Matrix = _HERE) -> Iterator[Words]:
    places: list[Matrix] = []
    line, size, x, letters = place, 0.0, 0.0, ""
    known: dict[bytes, str] = {}
    for found in _OPERATION.finditer(content):
        sign, part, *numbers, matrix, font, height, step, _, glyphs = found.groups()
        if sign == b"q":
            places.append(place)
        elif sign == b"Q":
            place = places.pop()
        elif part and b"/Subtype /Form" in objects[int(part)]:
            form = objects[int(part)]
            own = re.search(rb"/Matrix \[([^]]+)\]", form)
            there = _product(own[1].split(), place) if own else place
            yield from _words(page, _stream(form), objects, there)
        elif matrix == b"cm":
            place = _product(numbers, place)
        elif matrix == b"Tm":
            line, x, letters = _product(numbers, place), 0.0, ""
        elif font:
            size, known = float(height), _letters(objects, int(font))
        elif glyphs:
            x += float(step or 0)
            letters += "".join(known.get(glyphs[at : at + 4], "?") for at in range(0, len(glyphs), 4))
        elif sign == b"ET" and letters.strip():
            text = unicodedata.normalize("NFKC", letters).strip()
            yield Words(page, line[4], line[4] + x * line[0], line[5], size * abs(line[3]), text)


def _letters(objects: dict[int, bytes], font: int) -> dict[bytes, str]:
    """Return what each glyph of a font is."""
    table = _stream(objects[_reference(objects[font], b"/ToUnicode")])
    known = {}
    for first, last, letter in re.findall(rb"<(\w{4})> (?:<(\w{4})> )?<(\w{4})>\n", table):
        for n in range(int(last or first, 16) - int(first, 16) + 1):
            known[b"%04X" % (int(first, 16) + n)] = chr(int(letter, 16) + n)
    return known


def _reference(body: bytes, name: bytes) -> int:
    found = re.search(name + rb" (\d+) 0 R", body)
    assert found is not None, (name, body[:200])
    return int(found[1])


def _stream(body: bytes) -> bytes:
    head, _, data = body.partition(b"stream\n")
    return b"\n" + (zlib.decompressobj().decompress(data) if b"/FlateDecode" in head else data)


def _product(inner: Iterable[bytes], outer: Matrix) -> Matrix:
    a, b, c, d, e, f = map(float, inner)
    oa, ob, oc, od, oe, of = outer
    return (
        *(a * oa + b * oc, a * ob + b * od),
        *(c * oa + d * oc, c * ob + d * od),
        *(e * oa + f * oc + oe, e * ob + f * od + of),
    )
