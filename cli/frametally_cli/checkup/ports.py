"""Checks store, log, databases and plug-ins' ports by trying every right that the stages need."""

from __future__ import annotations

import queue
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.checkup.areas import STAGE_AREAS, area_rows, is_needed, not_there_yet
from frametally.checkup.findings import Finding, TrialLook, plugin_findings
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.frame_log import FrameLog, NoSuchTopic
from frametally.process.reports import plural
from frametally.settings.loading import Settings
from frametally_cli.checkup.machine import clock_row

_ANNOUNCING = {stage for stage, areas in STAGE_AREAS.items() if "announcing" in areas}
_PROBE_FOLDER = "probe"
_PROBE_TOPIC = "frametally-doctor"
_PROBE_S = 5.0


def port_rows(settings: Settings, stage: str = "") -> Iterator[Finding]:
    """Open store, log, databases and plug-ins' ports; try the rights of one stage, or of all."""
    for area, url, check in (
        ("store", settings.store_url, _check_store),
        ("log", settings.log_url, partial(_check_log, stage=stage)),
        ("index", settings.index_url, _check_index),
        ("ledger", settings.ledger_url, _check_ledger),
    ):
        yield from area_rows(settings, stage, area, url, check)
        if area == "store" and is_needed(area, stage) and not_there_yet(url) is not None:
            yield clock_row(time.time(), None)
    yield from plugin_findings(TrialLook(settings, stage))


def _check_store(settings: Settings, address: str) -> Iterator[Finding]:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        key, data = f"{_PROBE_FOLDER}/{secrets.token_hex(8)}", secrets.token_bytes(64)
        store.put(key, data, if_absent=True)
        try:
            now_s = time.time()
            if store.put(key, data, if_absent=True):
                raise Misconfigured(
                    f"{address} lets an object be created twice, but frametally needs conditional puts: "
                    "use another S3 service"
                )
            if store.get(key) != data or store.get_range(key, 8, 16) != data[8:16]:
                raise Misconfigured(
                    f"{address} returns other bytes than frametally wrote: check the proxies in between"
                )
            listed = next((info for info in store.list(_PROBE_FOLDER) if info.key == key), None)
            if listed is None:
                raise Misconfigured(
                    f"{address} does not list objects: give these credentials permission to list"
                )
        finally:
            store.delete(key)
        if store.head(key) is not None:
            raise Misconfigured(
                f"{address} does not delete objects: give these credentials permission to delete"
            )
    yield Finding("store", address, "put, create once, get, list, delete")
    yield clock_row(now_s, listed)


def _check_log(settings: Settings, address: str, *, stage: str) -> Iterator[Finding]:
    tried = f"tried the permissions of `{stage}`" if stage else "announcing, reading and committing work"
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        if not stage:
            _try_log_rights(log)
        try:
            ends, begin = log.end_offsets(settings.topic), log.begin_offsets(settings.topic)
            _try_frame_rights(log, settings.topic, stage)
        except NoSuchTopic:
            yield Finding(
                "log", address, f"{tried}; no topic {settings.topic} yet", "`frametally produce` creates it"
            )
            return
        live = list(_live_rows(log, settings, stage))
        others = [] if stage else _other_topics(settings, log)
    held = sum(ends.values()) - sum(begin.values())
    held_text = f"topic {settings.topic} has {plural(held, 'message')} in {plural(len(ends), 'partition')}"
    yield Finding("log", address, f"{tried}; {held_text}")
    yield from live
    for topic, messages in others:
        yield Finding(
            "log", f"topic {topic}", plural(messages, "message"), "frames to detect again with one model"
        )


def _live_rows(log: FrameLog, settings: Settings, stage: str) -> Iterator[Finding]:
    """Check that the existing live topics can be written and read."""
    for topic, what in (
        (settings.live_topic, "frames of cameras and streams"),
        (settings.results_topic, "live detections, for viewers"),
    ):
        try:
            if topic == settings.live_topic:
                _try_frame_rights(log, topic, stage)
            else:
                _try_rights_on(log, topic, write=stage in ("", "consume"), read=stage in ("", "serve"))
            held = sum(log.end_offsets(topic).values()) - sum(log.begin_offsets(topic).values())
            yield Finding("log", f"topic {topic}", plural(held, "message"), what)
        except NoSuchTopic:
            continue
        except Misconfigured as error:
            yield Finding("log", f"topic {topic}", "not usable", what, remedy=str(error))


