"""Loads all settings of a process; the other modules of this folder define those of each stage.

A setting is read from the environment (`FRAMETALLY_<NAME>`), then from the component folder's `.env`, then
from the current folder's. Some settings also have other tools' names (`other_names`). Settings that name
programs are not accepted from the current folder, unless it is the checkout: an arbitrary folder must not
decide what runs.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from frametally.errors import Misconfigured
from frametally.files.dotenv_text import read_env_file
from frametally.files.names import as_text
from frametally.keys import USUAL_TOPIC
from frametally.plugins import hooks
from frametally.settings.consumer import ConsumerSettings
from frametally.settings.counting import CountingSettings
from frametally.settings.fields import Field, SecretStr, SettingRefused, without_passwords
from frametally.settings.mail import MailSettings
from frametally.settings.other_names import by_other_names
from frametally.settings.plugin_settings import PluginSettings
from frametally.settings.producer import ProducerSettings
from frametally.settings.servers import ServerSettings
from frametally.settings.telemetry import TelemetrySettings
from frametally.settings.web import WebSettings

ENV_PREFIX = "FRAMETALLY_"
_DATA_DIR = f"{ENV_PREFIX}DATA_DIR"
EMPTY_SAYS_NONE = (f"{ENV_PREFIX}LIVE_ALLOW",)
"""Variables for which an empty value has a meaning; other empty variables count as unset."""

RUN_PROGRAMS = ("hadoop_python", "hadoop_jobconf")
"""Settings that decide which programs run, here or on a cluster's nodes."""

COMPONENT_FOLDERS = {
    "producer": "producer",
    "consumer": "consumer",
    "hadoop": "hadoop",
    "search": "elasticsearch",
    "web": "simple_frontend",
}


DATA_FOLDER = Path("frametally-data")
_MOST_SECRET_BYTES = 64_000


def _default_data_dir() -> Path:
    """Return the data folder of the checkout around the current folder, which its components share."""
    try:
        current = Path.cwd()
    except FileNotFoundError:  # the current folder was deleted
        return DATA_FOLDER
    checkouts = (
        folder for folder in (current, *current.parents) if (folder / "core/frametally/settings").is_dir()
    )
    return next(checkouts, Path()) / DATA_FOLDER


def _default_models_dir() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "frametally" / "models"


if TYPE_CHECKING:
    _PluginParts = PluginSettings
else:
    _PluginParts = type("_PluginParts", (*hooks("settings"), PluginSettings), {"__module__": __name__})

Part = TypeVar("Part", bound=PluginSettings)


