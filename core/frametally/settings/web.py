"""Defines the dashboard's settings."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from frametally.settings.access import NO_SECRET, hard_to_guess
from frametally.settings.fields import Field, SecretStr, SettingsPart

_ROLES = re.compile(r"[^\s=,]{1,64}=(look|correct|run)")


def _names_and_roles(roles: str) -> str:
    for role in roles.split(","):
        if role.strip() and not _ROLES.fullmatch(role.strip()):
            raise ValueError("write names and roles as admin=run,*=look; roles are look, correct, run")
    return roles


class WebSettings(SettingsPart):
    """The part of `Settings` about the dashboard."""

    web_host: str = Field("127.0.0.1", description="Address of the dashboard.")
    web_port: int = Field(5001, ge=0, le=65_535, description="Port of the dashboard.")
    web_hosts: str = Field(
        "",
        description="Host names, separated by commas, that browsers may use for the dashboard, such as its "
        "proxy's; localhost and its own address always work.",
    )
    web_allowed_origins: str = Field(
        "",
        description="Origins, separated by commas (`https://intranet.example`), whose pages may read the "
        "API, show frames and embed `/embed`; if empty, none.",
    )
    web_query_timeout_s: float = Field(
        2.5,
        gt=0,
        le=300,
        description="Seconds after which a query stops with a 503 response.",
    )
    web_store_links: bool = Field(
        False,
        description="Whether browsers load frames directly from the S3 store, with links that expire.",
    )
    web_accounts: bool = Field(
        False,
        description="Whether everyone must sign in, even while there is no account: the first start creates "
        "an administrator and prints a link to set a password.",
    )
    web_codes: Literal["", "look", "correct", "run"] = Field(
        "",
        description="Lowest role that needs an authenticator code to sign in (`look`: everyone); if empty, "
        "only accounts with `--codes`.",
    )
    web_session_idle_h: float = Field(
        12.0,
        gt=0,
        le=8760,
        description="Hours after which an unused sign-in ends; any sign-in ends after 14 times as long.",
    )
    proxy_secret: SecretStr = Field(
        NO_SECRET,
        check=hard_to_guess,
        description="Secret of a proxy that signs people in, at least 32 characters, sent as "
        "`X-Frametally-Proxy-Secret`, with the user's name as `X-Forwarded-User`; if empty, no proxy.",
    )
    proxy_roles: str = Field(
        "",
        check=_names_and_roles,
        description="Roles of those names, separated by commas: `admin=run,*=look`; "
        "others use the account with their name, if it exists.",
    )
    web_uploads: bool | None = Field(
        None,
        description="Whether videos may be uploaded and edited in the dashboard; if empty, only if it "
        "listens on this machine alone.",
    )

    @property
    def web_session_h(self) -> float:
        """Hours after which any sign-in ends."""
        return 14 * self.web_session_idle_h

    @property
    def listens_to_itself(self) -> bool:
        """Whether only this machine can reach the dashboard."""
        bound = self.web_host.strip("[]").lower()
        try:
            return bound == "localhost" or ipaddress.ip_address(bound).is_loopback
        except ValueError:
            return False

    @property
    def roles_by_proxy(self) -> dict[str, str]:
        """The roles of people whom the proxy names, by name; `*` for all others."""
        pairs = (pair.strip().partition("=") for pair in self.proxy_roles.split(",") if pair.strip())
        return {name.lower(): role for name, _, role in pairs}
