"""The setting of the gold tables has our names or others'; an error names the variable that was set."""

from __future__ import annotations

from pathlib import Path

import pytest

from frametally.console.output import plain
from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally_cli.checkup.machine import setting_rows
from frametally_gold.settings import GoldSettings

URI = "postgresql+psycopg2://gold:p%40ss@db.example.org:5433/counts?sslmode=require"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PG_CONN_URI", URI)


def test_variables_of_other_programs_also_configure_gold() -> None:
    gold = load_settings().part(GoldSettings)
    assert gold.gold_url == "postgresql://gold@db.example.org:5433/counts?sslmode=require"
    assert gold.gold_password.get_secret_value() == "p@ss"


def test_the_server_may_be_named_in_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_CONN_URI", "postgresql:///counts?host=db.example.org&port=5433")
    gold = load_settings().part(GoldSettings)
    assert gold.gold_url == "postgresql:///counts?host=db.example.org&port=5433"


def test_our_settings_win_and_a_password_is_sent_only_to_the_server_that_it_belongs_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRAMETALLY_GOLD_URL", "sqlite:////tmp/gold.sqlite")
    gold = load_settings().part(GoldSettings)
    assert (gold.gold_url, gold.gold_password.get_secret_value()) == ("sqlite:////tmp/gold.sqlite", "")


def test_an_invalid_value_gives_one_line_that_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_CONN_URI", "mysql://me:s3cret@h/d")
    with pytest.raises(Misconfigured) as caught:
        load_settings()
    line = plain(str(caught.value))
    assert line.startswith("PG_CONN_URI must have the form postgresql://")
    assert "s3cret" not in line
    assert len(line.splitlines()) == 1


def test_doctor_shows_where_a_setting_comes_from_and_no_password() -> None:
    rows = {row.name: (row.value, row.note) for row in setting_rows()}
    assert rows["FRAMETALLY_GOLD_PASSWORD"] == ("(set)", "PG_CONN_URI")
    assert "p@ss" not in str(rows)
