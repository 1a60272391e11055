"""Makes and verifies certificates: signed JSON to check against the store without trusting its server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frametally.errors import Misconfigured
from frametally.records import NOT_JSON
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit, OtherChecks
from frametally_accuracy.results import CheckResult, result_of
from frametally_accuracy.starting import read_again

FORM = "frametally-accuracy-certificate/1"
_PRIME = 2**255 - 19
_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL = {0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8}
"""The y of points of small order; with such a key, one signature can fit any text."""


class NotAsSigned(Misconfigured):
    """A certificate's signature does not match its contents: someone changed it."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A check with everything that its result is based on.

    Attributes:
        form: Format of this file.
        check: The check.
        units: All drawn units.
        answers: The last answer for each unit and turn.
        result: The result of the answers.
        other_checks: Other checks of the same footage at that time; null if unknown.
        made_at_ms: When the certificate was made.
        public_key: Key of the book that signed it, in hexadecimal (Ed25519).
        signature: Signature of all other fields as JSON without white space, sorted by name.
    """

    form: str = FORM
    check: AccuracyCheck
    units: tuple[CheckUnit, ...]
    answers: tuple[CheckAnswer, ...]
    result: CheckResult
    other_checks: OtherChecks | None = None
    made_at_ms: int
    public_key: str
    signature: str = ""


def certify(
    check: AccuracyCheck,
    units: Sequence[CheckUnit],
    answers: Sequence[CheckAnswer],
    *,
    key: Ed25519PrivateKey,
    made_at_ms: int,
    footage: CheckFootage,
    other_checks: OtherChecks,
) -> bytes:
    """Return a certificate as JSON after verifying it against the store.

    Raises:
        Misconfigured: The store has different frames or counts.
        Retryable: A port is unavailable.
    """
    certificate = Certificate(
        check=check,
        units=tuple(units),
        answers=tuple(answers),
        result=result_of(check, units, answers),
        other_checks=other_checks,
        made_at_ms=made_at_ms,
        public_key=key.public_key().public_bytes_raw().hex(),
    )
    if wrong := [*recount(certificate, footage)]:
        raise Misconfigured(f"no certificate was created: {'; '.join(wrong)}")
    return sign(certificate, key)


def sign(certificate: Certificate, key: Ed25519PrivateKey) -> bytes:
    """Return a certificate as JSON, signed with its key."""
    signature = key.sign(_signed(msgspec.to_builtins(certificate))).hex()
    return msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(certificate, signature=signature)))


def read_certificate(text: bytes) -> Certificate:
    """Return a certificate whose signature is valid.

    Raises:
        Misconfigured: It is not a certificate.
        NotAsSigned: Someone changed it.
    """
    try:
        certificate = msgspec.json.decode(text, type=Certificate)
        json.loads(text, object_pairs_hook=_once)
    except NOT_JSON as error:
        raise Misconfigured(f"this file is not a certificate of an accuracy check: {error}") from error
    if certificate.form != FORM:
        raise Misconfigured(
            f"this version of frametally reads {FORM}, but the file is {certificate.form[:60]!r}"
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(_public_bytes(certificate.public_key))
        key.verify(_bytes_of(certificate.signature), _signed(msgspec.json.decode(text)))
    except (InvalidSignature, ValueError) as error:
        raise NotAsSigned("the certificate was changed after it was signed; do not trust it") from error
    return certificate


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; refuse duplicate names, as readers differ in which one they use."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise NotAsSigned("the certificate was changed: a name occurs twice in it; do not trust it")
    return fields


def _bytes_of(text: str) -> bytes:
    """Return the bytes of a hexadecimal text; refuse variant spellings."""
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError("not in lower-case hexadecimal digits")
    return raw


def _public_bytes(text: str) -> bytes:
    """Return the bytes of a public key; refuse one of small order, or whose y is not reduced."""
    raw = _bytes_of(text)
    y = int.from_bytes(raw, "little") % 2**255
    if y >= _PRIME or y in _SMALL:
        raise ValueError("not a key that anyone signs with")
    return raw


def recount(certificate: Certificate, footage: CheckFootage) -> Iterator[str]:
    """Yield what differs when frames are read, drawn and estimated again; nothing if it holds.

    Raises:
        Misconfigured: Nothing is counted here, so it cannot be verified.
        Retryable: A port is unavailable.
    """
    check = certificate.check
    if not footage.counts.series():
        raise Misconfigured(
            "nothing is counted in this data folder, so frametally cannot verify a certificate; run "
            "`frametally aggregate` and `frametally index` first"
        )
    try:
        population = read_again(check, footage)
    except Misconfigured as error:
        yield f"its {check.unit_name} are not in this store, or are not counted: {error}"
        return
    facts = population.facts()
    if any(getattr(check, name) != fact for name, fact in facts.items()):
        units, units_gone = check.unit_name, check.units - len(population.members)
        words = (
            f"{units_gone} {units} are no longer there"
            if units_gone > 0
            else f"{-units_gone} {units} came"
            if units_gone
            else "boxes changed"
            if check.metric == "detections"
            else f"{check.metric} or the line changed"
        )
        yield f"the store has other {units} or other counts than the certificate ({words})"
        return
    if population.units(check.seed, len(certificate.units)) != [*certificate.units]:
        yield "the seed does not draw the units that are in the certificate"
        return
    result = result_of(check, certificate.units, certificate.answers)
    if _without_forecasts(result) != _without_forecasts(certificate.result):
        yield "the answers do not give the result that is in the certificate"


def _without_forecasts(result: CheckResult) -> CheckResult:
    # Another release may forecast another number of units; its statement about the counts is the same.
    labels = [msgspec.structs.replace(label, units_needed=0) for label in result.labels]
    return msgspec.structs.replace(result, labels=labels)


def _signed(certificate: dict[str, Any]) -> bytes:
    # The fields of the file, not of `Certificate`, as a later release may have more, with defaults.
    fields = {name: value for name, value in certificate.items() if name != "signature"}
    return msgspec.json.encode(fields, order="sorted")
