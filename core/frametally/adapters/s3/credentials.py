"""The S3 key for signing: from the settings, or from AWS's own variables, files and roles."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import Misconfigured
from frametally.settings.access import StoreAccess

if TYPE_CHECKING:
    from obstore.store import S3Credential

_ASK_AGAIN = datetime.timedelta(minutes=5)
"""How long obstore keeps a key from AWS's chain; the chain itself renews keys that are about to expire."""


class S3Credentials(NamedTuple):
    """Credentials in the form that obstore expects, and their expiry.

    Attributes:
        current: Returns the key to sign with now.
        end_at: Returns when the key that obstore signs with expires; `None` if never, or if unknown.
    """

    current: Callable[[], S3Credential]
    end_at: Callable[[], datetime.datetime | None]


def credentials_of(access: StoreAccess) -> S3Credentials:
    """Return the key that `access` names, or AWS's own.

    Raises:
        Misconfigured: There is none, or only half of one.
    """
    secret = access.secret_key.get_secret_value()
    if not access.access_key and not secret:
        return _of_aws()
    if not access.access_key or not secret:
        missing = "FRAMETALLY_STORE_SECRET_KEY" if access.access_key else "FRAMETALLY_STORE_ACCESS_KEY"
        raise Misconfigured(f"{missing} is not set: an S3 store needs the name and the secret of a key")
    key: S3Credential = {
        "access_key_id": access.access_key,
        "secret_access_key": secret,
        "token": None,
        "expires_at": None,
    }
    return S3Credentials(lambda: key, lambda: None)


def _of_aws() -> S3Credentials:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise Misconfigured(
            f"frametally reads AWS's own variables and files through boto3 ({error}): run pip install "
            "'frametally[s3]', or set FRAMETALLY_STORE_ACCESS_KEY and FRAMETALLY_STORE_SECRET_KEY"
        ) from error
    try:
        credentials = boto3.Session().get_credentials()
    except BotoCoreError as error:
        raise Misconfigured(
            f"AWS's own variables and files do not provide an S3 key ({error}): correct them, or set "
            "FRAMETALLY_STORE_ACCESS_KEY and FRAMETALLY_STORE_SECRET_KEY"
        ) from error
    if credentials is None:
        raise Misconfigured(
            "no S3 key is set: set FRAMETALLY_STORE_ACCESS_KEY and FRAMETALLY_STORE_SECRET_KEY (or what "
            "AWS's own clients read, such as AWS_PROFILE)"
        )

    latest: list[tuple[datetime.datetime, datetime.datetime | None]] = []

    def current() -> S3Credential:
        frozen = credentials.get_frozen_credentials()  # renews them if they are about to expire
        now = datetime.datetime.now(datetime.UTC)
        latest[:] = [(now, getattr(credentials, "_expiry_time", None))]  # botocore has no other way
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": now + _ASK_AGAIN,
        }

    def end_at() -> datetime.datetime | None:
        if not latest or datetime.datetime.now(datetime.UTC) - latest[0][0] > _ASK_AGAIN:
            current()  # as obstore will, to sign
        return latest[0][1]

    return S3Credentials(current, end_at)
