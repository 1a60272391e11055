"""Runs a consumer on Spark: the partitions of a query, its first offsets, and its commits.

Spark's checkpoints are not used: a query begins where the chains of segments end, as for any other consumer.
It is a member of the consumer group and shares the partitions with other consumers.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
import queue
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frametally.adapters.kafka.access import KafkaAccess, read_kafka_access
from frametally.errors import Misconfigured, Retryable
from frametally.ports.frame_log import FrameLog, LeaseLost, LogConsumer, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import Backoff, GivenUp, Patience
from frametally.segments.chain import ChainBroken, SegmentChain
from frametally.settings.loading import Settings
from frametally.spark_sessions import java_cause, map_batches, spark_session
from frametally_consumer.detectors.yolo import NetworkModel
from frametally_consumer.spark.batches import BatchDone, BatchWork, detect_batches
from frametally_consumer.worker.report import ConsumeReport, add_up

_POLL_S = 0.2
_WELL_AFTER_S = 60.0
_JAAS = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def consume_on_spark(
    *,
    settings: Settings,
    model_id: str,
    model: NetworkModel | None,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    until_caught_up: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> ConsumeReport:
    """Detect frames announced on Kafka in Spark tasks; for the arguments see `worker.loop.consume`.

    Each task loads the prepared `model` (None for the detector `pixels`) and opens its own store. Frames in
    progress at a stop are detected again at the next start. Raises `Misconfigured` if the log is not Kafka,
    Spark is not installed, or the tasks cannot work.
    """
    if not settings.log_url.startswith("kafka:"):
        raise Misconfigured(
            f"FRAMETALLY_LOG_URL={settings.log_url}: Spark can read only from Kafka; set it to a Kafka "
            "URL, or leave out --engine"
        )
    if settings.spark_master.startswith("sc://"):
        raise Misconfigured(
            "FRAMETALLY_SPARK_MASTER: live detection cannot use Spark Connect; set it to a master, such as "
            "spark://HOST:PORT, or leave out --engine"
        )
    access = read_kafka_access(settings.log_url, settings.log_access)
    with spark_session(settings, "frametally-live", options=_connector) as session:
        engine = _Engine(session, settings, model_id, model, store, log, progress, should_stop)
        return engine.run(kafka_options(access), until_caught_up=until_caught_up)


def kafka_options(access: KafkaAccess) -> dict[str, str]:
    """Return the log-in options for Spark's Kafka source."""
    options = {
        "kafka.bootstrap.servers": ",".join(access.client_options()["bootstrap_servers"]),
        "kafka.security.protocol": access.security,
    }
    if access.with_tls and access.ca_file:
        options["kafka.ssl.truststore.type"] = "PEM"
        options["kafka.ssl.truststore.location"] = str(access.ca_file.absolute())
    if access.with_login:
        user, password = (
            value.replace("\\", "\\\\").replace('"', '\\"')
            for value in (access.user, access.password.get_secret_value())
        )
        options["kafka.sasl.mechanism"] = access.mechanism
        options["kafka.sasl.jaas.config"] = (
            f'{_JAAS[access.mechanism]} required username="{user}" password="{password}";'
        )
    return options


def _connector() -> dict[str, str]:
    """Return options with which Spark fetches its Kafka connector, unless Spark's variable names jars."""
    import pyspark

    if "--jars" in os.environ.get("PYSPARK_SUBMIT_ARGS", ""):
        return {}
    version = pyspark.__version__
    scala = "2.12" if version.startswith("3.") else "2.13"
    return {"spark.jars.packages": f"org.apache.spark:spark-sql-kafka-0-10_{scala}:{version}"}


