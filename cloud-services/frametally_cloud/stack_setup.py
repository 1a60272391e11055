"""Writes the files that the stack needs before its first start: `.env`, users, credentials, certificates.

Existing files are kept and checked: running it again makes missing ones and changes nothing else. To change a
secret, remove it (a line of `.env`, a file) and run it again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import bcrypt
from dotenv import dotenv_values

from frametally.errors import Misconfigured
from frametally.files.dotenv_text import env_text
from frametally.plugins import hooks

LEAST_CHARACTERS = 12
_LEAST_DIFFERENT = 6
_EXAMPLES = re.compile(
    r"change[-_]?(me|it|this)|example|placeholder|your[-_]?(own|password|secret|key)|<.*>|x{4,}|insert|todo"
    r"|^(ci|test|demo|dummy)?(access|secret)(key)?[0-9]*$",
    re.IGNORECASE,
)
_COMMON = re.compile(
    r"pass(word|wort)|qwert|asdf|letmein|welcome|iloveyou|dragon|monkey|football|admin|secret|frametally"
    r"|abcdef|012345|123456|654321|111111|000000",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# No one can get a certificate for these.
_NO_ONES = {"local", "localhost", "internal", "invalid", "lan", "home", "corp"}
_EMAIL = re.compile(r"[^@\s]+@([^@\s]+)")
# Traefik checks the hash at every request: some 15 ms at 8, a quarter of a second at bcrypt's usual 12.
_WEB_ROUNDS = 8


def checked_domain(text: str) -> str:
    """Return the domain in lower case, without a final dot. Raises `Misconfigured`."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if (
        len(labels) < 2
        or len(name) > 240
        or not all(_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()  # an IPv4 address
        or labels[-1] in _NO_ONES
    ):
        raise Misconfigured(
            f"{text!r} is not a domain that can get a certificate; give a domain that you own, such as "
            "counts.your-town.org, without https:// and without a path"
        )
    return name


def checked_email(text: str) -> str:
    """Return the e-mail address without surrounding blanks; raise `Misconfigured` if it is not one."""
    match = _EMAIL.fullmatch(text.strip())
    try:
        checked_domain(match[1] if match else "")
    except Misconfigured:
        raise Misconfigured(
            f"{text!r} is not an e-mail address; Let's Encrypt writes to it when a certificate expires"
        ) from None
    return text.strip()


def checked_secret(name: str, value: str) -> str:
    """Return `value`, a secret chosen by a person or read from a file, if it is acceptable.

    Messages call it `name`, as where people set it, and never show its value.

    Raises `Misconfigured` if the secret is an example's, easy to guess, or unfit for the files.
    """
    refuse_example(name, value)
    if len(value) < LEAST_CHARACTERS or len(set(value)) < _LEAST_DIFFERENT or _COMMON.search(value):
        raise Misconfigured(
            f"{name} is too easy to guess: use at least {LEAST_CHARACTERS} characters, {_LEAST_DIFFERENT} "
            "of them different, and not a common password; or leave it empty to generate one"
        )
    if not value.isprintable() or set(value) & set("'\"\\"):
        raise Misconfigured(f"{name} must not contain quotes, backslashes or control characters")
    return value


def refuse_example(name: str, value: str) -> None:
    """Raise `Misconfigured` if `value` is an example's, or contains quotes or line ends."""
    if _EXAMPLES.search(value):
        raise Misconfigured(f"{name} is an example value; set your own, or leave it empty")
    if not value.isprintable() or "'" in value:
        raise Misconfigured(f"{name} must not contain quotes or control characters")


def new_secret() -> str:
    """Make a secret of 32 letters, digits, - and _: 192 bits."""
    while True:
        value = secrets.token_urlsafe(24)
        # One in millions contains a word that `checked_secret` refuses, or looks like an option.
        if not value.startswith("-") and not _COMMON.search(value) and not _EXAMPLES.search(value):
            return value


def web_hash(password: str) -> str:
    """Return the bcrypt hash for Traefik's users file."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_WEB_ROUNDS)).decode()


def index_hash(password: str) -> str:
    """Return the bcrypt hash for Elasticsearch's users file, with the prefix that it accepts."""
    return "$2a$" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode().removeprefix("$2b$")


def fits(password: str, hashed: str) -> bool:
    """Return whether the hash is that of the password; False if the text is not a hash."""
    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:
        return False


