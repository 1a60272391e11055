"""Settings of the dashboard."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from frametally.rules.times import DAY_S, HOUR_S
from frametally.settings.access import NO_SECRET, hard_to_guess

_ROLES = re.compile(r"[^\s=,]{1,64}=(look|correct|run)")


class WebSettings(BaseModel, defer_build=True):
    """The part of `Settings` about the dashboard."""

    web_host: str = Field("127.0.0.1", description="Address that the dashboard listens on.")
    web_port: int = Field(5001, ge=0, le=65_535, description="Port that the dashboard listens on.")
    web_hosts: str = Field(
        "",
        description="Names, separated by commas, under which browsers may ask for the dashboard, such as its "
        "proxy's; always: localhost and the address that it listens on.",
    )
    web_allowed_origins: str = Field(
        "",
        description="Origins, separated by commas (`https://intranet.example`), whose pages may read the "
        "API, show frames and embed `/embed`; empty: none.",
    )
    web_max_buckets: int = Field(
        20_000,
        ge=100,
        le=200_000,
        description="Most bars (intervals times series: labels, or those of `top`) in one answer of "
        "`/api/counts`.",
    )
    web_max_export_rows: int = Field(
        200_000,
        ge=100,
        le=200_000,
        description="Most rows of an export: intervals times labels.",
    )
    web_query_timeout_s: float = Field(
        2.5,
        gt=0,
        le=300,
        description="Seconds after which a query is given up and answered by 503.",
    )
    web_cache_mb: int = Field(
        32, ge=0, le=4096, description="Megabytes of answers kept until the counts change; 0 keeps none."
    )
    web_status_s: float = Field(
        5.0,
        gt=0,
        le=HOUR_S,
        description="Seconds after which the books are read again.",
    )
    web_max_streams: int = Field(
        200, ge=0, le=600, description="Most `/api/events` streams at once: one for each page that is open."
    )
    web_stream_s: float = Field(
        300.0, gt=0, le=DAY_S, description="Seconds after which such a stream ends; browsers connect again."
    )
    web_max_sockets: int = Field(
        500,
        ge=0,
        le=10_000,
        description="Most `/ws/` sockets at once, of all clients: one more is sent away.",
    )
    web_ping_s: float = Field(
        20.0,
        gt=0,
        le=HOUR_S,
        description="Seconds with nothing to tell after which such a socket has a ping.",
    )
    web_threads: int = Field(
        16, ge=1, le=1024, description="Requests that the dashboard works on at once; more wait their turn."
    )
    web_store_links: bool = Field(
        False,
        description="Whether browsers get frames from the S3 store itself, by links that end, not from here.",
    )
    web_link_ttl_s: int = Field(
        300,
        ge=10,
        le=604_800,
        description="Seconds for which such a link works; whoever has it sees the frame.",
    )
    web_accounts: bool = Field(
        False,
        description="Whether everybody logs in, also while there is no account: "
        "the first start makes one administrator and prints a link for a password.",
    )
    web_codes: Literal["", "look", "correct", "run"] = Field(
        "",
        description="Role from which on a log-in takes a code of an authenticator, too (`look`: "
        "everybody's); empty: that of accounts with `--codes` alone.",
    )
    web_session_idle_h: float = Field(
        12.0, gt=0, le=8760, description="Hours after which a log-in that nobody uses is over."
    )
    web_session_h: float = Field(168.0, gt=0, le=8760, description="Hours after which any log-in is over.")
    proxy_secret: SecretStr = Field(
        NO_SECRET,
        description="Secret of a proxy that logs people in, 32 characters at least, which it sends as "
        "`X-Frametally-Proxy-Secret`; empty: there is none.",
    )
    proxy_user_header: str = Field(
        "X-Forwarded-User",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="Header in which that proxy names who has logged in.",
    )
    proxy_roles: str = Field(
        "",
        description="Roles of those names, separated by commas: `admin=run,*=look`; "
        "others have the account of their name, if there is one.",
    )
    web_uploads: bool | None = Field(
        None,
        description="Whether videos may be uploaded and edited in the dashboard; "
        "empty: where it listens on this machine only.",
    )

    _proxy_secret_is_long = field_validator("proxy_secret")(hard_to_guess)

    @field_validator("proxy_roles")
    @classmethod
    def _names_roles(cls, roles: str) -> str:
        for one in roles.split(","):
            if one.strip() and not _ROLES.fullmatch(one.strip()):
                raise ValueError("write names and roles as admin=run,*=look; roles are look, correct, run")
        return roles

    @property
    def listens_to_itself(self) -> bool:
        """Whether nobody but this machine can ask the dashboard anything."""
        bound = self.web_host.strip("[]").lower()
        try:
            return bound == "localhost" or ipaddress.ip_address(bound).is_loopback
        except ValueError:
            return False

    @property
    def roles_by_proxy(self) -> dict[str, str]:
        """What those may do whom the proxy names, by name; `*`: all others."""
        pairs = (one.strip().partition("=") for one in self.proxy_roles.split(",") if one.strip())
        return {name.lower(): role for name, _, role in pairs}
