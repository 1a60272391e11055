"""Defines the settings of metrics, lineage and traces."""

from __future__ import annotations

from urllib.parse import urlsplit

from frametally.process.reports import LogLines
from frametally.settings.fields import Field, SecretStr, SettingsPart


def _address_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ValueError("write an address with a port, such as 127.0.0.1:9464")
    return address


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("write a URL such as http://host:port/path or https://host/path")
    _ = parts.port  # raises if it is invalid
    return url


class TelemetrySettings(SettingsPart):
    """The part of `Settings` about metrics, lineage and traces."""

    metrics_address: str = Field(
        "",
        check=_address_and_port,
        description="Address of a command's `/metrics`, such as `127.0.0.1:9464`; if empty, none. The "
        "dashboard has its own.",
    )
    log_lines: LogLines = Field(
        "text",
        description="Form of the lines that commands log: `text`, or `json`, with a line for each step and "
        "the ids of its media and runs.",
    )
    lineage_url: str = Field(
        "",
        check=_http_url,
        description="URL for OpenLineage events of counting and indexing; if empty, no events.",
    )
    lineage_token: SecretStr = Field(SecretStr(""), description="Token for sending these events.")
    traces_url: str = Field(
        "",
        check=_http_url,
        description="URL for traces of frames (OTLP over HTTP); if empty, no traces.",
    )

    @property
    def metrics_place(self) -> tuple[str, int]:
        """Host and port of a command's `/metrics`; port 0 if there is none."""
        host, _, port = self.metrics_address.rpartition(":")
        return host.strip("[]"), int(port or 0)
