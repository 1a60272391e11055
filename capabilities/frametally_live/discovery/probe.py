"""Finds the ONVIF devices of the local network by WS-Discovery.

Devices answer a multicast probe by UDP (ONVIF Core Specification, chapter 7; WS-Discovery, April 2005).
"""

from __future__ import annotations

import socket
import struct
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from frametally.errors import Retryable
from frametally_live.cameras.camera_access import CameraAway
from frametally_live.discovery.strangers_xml import plain_text, read_xml, text_at

MULTICAST = ("239.255.255.250", 3702)
LISTEN_S = 3.0
"""Devices wait up to half a second before they answer; slow ones longer."""
_MOST_DEVICES = 200
_MOST_OF_HOST = 8
_MOST_ANSWERS = 2000
_MOST_BYTES = 1 << 16
_AGAIN_S = 0.5
_ROUNDS = 2
"""UDP loses packets."""
_HOPS = 1
# A device answers only a probe whose types it has all: older devices have the first, newer ones the second.
_TYPES = ("dn:NetworkVideoTransmitter", "tds:Device")
_PROBE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:dn="http://www.onvif.org/ver10/network/wsdl" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
    "<s:Header><a:MessageID>urn:uuid:{message_id}</a:MessageID>"
    "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header>"
    "<s:Body><d:Probe><d:Types>{types}</d:Types></d:Probe></s:Body></s:Envelope>"
)


class NoNetwork(Retryable):
    """This machine has no network to search."""


class ProbeMatch(NamedTuple):
    """A device's description of itself in its answer to a probe.

    Attributes:
        host: IP address that the answer came from.
        addresses: The addresses that it gives for its device service.
        name: Name given by its owner; may be empty.
        model: Its hardware; may be empty.
        failure: Why its answer cannot be read; None if it can.
    """

    host: str
    addresses: tuple[str, ...] = ()
    name: str = ""
    model: str = ""
    failure: CameraAway | None = None


class Matches(NamedTuple):
    """All answers to one search; `has_more`: whether more devices answered than frametally reads."""

    matches: list[ProbeMatch]
    has_more: bool


def probe() -> Matches:
    """Search for ONVIF devices on all networks of this machine; return those that answer within `LISTEN_S`.

    Raises:
        NoNetwork: This machine has no network to send to.
    """
    message_ids = [str(uuid.uuid4()) for _ in _TYPES]
    questions = [
        _PROBE.format(message_id=message_id, types=types).encode()
        for message_id, types in zip(message_ids, _TYPES, strict=True)
    ]
    devices: dict[tuple[str, tuple[str, ...]], ProbeMatch] = {}
    by_host: Counter[str] = Counter()
    has_more, answers = False, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        for data, host in _answers(asking, questions):
            answers += 1
            for match in _matches_of(data, host, message_ids):
                key = (host, match.addresses)
                if key in devices:
                    continue
                if by_host[host] >= _MOST_OF_HOST or len(devices) >= _MOST_DEVICES:
                    has_more = True
                    continue
                devices[key] = match
                by_host[host] += 1
    return Matches(list(devices.values()), has_more or answers == _MOST_ANSWERS)


def _answers(asking: socket.socket, questions: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
    """Send the questions twice, and yield the answers with their senders."""
    begin_s = time.monotonic()
    end_s, due_s = begin_s + LISTEN_S, [begin_s + _AGAIN_S * again for again in range(_ROUNDS)]
    left = _MOST_ANSWERS
    while left and (now_s := time.monotonic()) < end_s:
        if due_s and due_s[0] <= now_s:
            due_s.pop(0)
            _send(asking, questions)
            continue
        asking.settimeout(min([*due_s, end_s]) - now_s)
        try:
            data, sender = asking.recvfrom(_MOST_BYTES)
        except OSError:  # no answer, or a host reports a closed port
            continue
        left -= 1
        yield data, str(sender[0])


def _send(asking: socket.socket, questions: Sequence[bytes]) -> None:
    """Send from each interface that is up."""
    failure: OSError | None = None
    messages = 0
    for index, _ in socket.if_nameindex():
        try:
            interface = struct.pack("@4s4si", b"", b"", index)  # struct ip_mreqn
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            for question in questions:
                asking.sendto(question, MULTICAST)
                messages += 1
        except OSError as error:
            failure = error
    if not messages:
        reason = failure.strerror if failure is not None else "no interface"
        raise NoNetwork(f"this machine has no network to search for cameras ({reason})")


def _matches_of(data: bytes, host: str, message_ids: Sequence[str]) -> list[ProbeMatch]:
    """Return the devices in one datagram; empty if it does not answer one of these messages."""
    try:
        root = read_xml(data)
    except CameraAway as error:
        return [ProbeMatch(host, failure=error)]
    relates_to = text_at(root, ".//{*}Header/{*}RelatesTo").lower()
    if not any(message_id in relates_to for message_id in message_ids):
        return []
    return [_match_of(element, host) for element in root.iterfind(".//{*}ProbeMatch")]


def _match_of(element: Element, host: str) -> ProbeMatch:
    addresses = tuple(text_at(element, "{*}XAddrs").split()[:_MOST_OF_HOST])
    scopes = text_at(element, "{*}Scopes").split()
    return ProbeMatch(host, addresses, _scope(scopes, "name"), _scope(scopes, "hardware"))


def _scope(scopes: Sequence[str], kind: str) -> str:
    """Return the value of the first scope of a kind, such as `onvif://www.onvif.org/name/Gate%201`."""
    texts = (scope.partition(f"onvif://www.onvif.org/{kind}/") for scope in scopes)
    return next((plain_text(unquote(rest)) for before, mark, rest in texts if mark and not before), "")