class Settings(
    _PluginParts,
    WebSettings,
    MailSettings,
    TelemetrySettings,
    ServerSettings,
    CountingSettings,
    ConsumerSettings,
    ProducerSettings,
):
    """All settings of one process, read once at its start."""

    # Storage.
    data_dir: Path = Field(
        _default_data_dir,
        description="Folder of the embedded store, log and index; by default, in the current folder, or in "
        "the checkout that it is in.",
    )
    store_url: str = Field("", description="Object store; if empty, files in `<data_dir>/store`.")
    log_url: str = Field("", description="Frame log; if empty, SQLite in `<data_dir>/log.sqlite`.")
    index_url: str = Field("", description="Count index; if empty, SQLite in `<data_dir>/index.sqlite`.")
    ledger_url: str = Field("", description="Ledger; if empty, SQLite in `<data_dir>/ledger.sqlite`.")
    models_dir: Path = Field(
        _default_models_dir,
        description="Cache of downloaded models, shared by all checkouts.",
    )

    # The log.
    topic: str = Field(
        USUAL_TOPIC,
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic for frame announcements; deployments that share a Kafka need "
        "different topics.",
    )
    log_partitions: int = Field(6, ge=1, le=1000, description="Partitions of a new topic.")
    lease_s: float = Field(
        10.0,
        gt=0,
        le=1800,  # a job's lease must be shorter than `adapters.sql.clock.LONGEST_WAIT_MS`
        description="Seconds of silence after which the work of a dead process moves to another: partitions, "
        "cameras and streams; jobs after three times as long.",
    )

    def __init__(self, **values: Any) -> None:
        """Read settings that are not in `values` from the environment; an empty variable sets nothing.

        Raises:
            SettingRefused: A value is not allowed.
        """
        environment = {
            name.upper().removeprefix(ENV_PREFIX).lower(): value
            for name, value in os.environ.items()
            if value and name.upper().startswith(ENV_PREFIX)
        }
        super().__init__(**environment | values)

    @property
    def is_live(self) -> bool:
        """Whether `topic` is the topic of cameras and streams."""
        return self.topic == self.live_topic

    @property
    def job_lease_s(self) -> float:
        """Seconds of silence after which a worker's job goes to another."""
        return 3 * self.lease_s

    def part(self, plugin_settings: type[Part]) -> Part:
        """Return these settings as a plug-in's settings, whose class is a base of `Settings`."""
        if not isinstance(self, plugin_settings):
            raise TypeError(f"no installed plug-in has {plugin_settings.__name__}")
        return self

    def resolved(self) -> Self:
        """Return these settings with `data_dir` absolute and every empty URL filled in."""
        data_dir = _resolved(self.data_dir.expanduser())
        return self.model_copy(
            update={
                "data_dir": data_dir,
                "store_url": self.store_url or (data_dir / "store").as_uri(),
                "log_url": self.log_url or f"sqlite:///{data_dir / 'log.sqlite'}",
                "ledger_url": self.ledger_url or f"sqlite:///{data_dir / 'ledger.sqlite'}",
                "index_url": self.index_url or f"sqlite:///{data_dir / 'index.sqlite'}",
                "catalogue_url": self.catalogue_url or f"sqlite:///{data_dir / 'catalogue.sqlite'}",
            }
            | self.urls_in(data_dir)
        )


def _resolved(folder: Path) -> Path:
    """Return the absolute folder with links resolved, or unresolved if they form a loop."""
    try:
        return folder.resolve()
    except RuntimeError:
        return folder.absolute()


def _checkout() -> Path | None:
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else None


def component_folder(component: str) -> Path | None:
    """Return the component's top-level folder if frametally runs from a checkout, else None."""
    root = _checkout()
    return root / COMPONENT_FOLDERS[component] if root else None


def _from_files(component: str | None) -> dict[str, str]:
    """Return the variables in the `.env` files. Raises as `load_settings`."""
    variables = read_env_file(Path(".env"), empty=EMPTY_SAYS_NONE)
    if variables and Path.cwd() != _checkout():  # a deleted current folder has no `.env`
        for name in RUN_PROGRAMS:
            variable = f"{ENV_PREFIX}{name.upper()}"
            if variable in variables and not os.environ.get(variable):
                raise Misconfigured(
                    f"{Path('.env').absolute()} sets {variable}, but frametally does not accept settings "
                    "that run programs from the current folder; set it in the environment, and remove it "
                    "from that file"
                )
    folder = component_folder(component) if component else None
    return variables | (read_env_file(folder / ".env", empty=EMPTY_SAYS_NONE) if folder else {})


def secret_variables() -> dict[str, str]:
    """Return the variables that name a secret's file, such as `FRAMETALLY_LOG_PASSWORD_FILE`, by setting."""
    return {
        name: f"{ENV_PREFIX}{name.upper()}_FILE"
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    }


