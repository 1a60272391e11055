"""A check-up: what is set and where, what is reachable and may be done there, what is installed.

Every check gives rows and none raises: what is broken is a row with its remedy.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values
from pydantic import SecretStr

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.files.downloads import KnownFile, file_sha256
from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.ports.frame_log import FrameLog, NoSuchTopic
from frametally.ports.object_store import ObjectInfo
from frametally.settings.stages import COMPONENT_FOLDERS, ENV_PREFIX, Settings, component_folder

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
    "mrjob": "hadoop",
    "elasticsearch": "search",
    "kafka-python": "a Kafka log",
    "boto3": "an S3 store",
    "flask": "web",
}
_SECRET_NAME = re.compile(r"password|secret|token|credential|access_key", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(://[^/@:]*:)[^/@]*@")
_FIRST_YEAR, _LAST_YEAR = 2025, 2100
_MOST_SKEW_S = 60
_PROBE_FOLDER = "probe"
_PROBE_TOPIC = "frametally-doctor"
_PROBE_S = 5.0


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        area: What it belongs to: `settings`, `store`, `log`, `index`, `ledger`, `model`, `software`, ...
        name: What was looked at.
        value: What was found; never a secret.
        note: Where it comes from, or what it is needed for.
        remedy: What to do about it; empty: it is good.
    """

    area: str
    name: str
    value: str
    note: str = ""
    remedy: str = ""

    @property
    def good(self) -> bool:
        """Whether there is nothing to do."""
        return not self.remedy


def examine(settings: Settings, *, model_files: Callable[[], Sequence[KnownFile]]) -> Iterator[Finding]:
    """Check everything but the settings themselves, one after the other.

    `model_files` gives the default model's files, or raises `ImportError` where no consumer is installed.
    """
    yield from port_rows(settings)
    yield from model_rows(settings, model_files)
    yield from software_rows()
    yield disk_row(settings)


def setting_rows(overrides: Mapping[str, object] | None = None) -> Iterator[Finding]:
    """Yield every setting with where it came from; a component's own `.env` has rows of its own.

    `overrides` are those that the command line has set, by name.
    """
    given = {
        f"{ENV_PREFIX}{name.upper()}": value for name, value in (overrides or {}).items() if value is not None
    }
    environment = {key.upper(): value for key, value in os.environ.items() if value}
    root = _read_env_file(Path(".env"))
    components = {
        name: _read_env_file(folder / ".env")
        for name in COMPONENT_FOLDERS
        if (folder := component_folder(name)) is not None
    }
    for name, field in Settings.model_fields.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        default = {variable: field.get_default(call_default_factory=True)}
        sources: dict[str, Mapping[str, object]] = {
            "command line": given,
            "environment": environment,
            ".env": root,
            "default": default,
        }
        where = next(where for where, values in sources.items() if variable in values)
        yield Finding("settings", variable, _shown(name, sources[where][variable]), where)
        if where in ("command line", "environment"):
            continue
        for component, found in components.items():
            if variable in found:
                where = f"{COMPONENT_FOLDERS[component]}/.env, for the {component} alone"
                yield Finding("settings", variable, _shown(name, found[variable]), where)
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    # Switches that are no settings: they are for tests, and anything else is a slip of the pen.
    for variable in sorted({*environment, *root} - known):
        if variable.startswith(ENV_PREFIX) and variable not in ("FRAMETALLY_FAILPOINT",):
            where = "environment" if variable in environment else ".env"
            yield Finding("settings", variable, "(not shown)", f"{where}: no such setting, it is ignored")


def port_rows(settings: Settings) -> Iterator[Finding]:
    """Open store, log, index and ledger, and try every right that the stages need."""
    for area, url, check in (
        ("store", settings.store_url, _check_store),
        ("log", settings.log_url, _check_log),
        ("index", settings.index_url, _check_index),
        ("ledger", settings.ledger_url, _check_ledger),
    ):
        shown = _shown("url", url)
        try:
            yield from check(settings, shown)
        except FrametallyError as error:
            yield Finding(area, shown, "not usable", remedy=str(error))


