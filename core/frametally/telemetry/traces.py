"""Sends OpenTelemetry traces of single frames, from the producer to the count; off by default.

A frame's trace id comes from the frame's key, which every stage knows. So messages and records need no extra
field, restarted processes continue the same trace, and all stages choose the same frames.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from frametally.errors import Misconfigured
from frametally.telemetry.sending import Poster

_RATIO = "OTEL_TRACES_SAMPLER_ARG"
_SPANS_IN_ONE = 50
_AT_LEAST_EVERY_S = 1.0


class _Ids(NamedTuple):
    """A frame's trace and its root span."""

    trace: int
    root: int


class Traces:
    """The traces of this process; its threads share them."""

    def __init__(self) -> None:
        self._provider: Any = None
        self._asked: tuple[str, float] = ("", 0.0)
        self._lock = threading.Lock()

    def begin(self, url: str) -> None:
        """Send traces of some frames to `url`, by OTLP over HTTP, or none if it is empty.

        OpenTelemetry's variable `OTEL_TRACES_SAMPLER_ARG` is the share of frames, by default 0.01.

        Raises:
            Misconfigured: `url` is invalid, the share is not from 0 to 1, or OpenTelemetry is not installed.
        """
        ratio = _ratio() if url else 0.0
        with self._lock:
            if (url, ratio) != self._asked:
                self._provider = _open(url) if url else None
                self._asked = (url, ratio)

    @property
    def is_on(self) -> bool:
        """Whether traces are sent."""
        return self._provider is not None

    def tell(self, key: str, name: str, began_ns: int, *, is_root: bool = False) -> None:
        """Send a span: the frame `key` went through `name` from `began_ns` (since 1970) until now."""
        if self._provider is not None and (ids := self._ids_of(key)) is not None:
            self._provider.span(ids, name, began_ns, key, is_root=is_root)

    @contextmanager
    def timed(self, key: str, name: str) -> Iterator[None]:
        """Send a span for this block, if it ends without an exception."""
        began_ns = time.time_ns()
        yield
        self.tell(key, name, began_ns)

    def flush(self, within_s: float = 2.0) -> None:
        """Send the waiting spans, for at most `within_s` seconds."""
        if self._provider is not None:
            self._provider.flush(within_s)

    def _ids_of(self, key: str) -> _Ids | None:
        """Return a frame's ids, or None if the frame is not traced."""
        digest = hashlib.sha256(key.encode()).digest()
        if int.from_bytes(digest[24:]) >= self._asked[1] * 2**64:
            return None
        return _Ids(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))


TRACES = Traces()
"""The traces of this process."""


def _ratio() -> float:
    text = os.environ.get(_RATIO) or "0.01"
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise Misconfigured(f"{_RATIO}={text}: the share of frames to trace is a number from 0 to 1")
    return ratio


def _open(url: str) -> Any:
    sender = Poster(url, {"Content-Type": "application/x-protobuf"})
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
        from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError as error:
        raise Misconfigured(
            "FRAMETALLY_TRACES_URL needs OpenTelemetry: run pip install 'frametally[traces]'"
        ) from error

    class Given(IdGenerator):
        """Returns the given ids for a root span, else random ids."""

        def __init__(self) -> None:
            self.ids_of_thread = threading.local()
            self._random = RandomIdGenerator()

        def generate_trace_id(self) -> int:
            ids: _Ids | None = getattr(self.ids_of_thread, "ids", None)
            return ids.trace if ids else self._random.generate_trace_id()

        def generate_span_id(self) -> int:
            ids: _Ids | None = getattr(self.ids_of_thread, "ids", None)
            return ids.root if ids else self._random.generate_span_id()

    class OverHttp:
        def __init__(self) -> None:
            self._ids = Given()
            self._tracer = TracerProvider(
                sampler=ALWAYS_ON,
                resource=Resource({"service.name": "frametally"}),
                id_generator=self._ids,
                shutdown_on_exit=False,
            ).get_tracer("frametally")
            self._ended: list[ReadableSpan] = []
            self._sent_at_s = time.monotonic()
            self._lock = threading.Lock()

        def span(self, ids: _Ids, name: str, began_ns: int, key: str, *, is_root: bool) -> None:
            self._ids.ids_of_thread.ids = ids if is_root else None
            parent = trace.SpanContext(
                ids.trace, ids.root, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED)
            )
            context = trace.set_span_in_context(
                trace.INVALID_SPAN if is_root else trace.NonRecordingSpan(parent)
            )
            attributes = {"frametally.frame": key}
            span: Any = self._tracer.start_span(
                name, context=context, start_time=began_ns, attributes=attributes
            )
            span.end()
            with self._lock:
                self._ended.append(span)
                is_due = len(self._ended) >= _SPANS_IN_ONE
                if is_due or time.monotonic() - self._sent_at_s >= _AT_LEAST_EVERY_S:
                    self._send()

        def flush(self, within_s: float) -> None:
            with self._lock:
                self._send()
            sender.flush(within_s)

        def _send(self) -> None:
            self._sent_at_s = time.monotonic()
            if self._ended:
                sender.put(encode_spans(self._ended).SerializeToString())
                self._ended = []

    return OverHttp()
