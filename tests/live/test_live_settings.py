"""Where cameras may be: an empty list differs from no list."""

from pathlib import Path

import pytest

from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces
from frametally.settings.loading import load_settings
from frametally_cli.checkup.machine import setting_rows
from frametally_live.settings import LiveSettings


def test_an_empty_list_allows_cameras_nowhere_and_an_unset_one_at_the_usual_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMETALLY_LIVE_ALLOW", raising=False)
    assert load_settings().part(LiveSettings).live_allow == LiveSettings.model_fields["live_allow"].default
    (tmp_path / ".env").write_text("FRAMETALLY_LIVE_ALLOW=\n")
    assert load_settings().part(LiveSettings).live_allow == ""
    (tmp_path / ".env").write_text("FRAMETALLY_LIVE_ALLOW=10.0.0.0/8\n")
    assert load_settings().part(LiveSettings).live_allow == "10.0.0.0/8"
    monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "")
    assert load_settings().part(LiveSettings).live_allow == ""
    assert load_settings(live_allow="127.0.0.1").part(LiveSettings).live_allow == "127.0.0.1"
    with pytest.raises(AddressRefused, match=r"does not allow cameras at .* \(allowed: none\)"):
        AllowedPlaces(load_settings().part(LiveSettings).live_allow).check("192.168.1.20", ["192.168.1.20"])
    rows = {row.name: (row.value, row.note) for row in setting_rows()}
    assert rows["FRAMETALLY_LIVE_ALLOW"] == ("", "environment")