def model_rows(settings: Settings, model_files: Callable[[], Sequence[KnownFile]]) -> Iterator[Finding]:
    """Look whether the files of the detector's model are there, with the right sha256."""
    if settings.detector == "pixels":
        yield Finding("model", "pixels", "needs no files")
        return
    own = {
        name: path
        for name in ("model_onnx", "model_cfg", "model_weights", "model_names")
        if isinstance(path := getattr(settings, name, None), Path)
    }
    for name, path in own.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        try:
            yield Finding("model", str(path), f"sha256 {file_sha256(path.expanduser())}", variable)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), variable, f"correct {variable}")
    if own:
        return
    try:
        files = model_files()
    except ImportError:
        yield Finding("model", "YOLOv4-tiny", "not looked for", "the consumer is not installed")
        return
    for file in files:
        path = settings.models_dir.expanduser() / file.name
        remedy = "run `frametally download-models`"
        try:
            found = file_sha256(path)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), remedy=remedy)
            continue
        right = found == file.sha256
        value = f"sha256 {found}" + ("" if right else f", expected {file.sha256}")
        yield Finding("model", str(path), value, remedy="" if right else remedy)


def software_rows() -> Iterator[Finding]:
    """Look at Python and the main libraries; those of stages that are not installed here are no fault."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("software", "Python", version, remedy="" if fits else "use Python 3.11, 3.12 or 3.13")
    for name, needed_by in _LIBRARIES.items():
        found = _version(name)
        note = f"for: {needed_by}" if needed_by else ""
        yield Finding("software", name, found or "not installed", note)
    other = [name for name in ("opencv-python", "opencv-contrib-python") if _version(name)]
    if other and _version("opencv-python-headless"):
        remedy = f"pip uninstall {' '.join(other)}, then install opencv-python-headless again"
        yield Finding("software", ", ".join(other), "beside opencv-python-headless", remedy=remedy)


def disk_row(settings: Settings) -> Finding:
    """Compare the free space where the data folder is with `min_free_disk_mb`."""
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    least_mb = settings.min_free_disk_mb
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
    except OSError as error:
        return Finding("disk", str(folder), error.strerror or str(error), remedy="set FRAMETALLY_DATA_DIR")
    enough = free_mb >= least_mb
    remedy = "" if enough else "free some space there, or set FRAMETALLY_DATA_DIR to a folder on another disk"
    return Finding("disk", str(settings.data_dir), f"{free_mb} MB free", f"{least_mb} MB are needed", remedy)


def clock_row(now_s: float, probe: ObjectInfo | None) -> Finding:
    """Look whether this machine's clock can be right: the year, and the store's idea of the time."""
    if not 0 < now_s < 10**11:
        return Finding(
            "clock", "system clock", f"{now_s} s from 1970", remedy="set the clock of this machine"
        )
    shown = datetime.datetime.fromtimestamp(now_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    note, remedy = "", ""
    if not _FIRST_YEAR <= int(shown[:4]) <= _LAST_YEAR:
        remedy = (
            "set the clock of this machine; event times are not touched by it, but signatures and ages are"
        )
    if probe is not None and probe.modified_at_ms:
        skew_s = now_s - probe.modified_at_ms / 1000
        note = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the store's"
        if abs(skew_s) > _MOST_SKEW_S:
            remedy = remedy or "set the clock of this machine, or of the store: they differ"
    return Finding("clock", "system clock", shown, note, remedy)


def _check_store(settings: Settings, shown: str) -> Iterator[Finding]:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        key, data = f"{_PROBE_FOLDER}/{secrets.token_hex(8)}", secrets.token_bytes(64)
        store.put(key, data, if_absent=True)
        try:
            now_s = time.time()
            if store.put(key, data, if_absent=True):
                raise Misconfigured(
                    f"{shown} lets an object be created twice: frametally needs conditional puts"
                )
            if store.get(key) != data or store.get_range(key, 8, 16) != data[8:16]:
                raise Misconfigured(f"{shown} gives other bytes than were put: check what is in between")
            listed = next((info for info in store.list(_PROBE_FOLDER) if info.key == key), None)
            if listed is None:
                raise Misconfigured(f"{shown} does not list what was put: give these credentials that right")
        finally:
            store.delete(key)
        if store.head(key) is not None:
            raise Misconfigured(f"{shown} does not delete: give these credentials that right")
    yield Finding("store", shown, "put, create once, get, list, delete")
    yield clock_row(now_s, listed)


def _check_log(settings: Settings, shown: str) -> Iterator[Finding]:
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        _try_log_rights(log)
        try:
            ends, begin = log.end_offsets(settings.topic), log.begin_offsets(settings.topic)
            _try_rights_on(log, settings.topic)
        except NoSuchTopic:
            yield Finding(
                "log",
                shown,
                f"announcing, reading and committing work; no topic {settings.topic} yet",
                "`frametally produce` makes it",
            )
            return
        others = _other_topics(settings, log)
    held = sum(ends.values()) - sum(begin.values())
    held_text = f"topic {settings.topic} has {held} messages in {len(ends)} partitions"
    yield Finding("log", shown, f"announcing, reading and committing work; {held_text}")
    for topic, messages in others:
        yield Finding("log", f"topic {topic}", f"{messages} messages", "frames announced again for one model")


def _other_topics(settings: Settings, log: FrameLog) -> list[tuple[str, int]]:
    """Return the other topics that models read, each with the messages that it holds."""
    try:
        with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
            models = ledger.models()
            topics = {link.topic for model in models for link in ledger.chain(model)}
    except FrametallyError:  # has a row of its own
        return []
    topics |= {keys.redetect_topic(model) for model in models}
    found = []
    for topic in sorted(topics - {settings.topic}):
        try:
            held = sum(log.end_offsets(topic).values()) - sum(log.begin_offsets(topic).values())
        except Misconfigured:  # there is none, or it is not ours to see
            continue
        found.append((topic, held))
    return found


def _try_log_rights(log: FrameLog) -> None:
    """Announce a message on a topic of our own, take it, commit it, remove it.

    Raises:
        Retryable: The message did not come back.
        Misconfigured: A right is missing.
    """
    log.create_topic(_PROBE_TOPIC, 1)
    log.publish(_PROBE_TOPIC, [(b"", b"is this log well?")])
    consumer = log.subscribe(
        _PROBE_TOPIC, _PROBE_TOPIC, on_assigned=lambda _: None, on_revoked=lambda _: None
    )
    with closing(consumer):
        taken = consumer.poll(timeout_s=_PROBE_S)
        if not taken:
            raise Retryable(f"a message that was announced did not come within {_PROBE_S:.0f} s; try again")
        consumer.commit(taken[-1].partition, taken[-1].offset + 1)
    log.trim(_PROBE_TOPIC)


def _try_rights_on(log: FrameLog, topic: str) -> None:
    """See that the topic may be written and read, and leave it as it is: nothing is announced, nobody joins.

    Raises:
        NoSuchTopic: There is none yet.
        Misconfigured: A right is missing.
    """
    log.publish(topic, [])
    log.subscribe(topic, _PROBE_TOPIC, on_assigned=lambda _: None, on_revoked=lambda _: None).close()


def _check_index(settings: Settings, shown: str) -> Iterator[Finding]:
    with closing(open_count_index(settings.index_url, settings.index_access)) as index:
        yield Finding("index", shown, f"{len(index.current_runs())} days indexed")


def _check_ledger(settings: Settings, shown: str) -> Iterator[Finding]:
    with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
        yield Finding("ledger", shown, f"{len(ledger.manifests())} media, {len(ledger.models())} models")


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {name.upper(): value for name, value in dotenv_values(path).items() if value}


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr) or _SECRET_NAME.search(name):
        return "(set)" if str(value or "") else ""
    return _PASSWORD_IN_URL.sub(r"\1***@", "" if value is None else str(value))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
