"""Patterns name the time and the camera that recorders write into paths, and nothing else."""

from __future__ import annotations

import datetime
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.rules.time_patterns import TimePattern


def named(pattern: str, path: str) -> tuple[str, str] | None:
    found = TimePattern(pattern).match(Path(path))
    return None if found is None else (found.moment.isoformat(), found.source)


@pytest.mark.parametrize(
    ("pattern", "path", "moment", "source"),
    [
        ("cam_%Y%m%d_%H%M%S", "cam_20260501_081500.mp4", "2026-05-01T08:15:00", ""),
        ("CAM_%Y%m%d", "any/cam_20260501.MP4", "2026-05-01T00:00:00", ""),
        # Frigate, Yi, Aqara, Dahua, UniFi, Tapo, and typical names in download folders.
        (
            "%Y-%m-%d/%H/{source}/%M.%S",
            "r/2024-01-26/18/front_door/59.50.mp4",
            "2024-01-26T18:59:50",
            "front_door",
        ),
        ("%YY%mM%dD%HH/%MM%SS*", "2022Y04M12D18H/09M00S60.mp4", "2022-04-12T18:09:00", ""),
        ("%Y%m%d/%H%M%S", "20260314/173154.mp4", "2026-03-14T17:31:54", ""),
        (
            "%Y-%m-%d/*/dav/*/%H.%M.%S-*",
            "2026-05-01/001/dav/18/18.09.00-18.10.00[M][0@0][0].mp4",
            "2026-05-01T18:09:00",
            "",
        ),
        (
            "{source} - %m-%d-%Y, %I.%M.%S%p",
            "Front Door - 2-9-2020, 11.21.12pm.mp4",
            "2020-02-09T23:21:12",
            "Front Door",
        ),
        ("%s-*", "1706108297-1706108310.mp4", "2024-01-24T14:58:17+00:00", ""),
        ("*%s", "cam1_1706108300.mp4", "2024-01-24T14:58:20+00:00", ""),
        ("{source}_%s%f", "cam_1706108297123.mp4", "2024-01-24T14:58:17.123000+00:00", "cam"),
        ("gate_%Y%m%d%H%M%S_*", "gate_20260501080000_20260501090000.mp4", "2026-05-01T08:00:00", ""),
        ("*_%Y%m%d%H%M%S*", "gate_20260501080000_20260501090000.mp4", "2026-05-01T08:00:00", ""),
        ("gate_%Y%m%d_%H%M%S*", "gate_20260501_081500 (1).mp4", "2026-05-01T08:15:00", ""),
        ("PXL_%Y%m%d_%H%M%S%f", "PXL_20260501_120000250.mp4", "2026-05-01T12:00:00.250000", ""),
        ("%Y%m%dT%H%M%S%z", "20260504T101112+0200.mp4", "2026-05-04T10:11:12+02:00", ""),
        ("%j of %Y", "032 of 2026.mp4", "2026-02-01T00:00:00", ""),
        ("%d %B %Y", "1 may 2026.mp4", "2026-05-01T00:00:00", ""),
        # All other characters match themselves, including special ones of regular expressions and paths.
        ("100%%[a-z].(b)?_%Y%m%d", "100%[a-z].(b)?_20260501.mp4", "2026-05-01T00:00:00", ""),
        ("a+^$|\\d_%Y%m%d", "a+^$|\\d_20260501.mp4", "2026-05-01T00:00:00", ""),
        ("caf\u00e9_%Y%m%d", "cafe\u0301_20260501.mp4", "2026-05-01T00:00:00", ""),
        ("{source}_%Y%m%d", "front_door_20260501.mp4", "2026-05-01T00:00:00", "front_door"),
        ("{source}%Y%m%d", "cam120260501.mp4", "2026-05-01T00:00:00", "cam1"),
        ("{source}/%Y%m%d", "r/x/../gate/20260501.mp4", "2026-05-01T00:00:00", "gate"),
        ("{source}/%Y%m%d", "r/b\udcff/20260501.mp4", "2026-05-01T00:00:00", "b\udcff"),
    ],
)
def test_a_pattern_reads_the_names_that_recorders_give(
    pattern: str, path: str, moment: str, source: str
) -> None:
    assert named(pattern, path) == (moment, source)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("cam_%Y%m%d", "cam_20260501_b.mp4"),
        ("cam_%Y%m%d", "a_cam_20260501.mp4"),
        ("cam_%Y%m%d", "cam_20260231.mp4"),
        ("cam_%Y%m%d_%H", "cam_20260501_24.mp4"),
        ("cam.%Y%m%d", "cam_20260501.mp4"),
        ("[ab]_%Y%m%d", "a_20260501.mp4"),
        ("%Y-%m-%d/{source}/%H", "/2026-05-01/gate/x/08.mp4"),
        ("a/b/c/d/e/f/g/h/i/j/%Y%m%d", "20260501.mp4"),
        ("*/*/%Y%m%d", "/20260501.mp4"),
        ("*/%s", "/r/17061082971234.mp4"),
        ("*%s", "17061082971234.mp4"),
    ],
)
def test_a_name_that_does_not_match_in_whole_parts_gives_no_time(pattern: str, path: str) -> None:
    assert named(pattern, path) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("gate_%Y%m%d_%Y%m%d", "%Y twice; write \\* for one of them"),
        ("%Y%m%d/{source}/{source}", "{source} twice"),
        ("gate_%H%M%S", "year, month and day"),
        ("%Y%m", "year, month and day"),
        ("%m%d", "year, month and day"),
        ("gate", "year, month and day"),
        ("%Q%Y%m%d", "%Q is not known"),
        ("%Y%m%d%", "%% for a percent sign"),
        ("%Y%m%d_%Z", "%Z is not known"),
        ("%Y-%m-%d/{source}/%M.%S", "%M says nothing without %H or %I"),
        ("%Y%m%d_%I%M", "%I says nothing without %p"),
        ("%Y%m%d_%H%M%p", "%p says nothing without %I"),
        ("%Y%m%d%y", "both %Y and %y"),
        ("%s_%Y", "both %Y and %s"),
        ("%s_%H", "whole time already"),
        ("{camera}_%Y%m%d", "only {source} has braces"),
        ("{}_%Y%m%d", "only {source} has braces"),
        ("*{source}_%Y%m%d", "nothing separates"),
        ("{source}*_%Y%m%d", "nothing separates"),
        ("*a*b*c*_%Y%m%d", "at most 3"),
    ],
)
def test_a_misleading_pattern_is_refused_with_the_remedy(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TimePattern(pattern)


_FIRST = datetime.datetime.fromisoformat("1990-01-01")
_SECONDS = 78 * 365 * 86_400
_MOMENTS = st.integers(0, _SECONDS).map(lambda seconds: _FIRST + datetime.timedelta(seconds=seconds))
_TEXT = st.text(string.ascii_letters + "[](){}^$.|+?\\-_ #&@!'\"" + "äé\u4e2d", max_size=8).filter(
    lambda text: "{" not in text or "}" not in text
)


@given(
    moment=_MOMENTS,
    form=st.sampled_from(
        ["%Y%m%d_%H%M%S", "%Y-%m-%d/%H/%M.%S", "%d.%m.%y %H-%M-%S", "%j-%Y/%H%M%S", "%b %d %Y %I_%M_%S %p"]
    ),
    before=_TEXT,
    after=_TEXT,
    folder=st.text(string.ascii_lowercase, min_size=1, max_size=5),
)
def test_a_pattern_reads_what_it_writes(
    moment: datetime.datetime, form: str, before: str, after: str, folder: str
) -> None:
    text = moment.strftime(form)
    for pattern, name in (
        (f"{before}{form}{after}", f"{before}{text}{after}"),
        (f"{{source}}/x{form}_*", f"{folder}/x{text}_{after}"),
    ):
        found = TimePattern(pattern).match(Path("/r") / f"{name}.mp4")
        assert found.moment == moment
        assert found.source == (folder if "source" in pattern else "")


@given(pattern=st.text(string.printable + "%%%%YmdHMSfsz*{}/", max_size=30), name=st.text(max_size=30))
def test_any_text_is_a_pattern_or_is_refused_in_words(pattern: str, name: str) -> None:
    try:
        parsed = TimePattern(pattern)
    except ValueError as error:
        assert str(error)
    else:
        parsed.match(Path(name.replace("\0", "") or "x"))
