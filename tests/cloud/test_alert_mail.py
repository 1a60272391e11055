"""Alertmanager is told of the mail server that `.env` names, or of none."""

from __future__ import annotations

import json

import pytest

from frametally.errors import Misconfigured
from frametally_cloud.alert_mail import alertmanager_settings

MAIL = {
    "FRAMETALLY_SMTP_URL": "smtp://mail.town.org:587",
    "FRAMETALLY_SMTP_USER": "counts@town.org",
    "FRAMETALLY_SMTP_PASSWORD": 'say "so": {{ .x }}',
    "FRAMETALLY_MAIL_TO": "ops@town.org",
}


@pytest.mark.parametrize("missing", ["FRAMETALLY_MAIL_TO", "FRAMETALLY_SMTP_URL"])
def test_without_a_mail_server_and_a_recipient_nobody_is_mailed(missing: str) -> None:
    settings = json.loads(alertmanager_settings(MAIL | {missing: ""}))
    assert settings["receivers"] == [{"name": "nobody"}]
    assert settings["route"]["receiver"] == "nobody"


def test_a_password_goes_by_tls_alone() -> None:
    (mail,) = json.loads(alertmanager_settings(MAIL))["receivers"][0]["email_configs"]
    assert mail["smarthost"] == "mail.town.org:587"
    assert mail["auth_password"] == MAIL["FRAMETALLY_SMTP_PASSWORD"]
    assert mail["require_tls"] is True
    assert mail["from"] == "counts@town.org"
    relay = {
        "FRAMETALLY_SMTP_URL": "smtp://relay",
        "FRAMETALLY_SMTP_USER": "",
        "FRAMETALLY_MAIL_FROM": "stack@town.org",
    }
    (open_relay,) = json.loads(alertmanager_settings(MAIL | relay))["receivers"][0]["email_configs"]
    assert (open_relay["smarthost"], open_relay["require_tls"]) == ("relay:25", False)


@pytest.mark.parametrize("url", ["smtp://", "smtps://mail.town.org:466", "mail.town.org"])
def test_a_mail_server_that_alertmanager_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_SMTP_URL|port 465"):
        alertmanager_settings(MAIL | {"FRAMETALLY_SMTP_URL": url})
