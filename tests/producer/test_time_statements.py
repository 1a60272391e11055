"""Times are read wherever a file states them, in every form that cameras write."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational
from tests.producer.conftest import FILE_DATE_S, Bench

from frametally_producer.reading.event_time import iso
from frametally_producer.reading.time_statements import container_statements, read_moment

ORIGINAL, DIGITIZED, DATE_TIME = 0x9003, 0x9004, 0x0132
OFFSET, OFFSET_ORIGINAL, FRACTION, FRACTION_ORIGINAL = 0x9010, 0x9011, 0x9290, 0x9291
T = "2026:05:01 08:00:00"
UNKNOWN = "    :  :     :  :  "
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description %s/></x:xmpmeta>'

Ifds = tuple[dict[int, Any], dict[int, Any], dict[int, Any]]
EIGHT = "2026-05-01T08:00:00.000Z"
PICTURES: list[tuple[str, Ifds, str, bool]] = [
    ("date time alone", ({DATE_TIME: T}, {}, {}), EIGHT, True),
    ("digitized alone", ({}, {DIGITIZED: T}, {}), EIGHT, False),
    ("original before the others", ({DATE_TIME: "2027:01:01 00:00:00"}, {ORIGINAL: T}, {}), EIGHT, False),
    ("digitized before an edit", ({DATE_TIME: "2027:01:01 00:00:00"}, {DIGITIZED: T}, {}), EIGHT, False),
    ("an unknown original", ({DATE_TIME: T}, {ORIGINAL: UNKNOWN}, {}), EIGHT, True),
    ("zeros", ({DATE_TIME: T}, {ORIGINAL: "0000:00:00 00:00:00"}, {}), EIGHT, True),
    ("an unset clock", ({DATE_TIME: T}, {ORIGINAL: "1970:01:01 00:00:07"}, {}), EIGHT, True),
    ("GPS", ({}, {}, {29: "2026:05:01", 7: (8.0, 0.0, 0.0)}), EIGHT, False),
    ("GPS with decimals", ({}, {}, {29: "2026:05:01", 7: (7.0, 59.5, 30.4)}), EIGHT, False),
    ("GPS without a fix", ({}, {ORIGINAL: T}, {29: "2026:05:01", 7: (IFDRational(0, 0),) * 3}), EIGHT, False),
    ("an offset alone", ({OFFSET: "+02:00"}, {ORIGINAL: "2026:05:01 10:00:00"}, {}), EIGHT, False),
    ("short", ({}, {ORIGINAL: "2026:05:01 10:00:00", OFFSET_ORIGINAL: "+2:00"}, {}), EIGHT, False),
    ("no colon", ({}, {ORIGINAL: "2026:05:01 10:00:00", OFFSET_ORIGINAL: "+0200"}, {}), EIGHT, False),
    ("a fraction", ({}, {ORIGINAL: T, FRACTION: "50"}, {}), "2026-05-01T08:00:00.500Z", False),
    # An editor in Tokyo states its offset for its own time.
    (
        "of the edit",
        ({DATE_TIME: "2027:01:01 00:00:00"}, {ORIGINAL: T, OFFSET: "+09:00", FRACTION: "9"}, {}),
        EIGHT,
        False,
    ),
]


def save(path: Path, ifds: Ifds = ({}, {}, {}), **options: Any) -> Path:
    base, details, gps = ifds
    exif = Image.Exif()
    exif[0x0110] = "a camera"  # Pillow writes no EXIF without a tag at the top
    exif.update(base)
    exif.get_ifd(0x8769).update(details)
    exif.get_ifd(0x8825).update(gps)
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(path, exif=exif, **options)
    os.utime(path, (FILE_DATE_S, FILE_DATE_S))
    return path


def times(bench: Bench, folder: Path) -> dict[str, str]:
    """The time at which each file of a folder counts, by the stem of its name."""
    stems = {hashlib.sha256(path.read_bytes()).hexdigest(): path.stem for path in folder.iterdir()}
    at = {one.image_path.split("-")[-2]: iso(one.captured_at_ms) for one in bench.log.announcements}
    return {stem: at[sha256[:32]] for sha256, stem in stems.items()}


def test_pictures_count_at_the_best_time_in_their_exif(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "trap"
    folder.mkdir()
    for name, ifds, _, _ in PICTURES:
        save(folder / f"{name}.jpg", ifds)
    notices = bench.produce(folder).notices
    assert times(bench, folder) == {name: time for name, _, time, _ in PICTURES}
    [edit] = [line for line in notices if "EXIF DateTime," in line]
    doubts = sum(is_doubtful for *_, is_doubtful in PICTURES)
    assert f"({doubts - 1} more like this)" in edit
    assert not [line for line in notices if "modification date" in line]


@pytest.mark.thorough
def test_tiff_png_text_and_xmp_can_state_a_time_too(bench: Bench, tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Creation Time", "Fri, 01 May 2026 09:00:00 +0100")
    xmp = XMP % 'xmp:CreateDate="2027-01-01T00:00:00Z" exif:DateTimeOriginal="2026-05-01T08:00:00Z"'
    for path in (
        save(tmp_path / "a.tif", ({DATE_TIME: T}, {}, {})),
        save(tmp_path / "b.png", pnginfo=text),
        save(tmp_path / "c.jpg", xmp=xmp.encode()),
    ):
        bench.produce(path, source=path.stem)
    assert [iso(one.captured_at_ms) for one in bench.log.announcements] == [EIGHT] * 3
    assert {one.time_source for one in bench.log.announcements} == {"exif"}


def test_gps_contradicts_a_camera_in_local_time_and_a_line_names_the_zone(
    bench: Bench, tmp_path: Path
) -> None:
    gps = {29: "2026:05:01", 7: (6.0, 0.0, 0.0)}
    save(tmp_path / "a.jpg", ({}, {ORIGINAL: T}, gps))
    [line] = [line for line in bench.produce(tmp_path).notices if "no time zone" not in line]
    assert iso(bench.log.announcements[0].captured_at_ms) == EIGHT
    assert "the GPS says 2026-05-01T06:00:00.000Z" in line
    assert "check the time zone (--timezone)" in line


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01 08:00:00", "2026-05-01T08:00:00"),
        ("2026/5/1 8:00", "2026-05-01T08:00:00"),
        ("2026:05:01T08:00:00.25Z", "2026-05-01T08:00:00.250000+00:00"),
        ("2026.05.01 08:00:00,5 -0330", "2026-05-01T08:00:00.500000-03:30"),
        ("2026:04:30 24:00:00", "2026-05-01T00:00:00"),
        ("2016:12:31 23:59:60", "2017-01-01T00:00:00"),
        ("2026-05-01T08:00:00.123456789+02:00", "2026-05-01T08:00:00.123456+02:00"),
        *((text, None) for text in ("", "2026", "2026-05-01", "2026:05:01 24:00:01", "2026:05:01 08:60:00")),
        *(
            (text, None)
            for text in ("2026:05:01 08:00:61", "2026:05:01 08:00:00 noon", "2026:13:01 08:00:00")
        ),
        *((text, None) for text in ("9999:12:31 24:00:00", "2026:05:01 08:00:00+24:00", "Fri, 99 May 2026")),
        ("\uff12\uff10\uff12\uff16:05:01 08:00:00", None),
    ],
)
def test_exactly_the_time_formats_that_cameras_write_are_read(text: str, moment: str | None) -> None:
    read = read_moment(text)
    assert (read.isoformat() if read else None) == moment


def test_videos_count_at_their_containers_date(bench: Bench) -> None:
    for number, (name, metadata) in enumerate(
        (
            ("a.mp4", {"date": "2026-07-01T14:00:00+02:00"}),
            ("b.mkv", {"DATE_RECORDED": "2026-07-01T14:00:00+02:00"}),
            ("c.avi", {"date": "2026-07-01 12:00:00"}),
        )
    ):
        bench.produce(bench.video(name, 5 + number, metadata=metadata), source=name)
    assert {iso(one.start_ms or 0) for one in bench.manifests()} == {"2026-07-01T12:00:00.000Z"}
    assert {one.time_source for one in bench.manifests()} == {"container"}


def test_a_date_without_a_time_of_day_gives_no_time_and_contradicts_none() -> None:
    [year] = container_statements({"date": "2026"})
    assert year.moment is None
    made = {"creation_time": "2026-07-01T12:00:00Z", "date": "2019-01-01T00:00:00Z"}
    assert [one.kind for one in container_statements(made)] == ["container"]