@dataclass
class _Engine:
    """One member of the group, whose partitions a Spark query reads.

    Only the main thread uses the `LogConsumer` and starts and stops queries; a Spark thread passes on the
    outcome of each micro-batch.
    """

    session: Any
    settings: Settings
    model_id: str
    model: NetworkModel | None
    store: ObjectStore
    log: FrameLog
    progress: Progress
    should_stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self._group = consumer_group(self.model_id, live=self.settings.is_live)
        self._patience = Patience(self.progress.say, self.should_stop)
        self._held: set[int] = set()
        self._stopped: dict[int, Skipped] = {}
        self._query: Any = None
        self._read: set[int] = set()  # by the query
        self._started_at_s = 0.0
        self._backoff = Backoff()
        self._done: queue.SimpleQueue[BatchDone] = queue.SimpleQueue()
        self._uncommitted: dict[int, int] = {}  # offsets of the held partitions
        self._report = ConsumeReport(self.model_id)

    def run(self, kafka: dict[str, str], *, until_caught_up: bool) -> ConsumeReport:
        try:
            consumer = self._patience.until_done("log", self._join, self.should_stop)
        except GivenUp:
            return self._report
        with closing(consumer), tempfile.TemporaryDirectory(prefix="frametally-spark-") as folder:
            try:
                while not self.should_stop():
                    if self._step(consumer, kafka, Path(folder)) and until_caught_up and self._caught_up():
                        break
            except GivenUp:
                pass
            finally:
                self._end_query()
            self._commit(consumer)
        self._report.stopped = list(self._stopped.values())
        return self._report

    def _join(self) -> LogConsumer:
        self.log.create_topic(self.settings.topic, self.settings.log_partitions)
        return self.log.subscribe(
            self.settings.topic,
            self._group,
            on_assigned=self._held.update,
            on_revoked=self._leave,
        )

    def _leave(self, partitions: list[int]) -> None:
        """Release partitions to other members, who will have committed further if they come back."""
        for partition in partitions:
            self._held.discard(partition)
            self._uncommitted.pop(partition, None)

    def _step(self, consumer: LogConsumer, kafka: dict[str, str], folder: Path) -> bool:
        """Maintain the membership and its query; return whether there is a query."""
        try:
            consumer.poll(timeout_s=_POLL_S, max_records=0)
            self._patience.answered("log")
        except Retryable as error:
            self._patience.tell("log", error)
            self._patience.pause(self._backoff.next_s())
        self._commit(consumer)
        wanted = self._held - self._stopped.keys()
        if self._query is not None and not self._query.isActive:
            self._say(f"Spark's query has ended and is starting again: {java_cause(self._query.exception())}")
            if time.monotonic() - self._started_at_s > _WELL_AFTER_S:
                self._backoff.reset()
            self._end_query()
            self._patience.pause(self._backoff.next_s())
        elif self._query is not None and self._read != wanted:
            self._end_query()
            self._commit(consumer)
        if self._query is None and wanted:
            self._patience.until_done(
                "look-up", lambda: self._start_query(wanted, kafka, folder), self.should_stop
            )
        return self._query is not None

    def _start_query(self, wanted: set[int], kafka: dict[str, str], folder: Path) -> None:
        topic = self.settings.topic
        begins = self.log.begin_offsets(topic)
        # Read it before looking up the chains, as a segment exists before its offset is committed.
        committed = self.log.committed(topic, self._group)
        log_id = self.log.log_id(topic)
        starts = {}
        for partition in sorted(wanted):
            chain = SegmentChain(
                self.store, model=self.model_id, log_id=log_id, topic=topic, partition=partition
            )
            try:
                end = chain.resume(committed.get(partition, 0)).next_offset
            except ChainBroken as error:
                self._stopped[partition] = Skipped(f"partition {partition}", str(error))
                self.progress.say(str(error))
                continue
            if end != committed.get(partition, 0):  # messages in segments do not come again
                self._done.put(BatchDone(partition, end, ConsumeReport(self.model_id)))
            starts[str(partition)] = max(end, begins[partition])
        if not starts:
            return
        work = BatchWork(log_id, begins, committed, len(starts), self.model)
        rows = (
            self.session.readStream.format("kafka")
            .options(**kafka)
            .option("assign", json.dumps({topic: [int(partition) for partition in starts]}))
            .option("startingOffsets", json.dumps({topic: starts}))
            .option("maxOffsetsPerTrigger", self.settings.batch_frames * len(starts))
            .load()
            .select("partition", "offset", "key", "value")
        )
        self._query = (
            rows.writeStream.foreachBatch(functools.partial(self._detect_batch, work))
            .option("checkpointLocation", tempfile.mkdtemp(dir=folder))
            .start()
        )
        self._read = {int(partition) for partition in starts}
        self._started_at_s = time.monotonic()

    def _detect_batch(self, work: BatchWork, rows: Any, number: int) -> None:
        """Detect a micro-batch; Spark calls this in a separate thread."""
        del number
        for row in map_batches(rows, functools.partial(detect_batches, work), "done binary").collect():
            self._done.put(pickle.loads(row.done))  # noqa: S301 - of our own tasks

    def _commit(self, consumer: LogConsumer) -> None:
        """Collect the outcomes of micro-batches and commit them; the next call retries failed commits."""
        while not self._done.empty():
            done = self._done.get()
            for line in done.said:
                self._say(line)
            if done.failure:
                raise Misconfigured(done.failure)
            self._report = add_up([self._report, done.report])
            self.progress.update(self._report.frames, None)
            if done.report.stopped:
                self._stopped[done.partition] = done.report.stopped[0]
            if done.next_offset is not None and done.partition in self._held:
                self._uncommitted[done.partition] = done.next_offset
        for partition, offset in list(self._uncommitted.items()):
            try:
                consumer.commit(partition, offset)
                del self._uncommitted[partition]
            except LeaseLost:
                self._leave([partition])
            except Retryable as error:
                self._patience.tell("log", error)
                return

    def _end_query(self) -> None:
        if self._query is not None:
            self._query.stop()
            self._query = None
            self._read = set()

    def _caught_up(self) -> bool:
        try:
            ends = self.log.end_offsets(self.settings.topic)
            committed = self.log.committed(self.settings.topic, self._group)
        except Retryable as error:
            self._patience.tell("log", error)
            return False
        self.progress.update(sum(committed.values()), sum(ends.values()))
        return all(
            committed.get(partition, 0) >= end or partition in self._stopped
            for partition, end in ends.items()
        )

    def _say(self, line: str) -> None:
        self._patience.say_once_a_minute(line, line)
