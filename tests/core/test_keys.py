"""Keys are built in one place, and nothing that a message or a user says becomes one unchecked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally import keys
from frametally.errors import Poison


@given(st.text())
def test_any_name_becomes_a_slug_that_is_safe_in_keys_and_stays_itself(name: str) -> None:
    slug = keys.slug(name)
    assert slug
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(slug) <= 63
    assert keys.slug(slug) == slug
    assert keys.check_image_key(keys.image_key(slug, 1, "0" * 64, 0))


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Gate 3 / North", "gate-3-north"), ("Zürich_HB", "zurich_hb"), ("../../etc", "etc"), ("", "source")],
)
def test_a_slug_reads_like_its_name(name: str, slug: str) -> None:
    assert keys.slug(name) == slug


def test_names_without_latin_letters_stay_apart() -> None:
    assert keys.slug("北门") != keys.slug("南门")


@given(st.integers(min_value=-10_000_000_000, max_value=4_102_444_800_000), st.integers(0, 10**9))
def test_an_image_key_of_any_time_passes_its_own_check(captured_at_ms: int, index: int) -> None:
    key = keys.image_key("cam", captured_at_ms, "0123456789ab" * 5 + "0000", index)
    assert keys.check_image_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "images/cam/2026-01-01/../../../secret.jpg",
        "/etc/passwd",
        "images/cam/2026-01-01/1-0123456789ab-0.jpg\n",
        "images/../2026-01-01/1-0123456789ab-0.jpg",
        "media/0123.json",
        "images/Cam/2026-01-01/1-0123456789ab-0.jpg",
    ],
)
def test_anything_else_is_no_image_key(key: str) -> None:
    with pytest.raises(Poison):
        keys.check_image_key(key)


def test_a_segment_key_says_where_it_belongs_and_sorts_by_offset() -> None:
    small = keys.segment_key("m-1", "log", "my-topic", 12, 99)
    large = keys.segment_key("m-1", "log", "my-topic", 12, 100)
    assert small < large
    assert keys.parse_segment_key(large) == ("metadata/model=m-1/log=log", "my-topic", 12, 100)
    assert keys.parse_segment_key("metadata/model=m-1/log=log/x.txt") is None