_PORTS = {"smtp": 25, "smtps": 465}
"""The default ports by scheme; Alertmanager starts with TLS only at port 465."""


def alertmanager_settings(values: Mapping[str, str]) -> str:
    """Return the text of `alertmanager.yml` (JSON is YAML) for the mail settings of `.env`.

    Without `FRAMETALLY_SMTP_URL` and `FRAMETALLY_MAIL_TO` no mail is sent: only web pages show the alerts.

    Raises `Misconfigured` if the mail server's address has no host, or asks for TLS at a port other than 465.
    """
    url, recipients = values.get("FRAMETALLY_SMTP_URL", ""), values.get("FRAMETALLY_MAIL_TO", "")
    if not (url and recipients):
        return _settings({"name": "nobody"})
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if not (parts.hostname and port):
        raise Misconfigured("FRAMETALLY_SMTP_URL must be smtp://host:587 or smtps://host")
    if parts.scheme == "smtps" and port != _PORTS["smtps"]:
        raise Misconfigured(f"Alertmanager supports smtps:// only on port 465, not {port}; use smtp://")
    user = values.get("FRAMETALLY_SMTP_USER", "")
    mail: dict[str, object] = {
        "to": recipients,
        "from": values.get("FRAMETALLY_MAIL_FROM") or user,
        "smarthost": f"{parts.hostname}:{port}",
        "auth_username": user,
        "auth_password": values.get("FRAMETALLY_SMTP_PASSWORD", ""),
        # Send a password only over TLS.
        "require_tls": bool(user),
        "send_resolved": True,
    }
    if authority := values.get("FRAMETALLY_CA_FILE"):
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


QUEUE_USERS = {
    "frametally": "FRAMETALLY_QUEUE_PASSWORD",
    "frametally-viewer": "FRAMETALLY_QUEUE_READER_PASSWORD",
}
"""RabbitMQ's users, with the name of each one's password in `.env`."""
EXCHANGES = ("frametally.media", "frametally.media.dead")
_SALT_BYTES = 4