def _other_topics(settings: Settings, log: FrameLog) -> list[tuple[str, int]]:
    """Return the other topics that models read, each with its number of messages."""
    try:
        with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
            models = ledger.models()
            topics = {link.topic for model in models for link in ledger.chain(model)}
    except FrametallyError:  # has its own row
        return []
    topics |= {keys.redetect_topic(settings.topic, model) for model in models}
    lags = []
    for topic in sorted(topics - {settings.topic, settings.live_topic}):
        try:
            held = sum(log.end_offsets(topic).values()) - sum(log.begin_offsets(topic).values())
        except NoSuchTopic:
            continue
        lags.append((topic, held))
    return lags


def _try_log_rights(log: FrameLog) -> None:
    """Announce a message on a test topic, take it, commit it, and remove it.

    Raises `Retryable` if the message does not come back; `Misconfigured` if a right is missing.
    """
    log.create_topic(_PROBE_TOPIC, 1)
    log.publish(_PROBE_TOPIC, [(b"", b"is this log well?")])
    consumer = log.subscribe(
        _PROBE_TOPIC, _PROBE_TOPIC, on_assigned=lambda _: None, on_revoked=lambda _: None
    )
    with closing(consumer):
        records = consumer.poll(timeout_s=_PROBE_S)
        if not records:
            raise Retryable(f"a test message did not arrive within {_PROBE_S:.0f} s; try again")
        consumer.commit(records[-1].partition, records[-1].offset + 1)
    log.trim(_PROBE_TOPIC)


def _try_frame_rights(log: FrameLog, topic: str, stage: str) -> None:
    """Check that a topic of frames can be written and read as the stage does; see `_try_rights_on`."""
    _try_rights_on(log, topic, write=not stage or stage in _ANNOUNCING, read=stage in ("", "consume"))


def _try_rights_on(log: FrameLog, topic: str, *, write: bool, read: bool) -> None:
    """Check that the topic can be written and read, without announcing anything or joining a group.

    Raises `NoSuchTopic` if there is none yet; `Misconfigured` if a right is missing.
    """
    if write:
        log.publish(topic, [])
    if read:
        log.subscribe(topic, _PROBE_TOPIC, on_assigned=lambda _: None, on_revoked=lambda _: None).close()


def _check_index(settings: Settings, address: str) -> Iterator[Finding]:
    with closing(open_count_index(settings.index_url, settings.index_access)) as index:
        yield Finding("index", address, f"{plural(len(index.current_runs()), 'day')} indexed")


def _check_ledger(settings: Settings, address: str) -> Iterator[Finding]:
    with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
        yield Finding(
            "ledger", address, f"{len(ledger.manifests())} media, {plural(len(ledger.models()), 'model')}"
        )


_WITHIN_S = 300.0
"""A busy cluster takes a minute to start."""


def runner_row(settings: Settings, *, within_s: float = _WITHIN_S) -> Finding:
    """Run the counting job over no segments, where `frametally aggregate` would run it."""
    runner = settings.runner
    if runner == "inline":
        return Finding("runner", runner, "counts in this process", "not tried: it needs no other program")
    try:
        from frametally_hadoop.job.params import CountParams
        from frametally_hadoop.running.engine import cluster_of, run_job
        from frametally_hadoop.running.spark import try_spark
    except ImportError:
        return Finding("runner", runner, "not tried", "the counting job is not installed here")

    def run(temporary: Path) -> None:
        if runner == "spark":
            try_spark(settings)
            return
        for _ in run_job(
            manifest=[""],  # one line without a segment, so that a task runs
            params=CountParams(),
            runner=runner,
            temporary=temporary,
            cluster=cluster_of(settings),
        ):
            pass

    began_s = time.monotonic()
    try:
        ended = _within(within_s, run)
    except FrametallyError as error:
        return Finding("runner", runner, "an empty job did not run", remedy=str(error))
    seconds = f"{time.monotonic() - began_s:.0f} s"
    if not ended:
        remedy = "check that the cluster has capacity for a job, or set FRAMETALLY_RUNNER=inline"
        return Finding("runner", runner, f"an empty job did not end within {seconds}", remedy=remedy)
    return Finding("runner", runner, "an empty job ran successfully", f"it took {seconds}")


def _within(seconds: float, action: Callable[[Path], None]) -> bool:
    """Return whether the action ended in time, and re-raise its error; if late, leave it running."""
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def act() -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="frametally-doctor-") as folder:
                action(Path(folder))
            ended.put(None)
        except BaseException as error:
            ended.put(error)

    threading.Thread(target=act, name="trial-of-the-runner", daemon=True).start()
    try:
        error = ended.get(timeout=seconds)
    except queue.Empty:
        return False
    if error is not None:
        raise error
    return True
