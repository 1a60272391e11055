"""Settings come from the documented places, and a wrong one is reported in one line."""

from pathlib import Path

import pytest
from tests.capabilities import CAPABILITIES, HERE
from tests.kit.growth import growth_line

from frametally.errors import Misconfigured
from frametally.settings.__main__ import settings_table
from frametally.settings.environment import without_secrets
from frametally.settings.fields import SecretStr
from frametally.settings.loading import (
    RUN_PROGRAMS,
    Settings,
    component_folder,
    load_settings,
    unknown_settings,
)
from frametally_cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_setting_is_documented_with_its_default_and_sentence() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert set(settings_table().splitlines()) <= set(page.splitlines())
    assert settings_table() in page or set(CAPABILITIES) != HERE


def test_every_setting_has_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_embedded_parts_are_stored_in_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == tmp_path / "frametally-data"
    assert settings.store_url == f"file://{tmp_path}/frametally-data/store"
    assert settings.log_url == f"sqlite:///{tmp_path}/frametally-data/log.sqlite"


def test_all_folders_of_a_checkout_share_one_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core/frametally/settings").mkdir(parents=True)
    (tmp_path / "producer/helpers").mkdir(parents=True)
    for folder in ("", "producer", "producer/helpers"):
        monkeypatch.chdir(tmp_path / folder)
        assert load_settings("producer").data_dir == tmp_path / "frametally-data"
        assert load_settings("producer", data_dir=Path("mine")).data_dir == tmp_path / folder / "mine"
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", "elsewhere")
    assert load_settings("producer").data_dir == tmp_path / "producer/helpers/elsewhere"


def test_the_environment_wins_over_the_components_file_which_wins_over_the_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "FRAMETALLY_JPEG_QUALITY=1\nFRAMETALLY_INTERVAL_S=2\nFRAMETALLY_WEB_PORT=3\n"
    )
    component = tmp_path / "component"
    component.mkdir()
    (component / ".env").write_text("FRAMETALLY_INTERVAL_S=20\nFRAMETALLY_WEB_PORT=30\n")
    monkeypatch.setattr("frametally.settings.loading.component_folder", lambda name: component)
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", "300")
    settings = load_settings("producer")
    assert (settings.jpeg_quality, settings.interval_s, settings.web_port) == (1, 20, 300)


def test_an_argument_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", "300")
    assert load_settings(web_port=7).web_port == 7
    assert load_settings(web_port=None).web_port == 300


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("timezone", "Europe/Atlantis", "IANA"),
        ("interval_s", 7, "divide a day"),
        ("interval_s", 18_000, "divide a day"),
        ("sample_fps", "fast", "neither 'all' nor"),
        ("sample_fps", "0", "neither 'all' nor"),
        ("jpeg_quality", 101, "=101: it must be at most 100"),
        ("input_size_px", "400x416", "multiple of 32"),
        ("input_size_px", 416, "must be text"),
        ("input_size_px", "416", "width and height"),
        ("runner", "magic", "'inline'"),
        ("topic", "a/b", "pattern"),
        ("web_port", "12.5", "must be a whole number"),
        ("web_port", 12.5, "must be a whole number"),
        ("lease_s", "soon", "must be a number"),
        ("lease_s", 0, "greater than 0"),
        ("count_objects", "maybe", "must be true or false"),
        ("store_url", 7, "must be text"),
    ],
)
def test_an_invalid_value_is_reported_with_its_setting(name: str, value: object, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_settings(**{name: value})
    assert f"FRAMETALLY_{name.upper()}={value}" in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_is_named_by_its_option_or_else_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*command: str) -> str:
        assert main(command) == 2
        return capsys.readouterr().err

    assert said("run", "x", "--jpeg-quality", "300") == "error: --jpeg-quality 300: it must be at most 100\n"
    assert "error: --interval 7: " in said("aggregate", "--interval", "7")
    assert "error: --port 70000: " in said("serve", "--port", "70000")
    monkeypatch.setenv("FRAMETALLY_JPEG_QUALITY", "300")
    assert "error: FRAMETALLY_JPEG_QUALITY=300: " in said("run", "x", "--interval", "60")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("web_port", " 8_080.0 ", 8080),
        ("lease_s", "2", 2.0),
        ("count_objects", "Off", False),
        ("web_uploads", "yes", True),
        ("model_cfg", "a.cfg", Path("a.cfg")),
        ("log_password", "hunter2", SecretStr("hunter2")),
    ],
)
def test_a_text_is_converted_to_the_value_it_means(name: str, text: str, value: object) -> None:
    read = getattr(load_settings(**{name: text}), name)
    assert (read, type(read)) == (value, type(value))
    assert "hunter2" not in f"{read} {read!r}"