def queue_definitions(values: Mapping[str, str]) -> str:
    """Return the definitions: workers may use only our queues; viewers of the page cannot change anything."""
    ours = "|".join(
        name.replace(".", r"\.")
        for name in (*EXCHANGES, *(name for names in hooks("queues") for name in names))
    )
    workers, viewer = QUEUE_USERS
    users = [
        {
            "name": user,
            "password_hash": _hashed(values[variable], secrets.token_bytes(_SALT_BYTES)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "monitoring" if user == viewer else "",
        }
        for user, variable in QUEUE_USERS.items()
    ]
    permissions = [
        {"user": user, "vhost": "/", "configure": names, "write": names, "read": names}
        for user, names in ((workers, f"^({ours})$"), (viewer, "^$"))
    ]
    return (
        json.dumps({"users": users, "vhosts": [{"name": "/"}], "permissions": permissions}, indent=2) + "\n"
    )


def queue_password_fits(password: str, user: str, definitions: str) -> bool:
    """Return whether the definitions give a user that password; False if the text is not definitions."""
    try:
        hashes = {
            user_entry["name"]: user_entry["password_hash"] for user_entry in json.loads(definitions)["users"]
        }
        hashed = hashes[user]
        salt = base64.b64decode(hashed)[:_SALT_BYTES]
    except (KeyError, TypeError, ValueError):
        return False
    return hmac.compare_digest(_hashed(password, salt), hashed)


def _hashed(password: str, salt: bytes) -> str:
    """Return a password's hash in RabbitMQ's format."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


CONTAINER_USER = 1000
"""Runs Traefik, Kafka, Elasticsearch, RabbitMQ, Alertmanager and the store, and owns their files."""

LOG_USERS = {
    "admin": "KAFKA_ADMIN_PASSWORD",
    "frametally": "FRAMETALLY_LOG_PASSWORD",
    "frametally-camera": "FRAMETALLY_LOG_CAMERA_PASSWORD",
    "frametally-consumer": "FRAMETALLY_LOG_CONSUMER_PASSWORD",
    "frametally-dashboard": "FRAMETALLY_LOG_READER_PASSWORD",
}
"""Kafka's users, each with the variable in `.env` that has its password."""

MADE_SECRETS = (
    *LOG_USERS.values(),
    "FRAMETALLY_INDEX_PASSWORD",
    "FRAMETALLY_INDEX_READER_PASSWORD",
    "FRAMETALLY_LEDGER_PASSWORD",
    "ELASTIC_PASSWORD",
    *QUEUE_USERS.values(),
    "FRAMETALLY_AIRFLOW_PASSWORD",
    "FRAMETALLY_PROXY_SECRET",
    "FRAMETALLY_BACKUP_KEY",
)
BUNDLED_STORE = {
    "COMPOSE_PROFILES": "store",
    "FRAMETALLY_STORE_URL": "s3://frametally",
    "FRAMETALLY_STORE_ENDPOINT": "http://store:8333",
    "AWS_REGION": "us-east-1",
    "FRAMETALLY_STORE_ACCESS_KEY": "frametally-store",
}
_NEEDED = ("FRAMETALLY_STORE_URL", "FRAMETALLY_STORE_ACCESS_KEY", "FRAMETALLY_STORE_SECRET_KEY")
_INDEX_USERS = {
    "frametally": ("FRAMETALLY_INDEX_PASSWORD", ("frametally_setup", "frametally_indexer")),
    "frametally-dashboard": ("FRAMETALLY_INDEX_READER_PASSWORD", ("frametally_dashboard",)),
}
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
_USER_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Values that only a person knows; an empty one takes the value in `.env`, or a generated one.

    Attributes:
        email: Your e-mail address, for Let's Encrypt.
        user: User of the web pages; empty for the present users, or `admin` if there are none.
        password: That user's password; empty keeps it, or writes a new one to the file `first-password`.
        store: Settings of the S3 store, by the name of the variable.
        bundled_store: Whether the stack runs its own S3 store.
    """

    domain: str = ""
    email: str = ""
    user: str = ""
    password: str = ""
    store: Mapping[str, str]
    bundled_store: bool = False


class SetUp(NamedTuple):
    """The completed steps."""

    written: list[str]
    kept: list[str]
    warnings: list[str]


def set_up(folder: Path, answers: Answers) -> SetUp:
    """Write missing files in the stack's folder, `cloud-services` of a checkout.

    1. All of `.env`'s values are known and checked before anything is written.
    2. `.env` is written first: the other files are made from it, even after an interrupted run.
    3. Each file appears complete, by rename, and others can never read it, not even for a moment.

    Raises `Misconfigured` if an answer or an existing value is invalid, or two contradict each other.
    """
    if not (folder / "docker-compose.yml").is_file():
        raise Misconfigured(f"{folder} is not the stack's folder: it has no docker-compose.yml")
    values = _values(folder / ".env", answers)
    if answers.user and not _USER_NAME.fullmatch(answers.user):
        raise Misconfigured(f"{answers.user!r} is not a valid user name: use letters, digits and . _ -")
    if answers.password:
        checked_secret("the password", answers.password)
    work = _Work(folder)
    work.put(".env", lambda: _env_text(folder, values), again=True)
    work.put("kafka-jaas/kafka_server_jaas.conf", lambda: _jaas(folder, values))
    work.put("elasticsearch/users", lambda: _index_users(values))
    work.put("elasticsearch/users_roles", _index_roles)
    work.put("rabbitmq/definitions.json", lambda: queue_definitions(values))
    work.put("prometheus/alertmanager.yml", lambda: alertmanager_settings(values), again=True)
    if "store" in values.get("COMPOSE_PROFILES", "").split(","):
        work.put("store/s3.json", lambda: _store_identities(values))
    _put_web_user(work, answers.user, answers.password)
    work.put("traefik/acme/acme.json", lambda: "")  # empty: Traefik fills it
    _check_agreement(folder, values)
    return SetUp(work.written, work.kept, work.give_to_containers())


class _Work:
    """Writes the files of the stack's folder, and records them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[str] = []
        self.kept: list[str] = []

    def put(self, name: str, make_text: Callable[[], str], *, again: bool = False) -> None:
        """Write the file unless it exists; with `again`, also if its text has changed."""
        path = self.folder / name
        text = make_text() if again or not path.is_file() else None
        if path.is_file() and text in (None, path.read_text(encoding="utf-8")):
            self.kept.append(name)
            path.chmod(0o600)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text or "")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self.written.append(name)

    def give_to_containers(self) -> list[str]:
        """Make the container user the owner of files that containers read; return a line about failures."""
        for private in ("traefik/auth", "traefik/acme"):
            (self.folder / private).chmod(0o700)
        theirs = [
            self.folder / name
            for name in [*self.written, *self.kept, "traefik/auth", "traefik/acme"]
            if name not in (".env", "first-password")
        ]
        others = [path for path in theirs if path.stat().st_uid != CONTAINER_USER]
        if others and os.geteuid() != 0:
            names = " ".join(str(path) for path in others)
            return [f"the containers run as user {CONTAINER_USER}: sudo chown -R {CONTAINER_USER} {names}"]
        for path in others:
            os.chown(path, CONTAINER_USER, CONTAINER_USER)
        return []


