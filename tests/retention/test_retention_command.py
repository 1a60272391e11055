"""`frametally retention`, as a person uses it: tables, one clear message, and automatic rounds."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.commands import frametally, line_of
from tests.retention.filmed import FRAMES, START_MS, Filmed

from frametally.rules.times import DAY_MS, HOUR_S, utc
from frametally.work.family_members import MemberOptions
from frametally_retention.hooks import members
from frametally_retention.policy import Removal, begin_removal, read_policy

Answered = Callable[..., str]


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answered:
    """Run a command; return its output."""
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    return partial(line_of, "retention")


@pytest.mark.thorough
def test_a_rule_can_be_set_shown_tried_applied_and_removed(filmed: Filmed, answered: Answered) -> None:
    assert "nothing is removed" in answered("show")
    assert "older than 15d" in answered("set", "frames", "--after", "15d")
    tried = answered("apply", "--dry-run")
    size_bytes = sum(len(filmed.store.get(key)) for key in filmed.days[0])
    for words in (
        f"frames gate {3 * FRAMES}",
        f"{FRAMES} {size_bytes / 1000:.1f} kB",
        "would free",
        "segments stay",
    ):
        assert words in tried
    assert len(filmed.frames()) == 3 * FRAMES
    body = json.loads(answered("apply", "--dry-run", "--json"))
    assert body["frees_bytes"] == size_bytes
    assert f"freed {size_bytes / 1000:.1f} kB" in answered("apply")
    assert len(filmed.frames()) == 2 * FRAMES
    assert f"frames of gate: {FRAMES}" in answered("show")
    answered("set", "frames", "--never")
    assert read_policy(filmed.store).rules == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "frames", "--after", "-3d"], "is not an age"),
        (["set", "frames", "--after", "0d"], "keep nothing"),
        (["set", "frames", "--most", "0GB"], "keep nothing"),
        (["set", "frames", "--most", "-1GB"], "is not a size"),
        (["set", "frames"], "say when to remove"),
        (["set", "frames", "--after", "3d", "--source", "gatr"], "did you mean Gate?"),
        (["set", "segments", "--after", "3d"], "counted again from segments"),
        (["set", "runs", "--after", "3d"], "by itself"),
        (["set", "fotos", "--after", "3d"], "choose one of frames"),
        (["set", "frames", "--never"], "there is no rule"),
        (["set", "frames", "--never", "--after", "3d"], "no other option"),
        (["set", "thinning", "--after", "3d", "--interval", "7m"], "divide an hour"),
        (["hold", "case", "--source", "gatr"], "did you mean Gate?"),
        (["hold", "case", "--from", "2024-05-02", "--to", "2024-05-01"], "--from must be before --to"),
        (["release", "case"], "no hold named 'case'"),
        (["hold", " "], "the hold has no name"),
        (["hold", "case\n"], "the name of the hold is not one line of at most 100 characters"),
        (["hold", "x" * 101], "the name of the hold is not one line of at most 100 characters"),
        (["hold", "case", "--note", "x" * 201], "the note of the hold is not one line of at most 200"),
        (["apply", "--json"], "--dry-run"),
    ],
)
def test_bad_input_gives_one_message_with_a_remedy_and_changes_nothing(
    arguments: list[str], words: str, filmed: Filmed, answered: Answered
) -> None:
    message = answered(*arguments, code=2)
    assert words in message
    assert message.count("error:") <= 1
    assert read_policy(filmed.store).rules == read_policy(filmed.store).holds == ()


def test_a_hold_on_data_being_removed_says_so_and_stays(filmed: Filmed, answered: Answered) -> None:
    removal = Removal(
        id="other",
        source="gate",
        from_ms=START_MS - 30 * DAY_MS,
        to_ms=START_MS - 29 * DAY_MS,
        since_ms=round(time.time() * 1000),
    )
    begin_removal(filmed.store, removal)
    message = answered("hold", "case", "--source", "gate", "--to", "2024-04-15", code=6)
    assert "some of it may be gone; everything else stays" in message
    assert "hold case: gate, until 2024-04-15" in answered("show")
    assert "already a hold" in answered("hold", "case", code=2)
    answered("set", "frames", "--after", "5d")
    answered("apply")
    assert filmed.frames() == sorted(filmed.days[0] + filmed.days[2])


def test_a_hold_reads_times_in_the_same_time_zone_as_an_erasure(
    filmed: Filmed, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_TIMEZONE", "Europe/Berlin")
    night = ("--from", "2024-03-31T01:30", "--to", "2024-04-01T00:00")  # in it, clocks go forward
    assert "all sources, 2024-03-31 00:30:00Z to 2024-03-31 22:00:00Z" in answered("hold", "berlin", *night)
    late = answered("hold", "kiritimati", *night, "--timezone", "Pacific/Kiritimati")
    assert "2024-03-30 11:30:00Z to 2024-03-31 10:00:00Z" in late


def test_up_applies_retention_automatically(filmed: Filmed) -> None:
    (part,) = members(filmed.settings, MemberOptions(interval_s=60))
    program = part.members[0].arguments
    assert program[3:5] == ["retention", "apply"]
    assert program[-2:] == ["--interval-of-counts", "60"]


@pytest.mark.thorough
def test_rules_not_applied_for_two_hours_are_named_with_the_remedy(
    filmed: Filmed, answered: Answered
) -> None:
    policy = filmed.settings.data_dir / "store/retention/policy.json"
    missing = "nobody has applied the rules for two hours"
    remedy = "run `frametally retention apply --every 1h`"

    def hours_later(hours: float) -> list[str]:
        """Return what `show`, `status` and `doctor` print if nobody writes the policy for so long."""
        at_s = time.time() - hours * HOUR_S
        os.utime(policy, (at_s, at_s))
        books, checks = (frametally(*one, code=None).out for one in (["status"], ["doctor", "--json"]))
        return [answered("show"), *(" ".join(printed.split()) for printed in (books, checks))]

    answered("set", "frames", "--after", "15d")
    assert not [text for text in hours_later(1.9) if missing in text]
    assert all(missing in text and remedy in text for text in hours_later(2.1))
    answered("apply")
    shown, books, checks = hours_later(0)
    assert missing not in shown + books + checks
    applied_at_ms = read_policy(filmed.store).applied_at_ms
    assert applied_at_ms is not None
    applied = f"applied {utc(applied_at_ms)}"
    assert f"retention: {applied}" in books
    assert f'"name": "retention", "value": "{applied}' in checks
    answered("set", "frames", "--never")
    assert not [text for text in hours_later(100) if missing in text]


def test_a_damaged_policy_removes_nothing(filmed: Filmed, answered: Answered) -> None:
    answered("set", "frames", "--after", "50d")
    policy = filmed.store.get("retention/policy.json")
    filmed.store.put("retention/policy.json", policy.replace(b"4320000000", b"4320000"))
    assert "restore it from a backup" in answered("apply", code=2)
    assert len(filmed.frames()) == 3 * FRAMES
