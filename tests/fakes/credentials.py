"""Keys that expire and are renewed, as those of a cloud's role."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from frametally.settings.access import StoreAccess


@contextmanager
def renewed(access: StoreAccess, *, lives_s: float) -> Iterator[list[float]]:
    """Have AWS's credential chain give the key of `access` for `lives_s` at a time; yield the times of
    renewals."""
    renewals: list[float] = []

    def renew() -> dict[str, str | None]:
        now = datetime.datetime.now(datetime.UTC)
        renewals.append(now.timestamp())
        return {
            "access_key": access.access_key,
            "secret_key": access.secret_key.get_secret_value(),
            "token": None,
            "expiry_time": (now + datetime.timedelta(seconds=lives_s)).isoformat(),
        }

    credentials = RefreshableCredentials.create_from_metadata(renew(), renew, "role")
    with mock.patch.object(Session, "get_credentials", lambda *_: credentials):
        yield renewals
