"""Checks this machine (settings, software, disk, clock, model files) and the mail server."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.verdict import tested_model
from frametally.checkup.findings import Finding, public_value
from frametally.errors import FrametallyError, Misconfigured
from frametally.files.dotenv_text import read_env_file
from frametally.files.downloads import KnownFile, file_sha256
from frametally.mail import MailServer
from frametally.media.manifests import find_record
from frametally.model_records import NOT_TESTED, InputCheck
from frametally.ports.object_store import ObjectInfo
from frametally.settings.loading import (
    COMPONENT_FOLDERS,
    EMPTY_SAYS_NONE,
    ENV_PREFIX,
    Settings,
    component_folder,
)
from frametally.settings.other_names import by_other_names

_OF_OTHERS = {
    "DATABASE_URL": "FRAMETALLY_CATALOGUE_URL",
    "KAFKA_BOOTSTRAP_SERVERS": "FRAMETALLY_LOG_URL",
    "KAFKA_VIDEO_TOPIC": "FRAMETALLY_LIVE_TOPIC",
    "KAFKA_RESULT_TOPIC": "FRAMETALLY_LIVE_TOPIC: the topic of results has processed- instead of video-",
    "VIDEO_STORAGE_PATH": "FRAMETALLY_STORE_URL",
    "SERVER_PORT": "FRAMETALLY_WEB_PORT",
    "ALLOWED_ORIGINS": "FRAMETALLY_WEB_ALLOWED_ORIGINS",
    "AIRFLOW_API_URL": "FRAMETALLY_AIRFLOW_URL",
    "AIRFLOW_USERNAME": "FRAMETALLY_AIRFLOW_USER",
    "AIRFLOW_PASSWORD": "FRAMETALLY_AIRFLOW_PASSWORD",
}
"""Variables that similar systems read. They may belong to other programs, so they are listed but ignored."""


def setting_rows(overrides: Mapping[str, object] | None = None) -> Iterator[Finding]:
    """Yield every setting with its origin; a component's own `.env` has separate rows.

    `overrides` are the settings from the command line, by name.
    """
    options = {
        f"{ENV_PREFIX}{name.upper()}": value for name, value in (overrides or {}).items() if value is not None
    }
    environment = {key.upper(): value for key, value in os.environ.items() if value or key in EMPTY_SAYS_NONE}
    root = read_env_file(Path(".env"), empty=EMPTY_SAYS_NONE)
    components = {
        name: read_env_file(file, empty=EMPTY_SAYS_NONE) for name, file in _component_files().items()
    }
    try:
        others = by_other_names(root | environment, ENV_PREFIX)
    except Misconfigured:  # has its own row
        others = {}
    for name, field in Settings.model_fields.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        default = {variable: field.get_default()}
        sources: dict[str, Mapping[str, object]] = {
            "command line": options,
            "environment": environment,
            ".env": root,
            **({others[name].variable: {variable: others[name].value}} if name in others else {}),
            "default": default,
        }
        where = next(where for where, values in sources.items() if variable in values)
        yield Finding("settings", variable, public_value(name, sources[where][variable]), where)
        if where in ("command line", "environment"):
            continue
        for component, found in components.items():
            if variable in found:
                where = f"{COMPONENT_FOLDERS[component]}/.env, only for the {component}"
                yield Finding("settings", variable, public_value(name, found[variable]), where)
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    # Switches, not settings: they are for tests, and anything else is a typo.
    for variable in sorted({*environment, *root} - known):
        if variable.startswith(ENV_PREFIX) and variable not in ("FRAMETALLY_FAILPOINT",):
            where = "environment" if variable in environment else ".env"
            yield Finding("settings", variable, "(not shown)", f"{where}: unknown setting, ignored")
    for variable in sorted((environment.keys() | root.keys()) & _OF_OTHERS.keys()):
        note = f"frametally ignores this variable; to use its value here, set {_OF_OTHERS[variable]}"
        yield Finding("settings", variable, "(not shown)", note)


def setting_files() -> list[Path]:
    """Return where `.env` files of this folder and of components may be."""
    return [Path(".env"), *_component_files().values()]


def _component_files() -> dict[str, Path]:
    folders = {name: component_folder(name) for name in COMPONENT_FOLDERS}
    return {name: folder / ".env" for name, folder in folders.items() if folder is not None}


def env_file_rows(paths: Iterable[Path]) -> Iterator[Finding]:
    """Yield a row for each of these `.env` files that contains secrets and that every account can read."""
    for path in paths:
        if not path.is_file() or not path.stat().st_mode & stat.S_IROTH:
            continue
        try:
            values = read_env_file(path)
        except Misconfigured:  # has its own row
            continue
        ours = {name: value for name, value in values.items() if name.startswith(ENV_PREFIX)}
        if any(public_value(name, value) == "(set)" for name, value in ours.items()):
            remedy = f"run `chmod o= {shlex.quote(str(path))}`"
            yield Finding("settings", str(path), "every account can read its secrets", remedy=remedy)


def model_rows(settings: Settings, model_files: Callable[[], Sequence[KnownFile]]) -> Iterator[Finding]:
    """Check that the detector's model files exist and have the right sha256; try ONNX networks."""
    if settings.detector == "pixels":
        yield Finding("model", "pixels", "needs no files")
        return
    try:
        files = model_files()
    except ImportError:
        yield Finding("model", settings.detector, "not checked", "the consumer is not installed")
        return
    from frametally_models.catalogue import CATALOGUE

    own = {
        name: path
        for name in ("model_cfg", "model_weights", "model_names")
        if isinstance(path := getattr(settings, name, None), Path) and str(path) not in CATALOGUE
    }
    record = CATALOGUE.get(str(settings.model_weights))
    is_onnx = settings.model_onnx is not None or (record is not None and record.family != "darknet")
    if is_onnx:
        own.pop("model_cfg", None)  # a family's name
    is_whole = True
    for name, path in own.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        try:
            yield Finding("model", str(path), f"sha256 {file_sha256(path.expanduser())}", variable)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), variable, f"correct {variable}")
    for file in files if record or not own else ():
        path = settings.models_dir.expanduser() / file.name
        remedy = "run `frametally download-models`"
        try:
            actual_sha256 = file_sha256(path)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), remedy=remedy)
            is_whole = False
            continue
        right = actual_sha256 == file.sha256
        value = f"sha256 {actual_sha256}" + ("" if right else f", expected {file.sha256}")
        is_whole &= right
        yield Finding("model", str(path), value, remedy="" if right else remedy)
    if is_onnx and is_whole:
        yield _network_row(settings)