def _secrets_in_files() -> dict[str, str]:
    """Return the secrets that are in files, by setting; a secret's own variable takes precedence.

    Only the environment may name such a file: a `.env` file of any folder must not have another file sent to
    a server that it names. Raises as `load_settings`.
    """
    secrets = {}
    for name, variable in secret_variables().items():
        path = os.environ.get(variable)
        if not path or os.environ.get(variable.removesuffix("_FILE")):
            continue
        try:
            with Path(path).open("rb") as file:
                secret = (
                    file.read(_MOST_SECRET_BYTES + 1).decode("utf-8").removesuffix("\n").removesuffix("\r")
                )
        except OSError as error:
            raise Misconfigured(
                f"{variable}={path} cannot be read ({error.strerror}): write the secret into that file, and "
                "give this user permission to read it"
            ) from error
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{variable}={path} is not UTF-8 text: write the secret into it") from error
        if not secret or len(secret) > _MOST_SECRET_BYTES:
            raise Misconfigured(
                f"{variable}={path} must contain the secret, of at most {_MOST_SECRET_BYTES} bytes"
            )
        secrets[name] = secret
    return secrets


def load_settings(
    component: str | None = None, options: Mapping[str, str] = MappingProxyType({}), /, **overrides: object
) -> Settings:
    """Load the settings of this process; `overrides` that are not None take precedence.

    `options` are the command-line options of the overrides, such as `--jpeg-quality`, by setting.

    Raises:
        Misconfigured: A value is not allowed; the line names the option or variable, the value and what is
            allowed. Or a `.env` file cannot be read, or one in an arbitrary folder sets programs to run.
    """
    environment = {name.upper() for name, value in os.environ.items() if value}
    if overrides.get("data_dir") is None and os.environ.get(_DATA_DIR) == "":
        raise Misconfigured(f"{_DATA_DIR} is empty: set it to a folder, or unset it")
    files = _from_files(component)
    files |= {variable: "" for variable in EMPTY_SAYS_NONE if os.environ.get(variable) == ""}
    values: dict[str, object] = {
        name: files[variable]
        for name in Settings.model_fields
        if (variable := f"{ENV_PREFIX}{name.upper()}") in files and variable not in environment
    }
    other_names = by_other_names(
        files | {name: os.environ[name] for name in os.environ if os.environ[name]}, ENV_PREFIX
    )
    values |= {name: other_name.value for name, other_name in other_names.items()}
    values |= _secrets_in_files()
    values |= {name: value for name, value in overrides.items() if value is not None}

    def as_given(name: str) -> str:
        option = None if overrides.get(name) is None else options.get(name)
        return f"{option} " if option else f"{ENV_PREFIX}{name.upper()}="

    try:
        settings = Settings(**values).resolved()
    except SettingRefused as error:
        name = error.name
        by_other = name in other_names and overrides.get(name) is None
        prefix = f"{other_names[name].variable}=" if by_other else as_given(name)
        is_secret = Settings.model_fields[name].annotation is SecretStr
        value = "***" if is_secret else without_passwords(str(error.value))
        raise Misconfigured(f"{prefix}{value}: {error.message}") from error
    if settings.topic == settings.results_topic:
        raise Misconfigured(
            f"{as_given('topic')}{settings.topic} is the topic on which frames are announced, and live "
            "results are published there; choose another topic"
        )
    if as_text(settings.data_dir) != str(settings.data_dir):  # it becomes part of URLs
        folder = f"{as_given('data_dir')}{as_text(settings.data_dir)}"
        raise Misconfigured(f"{folder} is not UTF-8; set it to another folder")
    return settings


def unknown_settings(component: str | None = None) -> dict[str, str]:
    """Return the names in the environment and the `.env` files that are not settings, with the remedies.

    They are similar to a setting's name. Names of other programs (Compose, the tests) and
    empty values are ignored.
    """
    files = _from_files(component)
    variables = {name.upper() for name, value in os.environ.items() if value} | set(files)
    known_variables = [f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields]
    file_variables = set(secret_variables().values())
    in_files = "a .env file cannot name a secret's file; set it in the environment"
    remedies = dict.fromkeys(sorted(file_variables & set(files)), in_files)
    for name in sorted(variables - set(known_variables) - file_variables):
        is_own = name.startswith(ENV_PREFIX) and not name.startswith(f"{ENV_PREFIX}TEST_")
        if is_own and (close := difflib.get_close_matches(name, known_variables, 1, 0.9)):
            remedies[name] = f"did you mean {close[0]}?"
    return remedies
