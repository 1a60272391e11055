"""`frametally privacy`, as a person uses it: rules, and one clear message for each mistake."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.capabilities import needs
from tests.commands import line_of
from tests.examples import first_quick
from tests.fakes.records import make_manifest
from tests.privacy.screened import opened, ruled

from frametally import keys
from frametally.media.mending import MediumRenamed
from frametally.plugins import hooks
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally_privacy.hooks import of_source
from frametally_privacy.policy import PrivacyRule, read_policy

Answered = Callable[..., str]
MASK = "0,0 0.5,0 0.5,0.5"


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answered:
    """Run a command in a folder with footage of `gate`; return its output."""
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    with opened(tmp_path) as ports:
        manifest = make_manifest(1, source="gate")
        ports.store.put(manifest.key, encode(manifest))

    return partial(line_of, "privacy")


def test_a_rule_is_set_shown_replaced_and_removed_and_each_change_has_a_version(
    answered: Answered, tmp_path: Path
) -> None:
    assert "stored as they are" in answered("show")
    assert "gate: 1 mask; original videos are deleted (policy version 1)" in answered(
        "set", "--source", "gate", "--mask", "0,0 960,0 960,540", "--size", "1920x1080"
    )
    answered("set", "--mask", MASK, "--mask", MASK, "--originals", "blur")
    told = answered("show")
    assert "gate (version 1): 1 mask" in told
    assert "all other sources (version 2): 2 masks; original videos are replaced by a blurred" in told
    body = json.loads(answered("show", "--json"))
    assert [rule["masks"] for rule in body["rules"]][1] == [[[0, 0], [0.5, 0], [0.5, 0.5]]]
    with opened(tmp_path) as ports:
        assert list(of_source(ports.settings, "gate")) == ["privacy rule 1"]
    assert "1 rule left" in answered("remove", "--source", "gate")
    answered("remove")
    with opened(tmp_path) as ports:
        policy = read_policy(ports.store)
    assert (policy.version, policy.rules) == (4, ())


def test_a_renamed_source_keeps_its_rule_and_one_that_takes_over_footage_keeps_its_own(
    answered: Answered, tmp_path: Path
) -> None:
    answered("set", "--source", "gate", "--mask", MASK)
    answered("set", "--source", "dock", "--new-source", "--mask", "0,0 1,0 1,1")
    with opened(tmp_path) as ports:
        gate = make_manifest(1, source="gate")
        for new, is_new in (("street", False), ("dock", True), ("yard", True), ("yard", True)):
            for prepare in hooks("changing"):
                prepare(ports, MediumRenamed(gate, new, new, is_new), NoProgress())
        masks = {rule.source: rule.masks for rule in read_policy(ports.store).rules}
    assert masks.keys() == {"gate", "dock", "yard"}
    assert masks["yard"] == masks["gate"] != masks["dock"]


@pytest.mark.parametrize(
    "mistake",
    first_quick(
        [
            (["set", "--mask", "0,0 2,0 2,2"], "mask 1 leaves the picture at 2,0: give points from 0,0"),
            (["set", "--mask", "-1,0 1,0 1,1"], "mask 1 leaves the picture at -1,0"),
            (
                ["set", "--mask", "0,0 99,0 9,9", "--size", "64x48"],
                "leaves the picture of 64x48 pixels at 99,0",
            ),
            (["set", "--mask", MASK, "--mask", "0,0 1,1"], "mask 2 has 2 points; a polygon needs at least 3"),
            (["set", "--mask", "0,0 0.5,0.5 1,1"], "mask 1 has no area"),
            (["set", "--mask", "0,0 0,0 0,0"], "mask 1 has no area"),
            (["set", "--mask", "0,0 1,1 0,1 1,0"], "mask 1 crosses itself: give its points in their order"),
            (["set", "--mask", "0.5,0 0.8,1 0,0.4 1,0.4 0.2,1"], "mask 1 crosses itself"),
            (["set", "--mask", "left"], "mask 1 'left' is not a polygon; write it like"),
            (["set", "--mask", MASK, "--size", "big"], "--size 'big' is not a size"),
            (["set"], "would change no picture: give --mask, --blur, or both"),
            (["set", "--mask", MASK, "--model", "x"], "give --blur too, or leave --model out"),
            (["set", "--mask", MASK, "--source", "gaet"], "did you mean Gate?"),
            (["set", "--mask", MASK, "--source", "yard"], "if it will be a new source, add --new-source"),
            (["set", "--mask", MASK, "--new-source"], "--new-source needs --source"),
            (["set", "--blur", "--model", "gone"], "--model gone: neither a model of the catalogue"),
            (["remove", "--source", "gate"], "there is no privacy rule for gate"),
        ]
    ),
)
def test_a_mistake_gives_one_message_with_its_remedy_and_changes_nothing(
    mistake: tuple[list[str], str], answered: Answered, tmp_path: Path
) -> None:
    arguments, words = mistake
    assert words in answered(*arguments, code=2)
    with opened(tmp_path) as ports:
        assert read_policy(ports.store).version == 0


def test_a_source_without_footage_can_get_a_rule_before_its_first_frame(
    answered: Answered, tmp_path: Path
) -> None:
    answered("set", "--source", "New Yard", "--new-source", "--mask", MASK)
    with opened(tmp_path) as ports:
        assert read_policy(ports.store).rules[0].source == "new-yard"


def test_a_model_that_finds_nothing_to_blur_is_refused(
    answered: Answered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    assert "finds neither persons nor vehicles (it finds blue, green, red, white)" in answered(
        "set", "--blur", code=2
    )


def test_a_damaged_policy_says_what_to_do(answered: Answered, tmp_path: Path) -> None:
    ruled(tmp_path, PrivacyRule(masks=(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)))
    with opened(tmp_path) as ports:
        ports.store.put("privacy/policy.json", b"no record")
    told = answered("show", code=2)
    assert "privacy/policy.json" in told and "restore it from a backup" in told


@needs("videos")
def test_earlier_originals_are_listed_and_deleted_only_on_request(
    answered: Answered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import make_video

    videos = [make_video(1, source="gate"), make_video(2, source="yard")]
    ends = [f"{video.id[-6:]}/original" for video in videos]  # a narrow console folds the rest
    with opened(tmp_path) as ports:
        for video in videos:
            ports.store.put(video.key, encode(video))
            ports.store.put(keys.original_key(video.id), b"an original")
    setting = ("set", "--source", "gate", "--mask", MASK)
    dry = answered(*setting, "--dry-run")
    assert ends[0] in dry and ends[1] not in dry
    assert "1 earlier original would go; nothing was changed" in dry
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "there is no terminal to answer the question; add --yes" in answered(*setting, code=2)
    with opened(tmp_path) as ports:
        assert read_policy(ports.store).version == 0
    assert "policy version 1" in answered(*setting, "--yes")
    # The rule of all other sources concerns the other video alone.
    others = answered("set", "--mask", MASK, "--originals", "blur", "--dry-run")
    assert ends[1] in others and ends[0] not in others
