"""What `frametally cloud-setup` writes, keeps and refuses, including mail; and `frametally reach`."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from dotenv import dotenv_values
from tests.commands import frametally
from tests.kit.processes import run_program

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings
from frametally_cli.commands.servers import Server, named_servers, why_unreachable
from frametally_cloud.stack_setup import (
    CONTAINER_USER,
    LEAST_CHARACTERS,
    LOG_USERS,
    MADE_SECRETS,
    QUEUE_USERS,
    Answers,
    alertmanager_settings,
    checked_secret,
    new_secret,
    queue_password_fits,
    set_up,
)

STORE = {
    "FRAMETALLY_STORE_URL": "s3://town-counts",
    "FRAMETALLY_STORE_ENDPOINT": "https://fsn1.your-objectstorage.com",
    "FRAMETALLY_STORE_ACCESS_KEY": "AKIAEJ2XL6ZB7NQ",
    "FRAMETALLY_STORE_SECRET_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz",
}
ANSWERS = Answers(domain="counts.town.org", email="ops@town.org", store=STORE)
PASSWORD = "Seven-tall-herons-2"  # noqa: S105
FILES = [
    ".env",
    "kafka-jaas/kafka_server_jaas.conf",
    "elasticsearch/users",
    "elasticsearch/users_roles",
    "rabbitmq/definitions.json",
    "prometheus/alertmanager.yml",
    "traefik/auth/usersfile",
    "traefik/acme/acme.json",
]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.thorough
def test_one_run_writes_everything_that_the_stack_needs(stack: Path) -> None:
    done = set_up(stack, ANSWERS)
    assert set(done.written) == {*FILES, "first-password"}
    values = dotenv_values(stack / ".env", interpolate=False)
    assert values["FRAMETALLY_DOMAIN"] == "counts.town.org"
    assert values["FRAMETALLY_STORE_SECRET_KEY"] == STORE["FRAMETALLY_STORE_SECRET_KEY"]
    assert len({values[name] for name in MADE_SECRETS}) == len(MADE_SECRETS)
    for name in MADE_SECRETS:
        assert len(values[name] or "") == 32
    jaas = (stack / "kafka-jaas/kafka_server_jaas.conf").read_text()
    told = re.sub(r"(?m)^//.*$", "", jaas).split("public.KafkaServer")
    inside, outside = (dict(re.findall(r'(\S+)="([^"]+)"', part)) for part in told)
    assert inside == {"username": "admin", "password": values["KAFKA_ADMIN_PASSWORD"]} | {
        f"user_{user}": values[name] for user, name in LOG_USERS.items()
    }
    # Of all users, only the camera may connect from outside.
    assert outside == {"user_frametally-camera": values["FRAMETALLY_LOG_CAMERA_PASSWORD"]}
    assert "change-me" not in jaas
    users = dict(line.split(":", 1) for line in (stack / "elasticsearch/users").read_text().splitlines())
    for user, name in (
        ("frametally", "FRAMETALLY_INDEX_PASSWORD"),
        ("frametally-dashboard", "FRAMETALLY_INDEX_READER_PASSWORD"),
    ):
        assert users[user].startswith("$2a$")  # the only bcrypt prefix that Elasticsearch knows
        assert bcrypt.checkpw((values[name] or "").encode(), users[user].encode())
    definitions = (stack / "rabbitmq/definitions.json").read_text()
    for user, name in QUEUE_USERS.items():
        assert queue_password_fits(values[name] or "", user, definitions)
        assert not queue_password_fits("another", user, definitions)
        assert (values[name] or "") not in definitions
    user, password = (stack / "first-password").read_text().split()
    line = (stack / "traefik/auth/usersfile").read_text().strip()
    assert line.startswith(f"{user}:$2b$")
    assert bcrypt.checkpw(password.encode(), line.partition(":")[2].encode())
    assert (stack / "traefik/acme/acme.json").read_bytes() == b""


def test_secrets_are_readable_only_by_the_services_that_need_them(stack: Path) -> None:
    done = set_up(stack, ANSWERS)
    for name in [*FILES, "first-password"]:
        assert stat.S_IMODE((stack / name).stat().st_mode) == 0o600, name
    for name in ("traefik/auth", "traefik/acme"):
        assert stat.S_IMODE((stack / name).stat().st_mode) == 0o700, name
    if os.geteuid() == 0:
        assert not done.warnings
        for name in FILES[1:]:
            assert (stack / name).stat().st_uid == CONTAINER_USER, name
    else:
        assert all(line.startswith(f"the containers run as user {CONTAINER_USER}") for line in done.warnings)


@pytest.mark.thorough
def test_a_second_run_changes_nothing(stack: Path) -> None:
    set_up(stack, ANSWERS)
    before = snapshot(stack)
    again = set_up(stack, Answers(store={}))
    assert snapshot(stack) == before
    assert again.written == []
    assert set_up(stack, ANSWERS).written == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILES)
def test_a_lost_file_is_made_again_to_match_the_rest(stack: Path, name: str) -> None:
    set_up(stack, ANSWERS)
    before = snapshot(stack)
    (stack / name).unlink()
    if name == ".env":  # its secrets are gone, so files made from them must go as well
        with pytest.raises(Misconfigured, match="has another password than"):
            set_up(stack, ANSWERS)
        return
    assert name in set_up(stack, Answers(store={})).written
    after = snapshot(stack)
    assert {key for key in before if before[key] != after[key]} <= {name, "first-password"}
    assert set_up(stack, Answers(store={})).written == []


@pytest.mark.thorough
def test_removing_a_secret_changes_it(stack: Path) -> None:
    set_up(stack, ANSWERS)
    env_file = stack / ".env"
    old = dotenv_values(env_file)["FRAMETALLY_LOG_PASSWORD"]
    text = re.sub(r"(?m)^FRAMETALLY_LOG_PASSWORD=.*$", "FRAMETALLY_LOG_PASSWORD=", env_file.read_text())
    env_file.write_text(text)
    with pytest.raises(
        Misconfigured, match=r"kafka_server_jaas.conf has another password than FRAMETALLY_LOG"
    ):
        set_up(stack, Answers(store={}))
    (stack / "kafka-jaas/kafka_server_jaas.conf").unlink()
    set_up(stack, Answers(store={}))
    new = dotenv_values(env_file)["FRAMETALLY_LOG_PASSWORD"]
    assert new != old
    assert f'"{new}"' in (stack / "kafka-jaas/kafka_server_jaas.conf").read_text()


def test_a_login_file_that_admits_everyone_from_outside_is_refused(stack: Path) -> None:
    set_up(stack, ANSWERS)
    jaas = stack / "kafka-jaas/kafka_server_jaas.conf"
    jaas.write_text(jaas.read_text().partition("public.KafkaServer")[0])
    with pytest.raises(Misconfigured, match=r"no section public\.KafkaServer"):
        set_up(stack, Answers(store={}))


@pytest.mark.thorough
@pytest.mark.parametrize("user", LOG_USERS)
def test_a_login_missing_from_the_file_of_the_log_is_named(stack: Path, user: str) -> None:
    set_up(stack, ANSWERS)
    jaas = stack / "kafka-jaas/kafka_server_jaas.conf"
    jaas.write_text(re.sub(rf'  user_{user}=".*"(;?)\n', r"\1", jaas.read_text()))
    with pytest.raises(Misconfigured, match=f"has another password than {LOG_USERS[user]} in .env"):
        set_up(stack, Answers(store={}))


def test_lines_written_by_a_person_stay(stack: Path) -> None:
    own = "# ours\nFRAMETALLY_TIMEZONE=Europe/Berlin\nFRAMETALLY_COUNT_LABELS='car, bus'\n"
    (stack / ".env").write_text(own)
    set_up(stack, ANSWERS)
    assert (stack / ".env").read_text().startswith(own)


def test_a_chosen_password_is_accepted_and_never_kept_in_clear_text(stack: Path) -> None:
    done = set_up(stack, Answers(domain="a.org", email="a@a.org", user="eva", password=PASSWORD, store=STORE))
    assert "first-password" not in done.written
    line = (stack / "traefik/auth/usersfile").read_text().strip()
    assert line.startswith("eva:")
    assert bcrypt.checkpw(PASSWORD.encode(), line.partition(":")[2].encode())
    assert not [name for name, data in snapshot(stack).items() if PASSWORD.encode() in data]


@pytest.mark.thorough
def test_a_second_person_can_be_added_and_a_password_changed(stack: Path) -> None:
    set_up(stack, Answers(domain="a.org", email="a@a.org", user="eva", password=PASSWORD, store=STORE))
    users = stack / "traefik/auth/usersfile"
    evas = users.read_text()
    set_up(stack, Answers(user="tom", password="Nine-wet-otters-5", store={}))  # noqa: S106
    assert users.read_text().startswith(evas)
    set_up(stack, Answers(user="eva", password="Four-old-storks-8", store={}))  # noqa: S106
    toms, changed = users.read_text().splitlines()
    assert toms.startswith("tom:")
    assert bcrypt.checkpw(b"Four-old-storks-8", changed.removeprefix("eva:").encode())


@pytest.mark.thorough
def test_a_second_person_without_a_password_gets_a_generated_one(stack: Path) -> None:
    set_up(stack, ANSWERS)
    users, first = stack / "traefik/auth/usersfile", stack / "first-password"
    admins, before = first.read_text(), users.read_text()
    done = set_up(stack, Answers(user="tom", store={}))
    assert set(done.written) == {"traefik/auth/usersfile", "first-password"}
    assert first.read_text().startswith(admins)
    name, password = first.read_text().removeprefix(admins).split()
    assert users.read_text().startswith(before)
    line = users.read_text().removeprefix(before).strip()
    assert name == "tom"
    assert line.startswith("tom:")
    assert bcrypt.checkpw(password.encode(), line.removeprefix("tom:").encode())
    assert set_up(stack, Answers(user="tom", store={})).written == []


@pytest.mark.thorough
def test_a_bundled_store_gets_matching_keys(stack: Path) -> None:
    done = set_up(stack, Answers(domain="a.org", email="a@a.org", bundled_store=True, store={}))
    assert "store/s3.json" in done.written
    values = dotenv_values(stack / ".env")
    assert values["COMPOSE_PROFILES"] == "store"
    assert values["FRAMETALLY_STORE_ENDPOINT"] == "http://store:8333"
    key = json.loads((stack / "store/s3.json").read_text())["identities"][0]["credentials"][0]
    assert key == {
        "accessKey": values["FRAMETALLY_STORE_ACCESS_KEY"],
        "secretKey": values["FRAMETALLY_STORE_SECRET_KEY"],
    }
    assert set_up(stack, Answers(bundled_store=True, store={})).written == []
    # Change its secret as the README says.
    lines = (stack / ".env").read_text().splitlines(keepends=True)
    (stack / ".env").write_text("".join(line for line in lines if "STORE_SECRET_KEY" not in line))
    (stack / "store/s3.json").unlink()
    assert set(set_up(stack, Answers(bundled_store=True, store={})).written) == {".env", "store/s3.json"}
    assert dotenv_values(stack / ".env")["FRAMETALLY_STORE_SECRET_KEY"] != key["secretKey"]


@pytest.mark.parametrize(
    "domain",
    [
        *(
            "localhost",
            "town",
            "https://counts.town.org",
            "counts.town.org/x",
            "192.168.0.7",
            "::1",
            "a_b.org",
        ),
        *("-a.org", "a..org", ".org", " ", "server.local", "counts.town.123", "x" * 64 + ".org", "tówn.org"),
        "a.org:443",
    ],
)
def test_an_invalid_domain_name_is_refused(stack: Path, domain: str) -> None:
    with pytest.raises(Misconfigured, match="domain"):
        set_up(stack, Answers(domain=domain, email="a@a.org", store=STORE))
    assert not (stack / ".env").exists()


@pytest.mark.parametrize("email", ["ops", "ops@", "@town.org", "ops@localhost", "a b@town.org"])
def test_an_unusable_e_mail_address_is_refused(stack: Path, email: str) -> None:
    with pytest.raises(Misconfigured, match="e-mail"):
        set_up(stack, Answers(domain="a.org", email=email, store=STORE))


@pytest.mark.parametrize(
    "password",
    [
        *("short-1A", "aaaaaaaaaaaaaaaa", "password-12345", "Admin-Admin-99", "frametally-2026"),
        *("qwertzuiop-99", "change-me-please", "<your password>", "xxxxxxxxxxxx"),
        *("Seven 'tall' herons", 'Seven "tall" herons'),
    ],
)
def test_a_weak_or_example_password_is_refused_without_being_shown(stack: Path, password: str) -> None:
    for values in ({"FRAMETALLY_LOG_PASSWORD": password}, {}):
        (stack / ".env").write_text("".join(f"{k}={json.dumps(v)}\n" for k, v in values.items()))
        chosen = "" if values else password
        with pytest.raises(Misconfigured) as caught:
            set_up(stack, Answers(domain="a.org", email="a@a.org", password=chosen, store=STORE))
        assert password not in str(caught.value)
        assert not (stack / "kafka-jaas/kafka_server_jaas.conf").exists()


@pytest.mark.parametrize(
    "secret", ["change-me", "YOUR-SECRET-KEY", "cisecret123x-example", "secretkey", "<secret>"]
)
def test_the_stores_example_secret_is_refused(stack: Path, secret: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_STORE_SECRET_KEY is an example value"):
        set_up(
            stack,
            Answers(domain="a.org", email="a@a.org", store=STORE | {"FRAMETALLY_STORE_SECRET_KEY": secret}),
        )


def test_logins_copied_from_the_example_are_refused(stack: Path) -> None:
    folder = stack / "kafka-jaas"
    shutil.copy(folder / "kafka_server_jaas.conf.example", folder / "kafka_server_jaas.conf")
    with pytest.raises(Misconfigured, match="password"):
        set_up(stack, ANSWERS)


def test_two_servers_never_share_a_password(stack: Path) -> None:
    same = "Three-blue-geese-1"
    (stack / ".env").write_text(f"ELASTIC_PASSWORD={same}\nFRAMETALLY_LEDGER_PASSWORD={same}\n")
    with pytest.raises(Misconfigured, match="are the same"):
        set_up(stack, ANSWERS)


def test_a_domain_other_than_the_stacks_is_refused(stack: Path) -> None:
    set_up(stack, ANSWERS)
    before = snapshot(stack)
    with pytest.raises(Misconfigured, match="another FRAMETALLY_DOMAIN than you gave"):
        set_up(stack, Answers(domain="other.org", store={}))
    assert snapshot(stack) == before


def test_a_generated_secret_passes_its_own_check() -> None:
    made = {new_secret() for _ in range(500)}
    assert len(made) == 500
    for value in made:
        assert checked_secret("it", value) == value
        assert len(value) > LEAST_CHARACTERS


def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return run_program(
        [sys.executable, "-m", "frametally", "cloud-setup", *map(str, arguments)],
        code=None,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "200"} | env,
    )


@pytest.mark.thorough
def test_the_command_takes_secrets_from_the_environment_and_prints_none(stack: Path) -> None:
    told = ("--domain", "counts.town.org", "--email", "ops@town.org", "--store-url", "s3://town-counts")
    keys = ("--store-access-key", STORE["FRAMETALLY_STORE_ACCESS_KEY"])
    secret = STORE["FRAMETALLY_STORE_SECRET_KEY"]
    missing = run(*told, *keys, "--folder", stack)
    assert missing.returncode == 2
    assert "frametally does not know FRAMETALLY_STORE_SECRET_KEY; set it in the environment" in missing.stderr
    env = {"FRAMETALLY_STORE_SECRET_KEY": secret, "FRAMETALLY_CLOUD_PASSWORD": PASSWORD}
    done = run(*told, *keys, "--folder", stack, **env)
    assert done.returncode == (0 if os.geteuid() in (0, CONTAINER_USER) else 1), done.stderr
    values = dotenv_values(stack / ".env", interpolate=False)
    said = done.stdout + done.stderr
    for shown in (secret, PASSWORD, *(values[name] or "" for name in MADE_SECRETS)):
        assert shown not in said
    assert "docker-compose up -d --build" in said


@pytest.mark.thorough
def test_without_a_domain_one_line_says_how_to_give_it(stack: Path) -> None:
    done = run("--bundled-store", "--folder", stack)
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("error: frametally does not know FRAMETALLY_DOMAIN; give --domain")
    )
    assert not (stack / ".env").exists()


MAIL = {
    "FRAMETALLY_SMTP_URL": "smtp://mail.town.org:587",
    "FRAMETALLY_SMTP_USER": "counts@town.org",
    "FRAMETALLY_SMTP_PASSWORD": 'say "so": {{ .x }}',
    "FRAMETALLY_MAIL_TO": "ops@town.org",
}


@pytest.mark.parametrize("missing", ["FRAMETALLY_MAIL_TO", "FRAMETALLY_SMTP_URL"])
def test_without_a_mail_server_or_a_recipient_no_mail_is_sent(missing: str) -> None:
    settings = json.loads(alertmanager_settings(MAIL | {missing: ""}))
    assert settings["receivers"] == [{"name": "nobody"}]
    assert settings["route"]["receiver"] == "nobody"


def test_a_password_is_sent_only_over_tls() -> None:
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


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_every_server_named_in_a_setting_is_contacted() -> None:
    settings = Settings(
        store_url="s3://counts",
        store_endpoint="https://s3.example",
        log_url="kafka://one:9092,two:9192",
        index_url="elasticsearch+http://search:9200/counts",
        ledger_url="postgresql://books/frametally",
        catalogue_url="postgresql://videos:5433/frametally",
    )
    assert list(named_servers(settings)) == [
        Server("store", "s3.example", 443),
        Server("log", "one", 9092),
        Server("log", "two", 9192),
        Server("index", "search", 9200),
        Server("ledger", "books", 5432),
        Server("catalogue", "videos", 5433),
    ]


def test_a_server_named_in_a_file_or_a_query_is_contacted(tmp_path: Path) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text("bootstrap.servers=one:9092,two:9192\n")
    settings = Settings(
        log_url="kafka://",
        log_client_properties=properties,
        ledger_url="postgresql:///frametally?host=books,more&port=5433",
        catalogue_url="postgresql:///frametally?host=/run/postgresql",
    )
    assert list(named_servers(settings)) == [
        Server("log", "one", 9092),
        Server("log", "two", 9192),
        Server("ledger", "books", 5433),
        Server("ledger", "more", 5433),
    ]


def test_embedded_parts_have_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert frametally("reach").out == ""


def test_a_server_that_accepts_a_connection_is_reachable(listening: int) -> None:
    assert why_unreachable(Server("log", "127.0.0.1", listening)) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_one_line_names_the_server_and_the_setting(host: str) -> None:
    port = closed_port()
    why = why_unreachable(Server("store", host, port))
    assert "\n" not in why
    assert f"the store's server {host}:{port} cannot be reached (" in why
    assert "that FRAMETALLY_STORE_ENDPOINT is right" in why


def test_one_unreachable_server_fails_the_whole_check(
    listening: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_LOG_URL", f"kafka://127.0.0.1:{listening}")
    monkeypatch.setenv("FRAMETALLY_INDEX_URL", f"postgresql://127.0.0.1:{closed_port()}/counts")
    said = frametally("reach", code=2)
    assert said.out == f"log: 127.0.0.1:{listening} answers\n"
    assert "FRAMETALLY_INDEX_URL is right" in said.err.replace("\n", " ")
