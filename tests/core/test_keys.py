"""Keys are built in one place, and no text from a message or a user becomes one unchecked."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally import keys
from frametally.errors import Poison


@given(st.text())
def test_any_name_becomes_a_slug_that_is_safe_in_keys_and_stable(name: str) -> None:
    slug = keys.slug(name)
    assert slug
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(slug) <= 63
    assert keys.slug(slug) == slug
    assert keys.check_image_key(keys.image_key(slug, 1, "0" * 64, 0))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Gate 3", "gate-3"),
        ("gate_3-North", "gate_3-north"),
        ("", "source"),
        ("Gate 3 / North", "gate-3-north-4d77ad8c"),
        ("Zürich_HB", "zurich_hb-aeeda110"),
        ("../../etc", "etc-74ccf3c5"),
        ("北門1", "1-b76da891"),
        ("北門", "source-d8d65577"),
    ],
)
def test_a_slug_reads_like_its_name_and_ends_in_a_hash_where_it_loses_letters(name: str, slug: str) -> None:
    assert keys.slug(name) == slug


def meant(name: str) -> str:
    """What identifies a source: its whole name without case, with hyphens for spaces."""
    return "-".join(unicodedata.normalize("NFC", name).lower().split()) or "source"


ALIKE = st.lists(st.sampled_from("aAé/1 -_北門南.\udce9"), max_size=4).map("".join)
LONG = st.tuples(st.sampled_from(["x" * 60, "カメラ玄関前の道路" * 8]), ALIKE).map("".join)


@pytest.mark.thorough
@given(st.lists(ALIKE | LONG | st.text(), min_size=2, max_size=40))
def test_two_names_share_a_slug_only_if_they_differ_by_case_or_hyphens_for_spaces(names: list[str]) -> None:
    slugs: dict[str, set[str]] = {}
    for name in names:
        slugs.setdefault(keys.slug(name), set()).add(meant(name))
    for slug, of_slug in slugs.items():
        assert len(of_slug - {slug}) <= 1, of_slug


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Gate 1", "gate-1"),
        ("GATE", "gate"),
        (" gate ", "gate"),
        ("Zu\u0308rich", "Zürich"),
        ("ВХОД 7", "вход-7"),
    ],
)
def test_a_name_typed_differently_is_the_same_source(one: str, other: str) -> None:
    assert keys.slug(one) == keys.slug(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("北門1", "南門1"),
        ("Камера вход 7", "Гараж 7"),
        ("カメラ玄関前の道路・北", "カメラ玄関前の道路・南"),
        ("Deck -1", "Deck 1"),
        ("x" * 63 + "a", "x" * 63 + "b"),
        ("C+", "C-"),
    ],
)
def test_names_whose_slugs_would_lose_letters_stay_apart(one: str, other: str) -> None:
    assert keys.slug(one) != keys.slug(other)


@given(st.integers(min_value=-10_000_000_000, max_value=4_102_444_800_000), st.integers(0, 10**9))
def test_an_image_key_of_any_time_is_valid(captured_at_ms: int, index: int) -> None:
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
def test_no_other_text_is_an_image_key(key: str) -> None:
    with pytest.raises(Poison):
        keys.check_image_key(key)


def test_a_segment_key_says_where_it_belongs_and_sorts_by_offset() -> None:
    small = keys.segment_key("m-1", "log", "my-topic", 12, 99)
    large = keys.segment_key("m-1", "log", "my-topic", 12, 100)
    assert small < large
    assert keys.parse_segment_key(large) == ("metadata/model=m-1/log=log", "my-topic", 12, 100)
    assert keys.parse_segment_key("metadata/model=m-1/log=log/x.txt") is None