def test_every_default_is_allowed() -> None:
    usual = {name: field.get_default() for name, field in Settings.model_fields.items()}
    assert Settings(**usual).model_dump() == usual


def test_each_component_finds_its_own_folder() -> None:
    assert component_folder("search") == ROOT / "elasticsearch"


def test_a_misspelt_setting_is_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("FRAMETALLY_INTERVALS_S=60\n")
    monkeypatch.setenv("FRAMETALLY_SAMPLE_FSP", "all")
    monkeypatch.setenv("FRAMETALLY_JPEG_QUALITY", "80")
    monkeypatch.setenv("FRAMETALLY_DOMAIN", "example.org")
    monkeypatch.setenv("FRAMETALLY_TEST_INDEX_URL", "postgresql://127.0.0.1/frametally")
    assert unknown_settings() == {
        "FRAMETALLY_INTERVALS_S": "did you mean FRAMETALLY_INTERVAL_S?",
        "FRAMETALLY_SAMPLE_FSP": "did you mean FRAMETALLY_SAMPLE_FPS?",
    }


def test_settings_grow_by_five_percent_between_releases_at_most() -> None:
    assert growth_line("settings", len(Settings.model_fields), 111) == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_an_env_file_can_have_any_encoding_that_editors_and_powershell_write(
    tmp_path: Path, encoding: str
) -> None:
    text = "FRAMETALLY_TIME_PATTERN=caf\u00e9_%Y%m%d\r\nFRAMETALLY_WEB_PORT=8080\r\n"
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / ".env").write_bytes((mark + text).encode(encoding))
    assert (load_settings().time_pattern, load_settings().web_port) == ("caf\u00e9_%Y%m%d", 8080)
    assert unknown_settings() == {}