def _network_row(settings: Settings) -> Finding:
    """Try an ONNX network, as a consumer does when it starts."""
    # Imported here for the same reason as `try_providers`.
    from frametally_consumer.load import fastest_installed
    from frametally_models.prepare import prepare_detector

    detector = fastest_installed() if settings.detector == "auto" else settings.detector
    try:
        model_id = prepare_detector(settings.model_copy(update={"detector": detector})).model_id
    except Misconfigured as error:
        return Finding("model", str(settings.model_weights), "cannot be used", remedy=str(error))
    if settings.model_onnx is None:
        return Finding("model", model_id, "passes its self-test")
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        check = find_record(store, keys.input_check_key(model_id), InputCheck)
    return Finding("model", model_id, NOT_TESTED) if check is None else tested_model(check)


def mail_rows(settings: Settings) -> Iterator[Finding]:
    """Try the mail server, if one is set, without showing recipients."""
    url = settings.smtp_url
    if not url:
        if settings.mail_to:
            yield Finding("mail", "no server", "no mail is sent", "set FRAMETALLY_SMTP_URL")
        return
    name = public_value("url", url)
    try:
        MailServer(url, settings.smtp_access).try_out()
    except FrametallyError as error:
        yield Finding("mail", name, "not usable", remedy=str(error))
        return
    done = "signed in" if settings.smtp_user else "connected, without signing in"
    number = len(settings.mail_receivers)
    note = f"recipients: {number}" if number else "no recipients: set FRAMETALLY_MAIL_TO"
    yield Finding("mail", name, done, note)


