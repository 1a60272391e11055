"""Turns the refusals of an S3 store into our errors: one line each, with the remedy.

obstore reports the store's answer, or the cause of a failed connection, only as text.
"""

from __future__ import annotations

import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import ObjectMissing

PART = "frame store"
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_STATUS = re.compile(r"status code: (\d{3})")
_CERTIFICATE = re.compile(r"invalid peer certificate: (\w+)|InvalidCertificate\((\w+)")
_CAUSE = re.compile(
    r"Connection refused|Connection reset|dns error|No route to host|Network is unreachable|timed out|"
    r"connection closed|IncompleteMessage"
)

_RIGHTS = {
    "read": "s3:GetObject",
    "written": "s3:PutObject",
    "listed": "s3:ListBucket",
    "deleted": "s3:DeleteObject",
}
_SECRET = "correct FRAMETALLY_STORE_SECRET_KEY"  # noqa: S105 - the name of a setting
_KEY = "correct FRAMETALLY_STORE_ACCESS_KEY"
_REGION = "correct AWS_REGION"
_CLOCK = "its clock and this machine's clock differ too much: set this machine's clock, preferably with NTP"
_TOKEN = "these credentials have expired: get new ones"  # noqa: S105
_SETUP = "correct FRAMETALLY_STORE_URL, or run `frametally setup` to create it"

_MISCONFIGURED = {
    "SignatureDoesNotMatch": f"the secret does not match the key: {_SECRET}",
    "InvalidAccessKeyId": f"unknown key: {_KEY}",
    "RequestTimeTooSkewed": _CLOCK,
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "NoSuchBucket": f"the bucket does not exist: {_SETUP}",
    "InvalidBucketName": f"invalid bucket name: {_SETUP}",
    "AuthorizationHeaderMalformed": f"wrong region: {_REGION}",
    "PermanentRedirect": f"the bucket is in another region: {_REGION}",
    "IllegalLocationConstraintException": f"the bucket is in another region: {_REGION}",
    "NotImplemented": "it does not support conditional puts, which frametally needs: use another S3 service",
}
_POISON = {"KeyTooLongError": "choose a shorter key"}
NO_ROOM = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"}
# Statuses of answers after which another attempt may succeed.
PASSING = {408, 409, 412, 425, 429}


def code_of(error: Exception) -> str:
    """Return the store's own error code, such as `NoSuchKey`, or "" if it did not give one."""
    match = _CODE.search(str(error))
    return (match[1] or match[2]) if match else ""


def status_of(error: Exception) -> int:
    """Return the HTTP status of the store's answer, or 0 if there was none."""
    match = _STATUS.search(str(error))
    return int(match[1]) if match else 0


def is_bare_refusal(error: Exception) -> bool:
    """Return whether the store refused without an error code, as it does for HEAD requests."""
    return isinstance(error, PermissionDeniedError | UnauthenticatedError) and not code_of(error)


def failure(error: Exception, *, verb: str, object_name: str, key: str, place: str) -> FrametallyError:
    """Return what `error` means to the caller.

    Args:
        error: The error of obstore.
        verb: The action that failed: `read`, `written`, `listed` or `deleted`.
        object_name: The object or folder, as a person names it.
        key: Its key; empty for the whole store.
        place: The store's URL and its service's.
    """
    text, code, status = str(error), code_of(error), status_of(error)
    if code in _MISCONFIGURED:
        return Misconfigured(f"{place}: {_MISCONFIGURED[code]}")
    if code in _POISON:
        return Poison(f"key {key[:200]!r} cannot be {verb} ({code}): {_POISON[code]}")
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"no object {key!r} in {place}")
    if code in NO_ROOM:
        return Retryable(
            f"{place}: no space left for {object_name} ({code}): free some space, or raise the quota",
            part=PART,
        )
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code == "AccessDenied":
        why = "" if code in ("", "AccessDenied") else f" ({code})"
        return Misconfigured(
            f"{place}: {object_name} cannot be {verb}{why}: give this key the permission {_RIGHTS[verb]} "
            "(policies for each stage: cloud-services/s3/)"
        )
    certificate = _CERTIFICATE.search(text)
    if certificate:
        return Misconfigured(
            f"{place}: its certificate is not trusted ({certificate[1] or certificate[2]}): set "
            "FRAMETALLY_STORE_CA_FILE to the certificate file of its authority"
        )
    if "InvalidContentType" in text or "InvalidMessage" in text:
        return Misconfigured(f"{place}: it does not use TLS: write http:// in FRAMETALLY_STORE_ENDPOINT")
    if 400 <= status < 500 and status not in PASSING and code != "RequestTimeout":
        return Misconfigured(
            f"{place}: {object_name} could not be {verb} (answer {status} {code}): check that "
            "FRAMETALLY_STORE_ENDPOINT is the address of an S3 service"
        )
    cause = _CAUSE.search(text)
    if "body error" in text:
        return Retryable(f"{place}: {object_name} arrived incomplete: try again", part=PART)
    reason = code or (f"answer {status}" if status else cause[0] if cause else _first_line(text))
    return Retryable(
        f"{place}: {object_name} could not be {verb} ({reason}): check that the store is running, and that "
        "FRAMETALLY_STORE_ENDPOINT is right",
        part=PART,
    )


def _first_line(text: str) -> str:
    # The text after a question mark may be the signature of a link.
    return re.sub(r"\?\S+", "?...", text.partition("\n")[0])[:200]