def test_a_bad_line_of_an_env_file_is_reported_once_with_its_place_and_the_rest_applies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("\nFRAMETALLY_WEB_PORT=8080\n\nnot a setting\nFRAMETALLY_TOPIC=cars\n")
    for _ in range(3):
        settings = load_settings()
    assert (settings.web_port, settings.topic) == (8080, "cars")
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(f"{tmp_path}/.env, line 4: frametally ignores this line; write it as NAME=value")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
@pytest.mark.parametrize("command", [["status"], ["doctor"], ["export"], ["produce", "clip.mp4"], ["serve"]])
def test_an_env_file_that_is_not_text_is_one_line_with_its_name(
    tmp_path: Path, encoding: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_bytes("FRAMETALLY_TIME_PATTERN=caf\u00e9_%Y\n".encode(encoding))
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}/.env is not UTF-8 text: save it in that encoding" in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize("name", RUN_PROGRAMS)
def test_settings_that_run_programs_are_not_read_from_a_folder_anybody_may_own(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"FRAMETALLY_{name.upper()}"
    (tmp_path / ".env").write_text(f"{variable}=./evil=1\n")
    with pytest.raises(Misconfigured, match=f"{tmp_path}/.env sets {variable}, .* set it in the environment"):
        load_settings("hadoop")
    monkeypatch.setenv(variable, "mine=1")
    assert getattr(load_settings("hadoop"), name) == "mine=1"
    monkeypatch.delenv(variable)
    (tmp_path / "hadoop").mkdir()
    (tmp_path / ".env").rename(tmp_path / "hadoop" / ".env")
    monkeypatch.setattr("frametally.settings.loading._checkout", lambda: tmp_path)
    assert getattr(load_settings("hadoop"), name) == "./evil=1"
    (tmp_path / "hadoop" / ".env").rename(tmp_path / ".env")
    assert getattr(load_settings("hadoop"), name) == "./evil=1"


def test_every_setting_that_names_a_program_is_known_as_one() -> None:
    commands = {
        name for name, field in Settings.model_fields.items() if "ommand " in (field.description or "")
    }
    assert {"hadoop_python"} <= commands <= set(RUN_PROGRAMS)


def test_a_deleted_current_folder_does_not_matter_if_a_data_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_settings(data_dir=tmp_path).data_dir == tmp_path


def test_a_refused_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = set()
    for name, field in Settings.model_fields.items():
        if field.annotation is not SecretStr:
            continue
        monkeypatch.setenv(f"FRAMETALLY_{name.upper()}", "hunter2")
        try:
            load_settings()
        except Misconfigured as error:
            assert str(error).startswith(f"FRAMETALLY_{name.upper()}=***: ")
            refused.add(name)
        monkeypatch.delenv(f"FRAMETALLY_{name.upper()}")
    assert refused >= {"proxy_secret", "backup_key"}


SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_can_be_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a b=#'x' " * 5
    (tmp_path / "secret").write_text(f"{secret}\n")
    monkeypatch.delenv(f"FRAMETALLY_{name.upper()}", raising=False)
    monkeypatch.setenv(f"FRAMETALLY_{name.upper()}_FILE", str(tmp_path / "secret"))
    try:
        settings = load_settings()
    except Misconfigured as error:  # a list of log-ins or channels is read, and this is not a list
        assert f"FRAMETALLY_{name.upper()}=***" in str(error)
    else:
        assert getattr(settings, name).get_secret_value() == secret
    assert unknown_settings() == {}


def test_a_secrets_own_variable_takes_precedence_over_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_LOG_PASSWORD", "mine")
    monkeypatch.setenv("FRAMETALLY_LOG_PASSWORD_FILE", str(tmp_path / "nowhere"))
    assert load_settings().log_password.get_secret_value() == "mine"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "must contain"),
        (b"\xff", "not UTF-8"),
        (b"x" * 64_001, "at most 64000"),
    ],
)
def test_a_file_without_a_secret_is_named_but_its_content_is_not(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("FRAMETALLY_LOG_PASSWORD_FILE", str(file))
    with pytest.raises(Misconfigured, match=reason) as caught:
        load_settings()
    assert f"FRAMETALLY_LOG_PASSWORD_FILE={file}" in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_the_current_folder_cannot_make_a_command_send_another_file_as_a_secret(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("a key of mine")
    (tmp_path / ".env").write_text(f"FRAMETALLY_LOG_PASSWORD_FILE={tmp_path / 'private'}\n")
    assert load_settings().log_password.get_secret_value() == ""
    assert "cannot name a secret's file" in unknown_settings()["FRAMETALLY_LOG_PASSWORD_FILE"]


def test_a_process_that_must_not_log_in_gets_no_secret_and_no_secret_files_name() -> None:
    given = {f"FRAMETALLY_{name.upper()}{end}": "x" for name in SECRETS for end in ("", "_FILE")}
    others = {"AWS_SECRET_ACCESS_KEY": "x", "SMTP_PASSWORD": "x", "FRAMETALLY_TIMEZONE": "UTC"}
    assert without_secrets(given | others) == {"FRAMETALLY_TIMEZONE": "UTC"}