def _values(env_file: Path, answers: Answers) -> dict[str, str]:
    """Return all of `.env`: its own values, the answers, generated ones. Raises `Misconfigured`."""
    text = StringIO(env_text(env_file) if env_file.is_file() else "")
    stored = {name: value or "" for name, value in dotenv_values(stream=text, interpolate=False).items()}
    variables = dict(answers.store)
    if answers.bundled_store:
        profiles = stored.get("COMPOSE_PROFILES", "")
        variables |= BUNDLED_STORE | (
            {"COMPOSE_PROFILES": profiles} if "store" in profiles.split(",") else {}
        )
        variables.setdefault(
            "FRAMETALLY_STORE_SECRET_KEY", stored.get("FRAMETALLY_STORE_SECRET_KEY") or new_secret()
        )
    if answers.domain:
        variables["FRAMETALLY_DOMAIN"] = checked_domain(answers.domain)
    if answers.email:
        variables["FRAMETALLY_ACME_EMAIL"] = checked_email(answers.email)
    for name, value in variables.items():
        if value and stored.get(name) not in (None, "", value):
            raise Misconfigured(
                f"{env_file} has another {name} than you gave: edit it there, or delete that line first"
            )
    values = stored | {name: value for name, value in variables.items() if value}
    for name in ("FRAMETALLY_DOMAIN", "FRAMETALLY_ACME_EMAIL", *_NEEDED):
        if not values.get(name):
            raise Misconfigured(f"frametally does not know {name}; {_REMEDIES[name]}")
    checked_domain(values["FRAMETALLY_DOMAIN"])
    checked_email(values["FRAMETALLY_ACME_EMAIL"])
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", values["FRAMETALLY_STORE_URL"]):
        raise Misconfigured("FRAMETALLY_STORE_URL must name a bucket, such as s3://my-counts")
    for name in _NEEDED:
        refuse_example(name, values[name])
    for name in MADE_SECRETS:
        values[name] = checked_secret(name, values.get(name) or new_secret())
    shared = {values[name] for name in MADE_SECRETS}
    if len(shared) < len(MADE_SECRETS):
        raise Misconfigured(f"two of {', '.join(MADE_SECRETS)} are the same; give each server its own")
    return values


_REMEDIES = {
    "FRAMETALLY_DOMAIN": "give --domain, such as counts.your-town.org (make cloud-setup DOMAIN=...)",
    "FRAMETALLY_ACME_EMAIL": "give --email (make cloud-setup EMAIL=...)",
    "FRAMETALLY_STORE_URL": "give --store-url s3://bucket, or --bundled-store to run your own store",
    "FRAMETALLY_STORE_ACCESS_KEY": "give --store-access-key, or --bundled-store",
    "FRAMETALLY_STORE_SECRET_KEY": "set it in the environment or in .env, or give --bundled-store",
}