_LIBRARIES = {
    "frametally": "",
    "msgspec": "",
    "obstore": "",
    "sqlalchemy": "",
    "numpy": "producer, consumer",
    "opencv-python-headless": "producer, consumer",
    "av": "producer",
    "openvino": "consumer, as a fast detector",
    "onnxruntime": "consumer, as a fast detector",
    "onnxruntime-gpu": "consumer, on an NVIDIA GPU",
    "mrjob": "hadoop",
    "elasticsearch": "search",
    "kafka-python": "a Kafka log",
    "boto3": "an S3 store",
    "flask": "web",
}
_SAME_FILES = (
    ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    ("onnxruntime-gpu", "onnxruntime"),
)
"""A package, and others that install the same files; two of them break each other."""
_FIRST_YEAR, _LAST_YEAR = 2025, 2100
_MOST_SKEW_S = 60


def software_rows() -> Iterator[Finding]:
    """Check Python and the main libraries; missing stages are not a fault."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("software", "Python", version, remedy="" if fits else "use Python 3.11, 3.12 or 3.13")
    for name, needed_by in _LIBRARIES.items():
        found = _version(name)
        note = f"for: {needed_by}" if needed_by else ""
        yield Finding("software", name, found or "not installed", note)
    for right, *doubles in _SAME_FILES:
        other = [name for name in doubles if _version(name)]
        if other and _version(right):
            remedy = f"run pip uninstall {' '.join(other)}, then install {right} again"
            yield Finding("software", ", ".join(other), f"installed next to {right}", remedy=remedy)


def provider_rows(settings: Settings) -> Iterator[Finding]:
    """List ONNX Runtime's execution providers, and run a tiny network on those of the settings."""
    name, setting = "execution providers", settings.execution_providers
    if settings.detector == "pixels" or importlib.util.find_spec("onnx") is None:
        return  # only the consumer needs it
    from frametally_consumer.load import check_devices

    try:
        check_devices(settings)
        if importlib.util.find_spec("onnxruntime") is None and not settings.devices:
            return  # a row of the software reports it
        # Imported here because it is slow and no other command needs it.
        from frametally_consumer.backends.onnxruntime import try_providers

        available = try_providers(settings.providers)
    except ModuleNotFoundError as error:
        yield Finding(
            "model", name, setting, remedy=f"{error.name} is not installed; run pip install 'frametally[gpu]'"
        )
    except Misconfigured as error:
        yield Finding("model", name, setting, remedy=str(error))
    else:
        yield Finding("model", name, ", ".join(available), f"FRAMETALLY_EXECUTION_PROVIDERS={setting}")


def clock_row(now_s: float, probe: ObjectInfo | None) -> Finding:
    """Check this machine's clock against a range of years and the store's time."""
    if not 0 < now_s < 10**11:
        return Finding(
            "clock", "system clock", f"{now_s} s since 1970", remedy="set the clock of this machine"
        )
    shown = datetime.datetime.fromtimestamp(now_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    note, remedy = "", ""
    if not _FIRST_YEAR <= int(shown[:4]) <= _LAST_YEAR:
        remedy = (
            "set the clock of this machine; a wrong clock causes wrong signatures and ages, but no wrong "
            "event times"
        )
    if probe is not None and probe.modified_at_ms:
        skew_s = now_s - probe.modified_at_ms / 1000
        note = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the store's"
        if abs(skew_s) > _MOST_SKEW_S:
            remedy = remedy or "set the clock of this machine or of the store"
    return Finding("clock", "system clock", shown, note, remedy)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
