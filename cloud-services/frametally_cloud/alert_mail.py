"""Write Alertmanager's settings: whom it mails about what Prometheus finds wrong with the stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from frametally.errors import Misconfigured

_PORTS = {"smtp": 25, "smtps": 465}
"""Where no port is given; Alertmanager speaks TLS from the first byte at port 465 alone."""


def alertmanager_settings(values: Mapping[str, str]) -> str:
    """Return the text of `alertmanager.yml` (JSON is YAML) by the mail settings of `.env`.

    Without `FRAMETALLY_SMTP_URL` and `FRAMETALLY_MAIL_TO` nobody is mailed: pages alone show the alerts.

    Raises:
        Misconfigured: The address of the mail server has no host, or asks for TLS at a port other than 465.
    """
    url, recipients = values.get("FRAMETALLY_SMTP_URL", ""), values.get("FRAMETALLY_MAIL_TO", "")
    if not (url and recipients):
        return _settings({"name": "nobody"})
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if not (parts.hostname and port):
        raise Misconfigured("FRAMETALLY_SMTP_URL must name a server as smtp://host:587 or smtps://host")
    if parts.scheme == "smtps" and port != _PORTS["smtps"]:
        raise Misconfigured(f"Alertmanager mails by smtps:// through port 465 only, not {port}; use smtp://")
    user = values.get("FRAMETALLY_SMTP_USER", "")
    mail: dict[str, object] = {
        "to": recipients,
        "from": values.get("FRAMETALLY_MAIL_FROM") or user,
        "smarthost": f"{parts.hostname}:{port}",
        "auth_username": user,
        "auth_password": values.get("FRAMETALLY_SMTP_PASSWORD", ""),
        # A password goes by TLS or not at all.
        "require_tls": bool(user),
        "send_resolved": True,
    }
    if authority := values.get("FRAMETALLY_SMTP_CA_FILE"):
        mail["tls_config"] = {"ca_file": authority}
    return _settings({"name": "mail", "email_configs": [mail]})


def _settings(receiver: dict[str, object]) -> str:
    route = {
        "receiver": receiver["name"],
        "group_by": ["alertname"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
    }
    return json.dumps({"route": route, "receivers": [receiver]}, indent=2) + "\n"
