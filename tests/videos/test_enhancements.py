"""What is asked of an enhancement: kept as it was meant and written in one way, or refused by its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally_videos.library.enhancements import (
    ENHANCEMENT_FIELDS,
    enhancement_of,
    enhancement_options,
    read_enhancement,
)
from frametally_videos.media_records import Enhancement
from frametally_videos.upload_refusals import FieldRefused

LIMITS = {
    "brightness": (-1, 1),
    "contrast": (0, 4),
    "gamma": (0.1, 10),
    "saturation": (0, 3),
    "denoise": (0, 1),
    "sharpen": (0, 1),
    "local_contrast": (0, 1),
    "fps": (1, 120),
}
ASKED = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.floats(least, most) for name, (least, most) in LIMITS.items()},
        "deinterlace": st.sampled_from(["auto", "on", "off"]),
    },
)


@given(ASKED)
def test_an_enhancement_comes_back_from_a_jobs_options_and_from_a_query(asked: dict[str, Any]) -> None:
    meant = read_enhancement(asked)
    assert enhancement_of(enhancement_options(meant)) == meant
    assert enhancement_of(json.dumps(asked)) == meant
    assert read_enhancement({name: str(value) for name, value in asked.items()}) == meant
    for name, value in asked.items():
        assert getattr(meant, name) == value


@given(ASKED, st.randoms(use_true_random=False))
def test_what_means_the_same_is_written_in_one_way(asked: dict[str, Any], order: Any) -> None:
    names = list(asked)
    order.shuffle(names)
    plain = Enhancement()
    written_out = {name: asked.get(name, getattr(plain, name)) for name in ENHANCEMENT_FIELDS}
    written = {
        enhancement_options(read_enhancement(said))
        for said in (asked, {name: asked[name] for name in names}, written_out)
    }
    assert len(written) == 1
    assert set(json.loads(written.pop())) == {
        name for name, value in asked.items() if value != getattr(plain, name)
    }


def test_nothing_asked_for_is_written_as_nothing() -> None:
    assert enhancement_options(Enhancement(brightness=-0.0, contrast=1)) == "{}"
    assert enhancement_of("") == enhancement_of("{}") == Enhancement()


@pytest.mark.parametrize(("field", "limits"), LIMITS.items())
def test_a_number_beyond_its_limits_is_refused_by_its_field(field: str, limits: tuple[float, float]) -> None:
    least, most = limits
    read_enhancement({field: least})
    read_enhancement({field: most})
    wrong_ones: list[object] = [least - 0.01, most + 0.01, "nan", float("inf"), "1;drop", True, [], 10**400]
    for wrong in (*wrong_ones, "1e999"):
        with pytest.raises(FieldRefused) as refused:
            read_enhancement({field: wrong})
        assert refused.value.field == field
        assert f"from {least:g} to {most:g}" in refused.value.reason


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ('{"upscale": 2}', "upscale"),
        ('{"deinterlace": "yadif=1"}', "deinterlace"),
        ('{"deinterlace": ["auto"]}', "deinterlace"),
        ("[]", "options"),
        ("brightness=1", "options"),
        ('{"gamma": NaN}', "options"),
    ],
)
def test_what_is_no_enhancement_is_refused_by_its_field(options: str, field: str) -> None:
    with pytest.raises(FieldRefused) as refused:
        enhancement_of(options)
    assert refused.value.field == field
    assert refused.value.remedy