def _env_text(folder: Path, values: Mapping[str, str]) -> str:
    """Return the lines of `.env` or its example with the values filled in, then the values without a line."""
    env_file = folder / ".env"
    frame = env_file if env_file.is_file() else folder / ".env.example"
    lines, left = [], dict(values)
    for line in env_text(frame).splitlines():
        name = line.partition("=")[0].strip()
        if not line.lstrip().startswith("#") and name in left:
            before = line.partition("=")[2].strip()
            value = left.pop(name)
            # Leave lines that a person wrote unchanged.
            is_unchanged = frame is env_file and before
            lines.append(line if is_unchanged else f"{name}={_quoted(value)}")
        elif line.startswith("# Copy to .env"):
            lines.append(
                "# Written by `frametally cloud-setup`, which keeps existing values. docker-compose reads it."
            )
        else:
            lines.append(line)
    lines += [f"{name}={_quoted(value)}" for name, value in left.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else f"'{value}'"


def _jaas(folder: Path, values: Mapping[str, str]) -> str:
    text = (folder / "kafka-jaas" / "kafka_server_jaas.conf.example").read_text(encoding="utf-8")
    about, _, sections = text.partition("KafkaServer")
    for user, variable in LOG_USERS.items():
        example = f"change-me-{user.removeprefix('frametally-')}"
        sections = sections.replace(f'"{example}"', f'"{values[variable]}"')
    return f"{about.split(chr(10) + '//' + chr(10))[-1]}KafkaServer{sections}"


def _index_users(values: Mapping[str, str]) -> str:
    return "".join(f"{user}:{index_hash(values[name])}\n" for user, (name, _) in _INDEX_USERS.items())


def _index_roles() -> str:
    roles: dict[str, list[str]] = {}
    for user, (_, has) in _INDEX_USERS.items():
        for role in has:
            roles.setdefault(role, []).append(user)
    return "".join(f"{role}:{','.join(users)}\n" for role, users in roles.items())


def _store_identities(values: Mapping[str, str]) -> str:
    key = {
        "accessKey": values["FRAMETALLY_STORE_ACCESS_KEY"],
        "secretKey": values["FRAMETALLY_STORE_SECRET_KEY"],
    }
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "frametally", "credentials": [key], "actions": actions}
    return json.dumps({"identities": [identity]}, indent=2) + "\n"


def _put_web_user(work: _Work, named: str, password: str) -> None:
    users, user = work.folder / "traefik" / "auth" / "usersfile", named or "admin"
    lines = users.read_text(encoding="utf-8").splitlines() if users.is_file() else []
    entry = next((line for line in lines if line.startswith(f"{user}:")), "")
    if lines and (fits(password, entry.partition(":")[2]) if password else entry or not named):
        work.put("traefik/auth/usersfile", lambda: "")  # kept unchanged
        return
    others = [line for line in lines if not line.startswith(f"{user}:")]
    if not password:
        password = new_secret()
        first = work.folder / "first-password"
        # Keep passwords that no one may have noted yet.
        noted = first.read_text(encoding="utf-8") if others and first.is_file() else ""
        work.put("first-password", lambda: f"{noted}{user} {password}\n", again=True)
    text = "".join(f"{line}\n" for line in [*others, f"{user}:{web_hash(password)}"])
    work.put("traefik/auth/usersfile", lambda: text, again=True)


def _check_agreement(folder: Path, values: Mapping[str, str]) -> None:
    """Raise `Misconfigured` if an existing file has a different secret from `.env`."""

    def differs(name: str, variable: str) -> Misconfigured:
        return Misconfigured(
            f"{folder / name} has another password than {variable} in .env: write the same one into both, "
            "or delete the file and run this again"
        )

    jaas = folder / "kafka-jaas" / "kafka_server_jaas.conf"
    text = jaas.read_text(encoding="utf-8")
    for user, variable in LOG_USERS.items():
        if set(re.findall(rf'\buser_{user}="([^"]*)"', text)) != {values[variable]}:
            raise differs("kafka-jaas/kafka_server_jaas.conf", variable)
    if "public.KafkaServer" not in text:
        raise Misconfigured(
            f"{jaas} has no section public.KafkaServer, so all its users could sign in from outside: write "
            "it as in the example, or delete the file and run this again"
        )
    for password in re.findall(r'"([^"]*)"', text.partition("KafkaServer")[2]):
        refuse_example(f"a password in {jaas}", password)
    users = (folder / "elasticsearch" / "users").read_text(encoding="utf-8").splitlines()
    hashes = dict(line.split(":", 1) for line in users if ":" in line)
    for user, (variable, _) in _INDEX_USERS.items():
        if not fits(values[variable], hashes.get(user, "")):
            raise differs("elasticsearch/users", variable)
    definitions = (folder / "rabbitmq" / "definitions.json").read_text(encoding="utf-8")
    for user, variable in QUEUE_USERS.items():
        if not queue_password_fits(values[variable], user, definitions):
            raise differs("rabbitmq/definitions.json", variable)
    identities = folder / "store" / "s3.json"
    if (
        identities.is_file()
        and json.dumps(values["FRAMETALLY_STORE_SECRET_KEY"]) not in identities.read_text()
    ):
        raise differs("store/s3.json", "FRAMETALLY_STORE_SECRET_KEY")
