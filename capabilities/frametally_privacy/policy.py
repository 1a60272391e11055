"""Defines the privacy policy, one record in the store, and changes it in one step each."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from frametally import keys
from frametally.errors import Misconfigured
from frametally.media.manifests import change_record, find_record
from frametally.media.polygons import crosses_itself, turn
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import SealedRecord

Originals = Literal["blur", "delete"]
Point = tuple[float, float]
_MOST_MASKS, _MOST_POINTS = 100, 200
_STEPS = 10**6
"""Places of corners of masks are compared in steps of this part of the picture's sides."""


class PrivacyRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to the pictures of a source before they are stored.

    Attributes:
        source: Slug of its source; empty means all sources that do not have their own rule.
        masks: Polygons to blacken: three or more points each, as fractions of the picture's sides.
        blur: Whether heads and plates are blurred.
        model: A model that also finds them, besides the one in use: its name in the catalogue, or the path of
            an ONNX file; empty for none.
        originals: What replaces an uploaded video's original once its frames are stored.
        version: The policy's version that set it.
    """

    source: str = ""
    masks: tuple[tuple[Point, ...], ...] = ()
    blur: bool = False
    model: str = ""
    originals: Originals = "delete"
    version: int = 0

    @property
    def words(self) -> str:
        """What is done, as text."""
        parts = [plural(len(self.masks), "mask")] if self.masks else []
        parts += ["heads and plates blurred"] if self.blur else []
        return " and ".join(parts)


class PrivacyPolicy(SealedRecord, frozen=True, kw_only=True):
    """The policy (`privacy/policy.json`).

    Attributes:
        version: How often it was changed.
    """

    version: int = 0
    rules: tuple[PrivacyRule, ...] = ()

    remedy: ClassVar[str] = (
        "no picture is stored until you restore it from a backup; or stop what stores pictures, delete it, "
        "and run `frametally privacy set` again"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.PRIVACY_POLICY

    def rule_for(self, source: str) -> PrivacyRule | None:
        """Return the rule for a source: its own, or else the one of all sources."""
        by_source = {rule.source: rule for rule in self.rules}
        return by_source.get(source, by_source.get(""))


def read_policy(store: ObjectStore) -> PrivacyPolicy:
    """Return the policy; an empty policy if none was set. Raises `Poison` if it is damaged."""
    return find_record(store, keys.PRIVACY_POLICY, PrivacyPolicy) or PrivacyPolicy()


def set_rule(store: ObjectStore, rule: PrivacyRule) -> PrivacyPolicy:
    """Set a rule; it replaces the earlier rule of its source. Raises as `check_rule`."""
    check_rule(rule)

    def change(policy: PrivacyPolicy) -> PrivacyPolicy:
        version = policy.version + 1
        other_rules = [other for other in policy.rules if other.source != rule.source]
        new = msgspec.structs.replace(rule, version=version)
        rules = tuple(sorted([*other_rules, new], key=lambda rule: rule.source))
        return msgspec.structs.replace(policy, version=version, rules=rules)

    return change_record(store, PrivacyPolicy(), change)


def follow_source(store: ObjectStore, old: str, new: str) -> None:
    """Give source `new` (a slug) the rule of `old` unless it has its own. Raises as `set_rule`."""
    by_source = {rule.source: rule for rule in read_policy(store).rules}
    if old in by_source and new not in by_source:
        set_rule(store, msgspec.structs.replace(by_source[old], source=new))


def drop_rule(store: ObjectStore, source: str) -> PrivacyPolicy:
    """Remove the rule of a source; "" is that of all sources. Raises `Misconfigured` if there is none."""

    def change(policy: PrivacyPolicy) -> PrivacyPolicy:
        left = tuple(rule for rule in policy.rules if rule.source != source)
        if len(left) == len(policy.rules):
            raise Misconfigured(
                f"there is no privacy rule for {source or 'all sources'}; `frametally privacy show` lists "
                "the rules"
            )
        return msgspec.structs.replace(policy, version=policy.version + 1, rules=left)

    return change_record(store, PrivacyPolicy(), change)


def check_rule(rule: PrivacyRule) -> PrivacyRule:
    """Return the rule. Raises `Misconfigured` if it does nothing, or a mask is not in the picture."""
    if not rule.masks and not rule.blur:
        raise Misconfigured("the rule would change no picture: give --mask, --blur, or both")
    if rule.model and not rule.blur:
        raise Misconfigured("--model finds what --blur blurs: give --blur too, or leave --model out")
    if len(rule.masks) > _MOST_MASKS:
        raise Misconfigured(f"the rule has {len(rule.masks)} masks; the maximum is {_MOST_MASKS}")
    for number, mask in enumerate(rule.masks, 1):
        _check_mask(f"mask {number}", mask)
    return rule


def _check_mask(name: str, mask: tuple[Point, ...]) -> None:
    if len(mask) < 3:
        raise Misconfigured(f"{name} has {plural(len(mask), 'point')}; a polygon needs at least 3")
    if len(mask) > _MOST_POINTS:
        raise Misconfigured(f"{name} has {len(mask)} points; the maximum is {_MOST_POINTS}")
    for x, y in mask:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise Misconfigured(
                f"{name} leaves the picture at {x:g},{y:g}: give points from 0,0 (top left) to 1,1 (bottom "
                "right), or in pixels with --size"
            )
    places = [(round(x * _STEPS), round(y * _STEPS)) for x, y in mask]
    places = [place for number, place in enumerate(places) if place != places[number - 1]]
    if all(turn(places[0], places[1], place) == 0 for place in places[2:]):
        raise Misconfigured(f"{name} has no area: its points lie on one line")
    if crosses_itself(places, closed=True):
        raise Misconfigured(f"{name} crosses itself: give its points in their order around it")
