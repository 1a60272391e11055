"""Ends a command's work when a signal asks it to stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext

import click

from frametally.console import output as console
from frametally.process.exit_codes import STOPPED
from frametally.process.interruption import raise_on_signal

_HEARD_WITHIN_S = 1.0


@contextmanager
def stop_on(*signals: signal.Signals, at_once: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a function that reports whether a signal has come; a second Ctrl-C interrupts at once.

    Python handles a signal only between two of its own steps, not while a decoder works on a picture. With
    `at_once`, the process ends if that takes longer than a second; its work must tolerate that.
    """
    heard = threading.Event()

    def stop(signal_number: int, stack_frame: object) -> None:
        heard.set()
        signal.signal(signal.SIGINT, raise_on_signal(KeyboardInterrupt))

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        with _ended_unless(heard, signals) if at_once else nullcontext():
            yield heard.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended_unless(heard: threading.Event, signals: Collection[int]) -> Iterator[None]:
    """End the process if one of these signals has come and `heard` is not set within a second."""
    reader, writer = socket.socketpair()

    def watch() -> None:
        while numbers := reader.recv(1):  # ends when the other end is closed
            if numbers[0] in signals and not heard.wait(_HEARD_WITHIN_S):
                console.err().show_cursor(True)  # a bar may have hidden it
                os._exit(stopped())

    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="hearing-signals", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        watcher.join()
        reader.close()


@contextmanager
def ending_on(number: signal.Signals) -> Iterator[None]:
    """Let this signal end the process as an exit does, closing and removing open files."""
    before = signal.signal(number, raise_on_signal(lambda: SystemExit(128 + number)))
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def dying_of(number: signal.Signals) -> Iterator[None]:
    """Let this signal end the process even during a library's call; use it only where nothing can be lost."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def stopped() -> int:
    """Report that the work was interrupted; return the exit code for that."""
    click.echo("stopped; run the same command to continue", err=True)
    return STOPPED
