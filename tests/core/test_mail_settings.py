"""Mail settings have our names or others'; an error names the variable that was set."""

from __future__ import annotations

from pathlib import Path

import pytest

from frametally.console.output import plain
from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally_cli.checkup.machine import setting_rows

SEEDS = {
    "SMTP_SERVER": "mail.example.org",
    "SMTP_PORT": "465",
    "SMTP_USER": "cams",
    "SMTP_PASSWORD": "s3cret",
    "EMAIL_RECEIVER": "one@example.org, other@example.org",
}


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SEEDS:
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_other_programs_variable_names_configure_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, **SEEDS)
    settings = load_settings()
    assert settings.smtp_url == "smtps://mail.example.org:465"
    assert (settings.smtp_user, settings.smtp_password.get_secret_value()) == ("cams", "s3cret")
    assert settings.mail_receivers == ["one@example.org", "other@example.org"]
    assert settings.mail_sender == "one@example.org"


def test_without_a_port_mail_uses_the_usual_submission_port(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SMTP_SERVER="mail.example.org")
    assert load_settings().smtp_url == "smtp://mail.example.org:587"


def test_other_programs_variable_names_are_also_read_from_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMTP_SERVER=mail.example.org\nEMAIL_RECEIVER=a@b.example\n")
    assert load_settings().mail_receivers == ["a@b.example"]


def test_our_settings_win_and_a_password_goes_only_to_the_server_it_was_set_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, **SEEDS)
    (tmp_path / ".env").write_text("FRAMETALLY_SMTP_URL=smtp://ours.example:2525\n")
    set_all(monkeypatch, FRAMETALLY_MAIL_TO="ours@example.org")
    settings = load_settings()
    assert settings.smtp_url == "smtp://ours.example:2525"
    assert (settings.smtp_user, settings.smtp_password.get_secret_value()) == ("", "")
    assert settings.mail_receivers == ["ours@example.org"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"FRAMETALLY_MAIL_TO": "nobody"}, "FRAMETALLY_MAIL_TO=nobody: 'nobody' is not an e-mail address"),
        (
            {"EMAIL_RECEIVER": "a@b.example,<x>"},
            "EMAIL_RECEIVER=a@b.example,<x>: '<x>' is not an e-mail address",
        ),
        ({"EMAIL_RECEIVER": "a@b.example\r\nBcc: c@d.example"}, "EMAIL_RECEIVER="),
        ({"FRAMETALLY_MAIL_FROM": "a b@c.example"}, "FRAMETALLY_MAIL_FROM=a b@c.example: "),
        (
            {"FRAMETALLY_SMTP_URL": "mail.example.org"},
            "FRAMETALLY_SMTP_URL=mail.example.org: write the server",
        ),
        ({"FRAMETALLY_SMTP_URL": "smtp://h:99999"}, "FRAMETALLY_SMTP_URL=smtp://h:99999: Port out of range"),
        (
            {"FRAMETALLY_SMTP_URL": "smtp://me:s3cret@h"},
            "FRAMETALLY_SMTP_URL=smtp://me:***@h: the user name and",
        ),
        ({"SMTP_SERVER": "mail example"}, "SMTP_SERVER=smtp://mail example:587: write the server as"),
        ({"SMTP_SERVER": "h", "SMTP_PORT": "no"}, "SMTP_PORT=no is not a port; set it to a port such as 587"),
        ({"FRAMETALLY_WEB_URL": "cams.example"}, "FRAMETALLY_WEB_URL=cams.example: "),
    ],
    ids=str,
)
def test_a_wrong_value_is_one_line_that_names_the_variable_in_use(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], says: str
) -> None:
    set_all(monkeypatch, **values)
    with pytest.raises(Misconfigured) as caught:
        load_settings()
    line = plain(str(caught.value))
    assert line.startswith(says)
    assert "s3cret" not in line
    assert len(line.splitlines()) == 1


def test_doctor_shows_the_origin_of_a_setting_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, **SEEDS)
    rows = {row.name: (row.value, row.note) for row in setting_rows()}
    assert rows["FRAMETALLY_SMTP_URL"] == ("smtps://mail.example.org:465", "SMTP_SERVER")
    assert rows["FRAMETALLY_SMTP_PASSWORD"] == ("(set)", "SMTP_PASSWORD")
    assert "s3cret" not in str(rows)
