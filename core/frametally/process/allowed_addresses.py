"""Checks addresses of cameras and alert channels: one rule for typed, resolved and redirected addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from frametally.errors import Misconfigured, Poison, Retryable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Default ports, by the accepted schemes."""

_SETTING = "FRAMETALLY_LIVE_ALLOW"
_LONGEST = 2000
_EXAMPLE = "rtsp://192.168.1.20:554/stream"
_DEVICE = re.compile(r"/dev/video\d{1,3}")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_PASSWORD = re.compile(r"(?:^|[?&;/])(?:password|passwd|pass|pwd)=[^&;/]", re.IGNORECASE)
_NEVER: tuple[tuple[_Network, str], ...] = tuple(
    (ipaddress.ip_network(network), description)
    for network, description in (
        ("169.254.0.0/16", "link-local, where clouds keep their machines' secrets"),
        ("fe80::/10", "link-local"),
        ("fd00:ec2::254/128", "a cloud's metadata service"),
        ("fd20:ce::254/128", "a cloud's metadata service"),
        ("100.100.100.200/32", "a cloud's metadata service"),
        ("192.0.0.192/32", "a cloud's metadata service"),
        ("168.63.129.16/32", "a cloud's metadata service"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("0.0.0.0/8", "unspecified"),
        ("::/128", "unspecified"),
        ("240.0.0.0/4", "reserved"),
    )
)
_INWARD = tuple(
    ipaddress.IPv6Network(network)
    for network in ("64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96", "fec0::/10", "5f00::/16", "3fff::/20")
)
"""Networks without public addresses: local NAT64, IPv4-compatible, IPv4-translated, site-local, segments,
examples."""
_WITH_IPV4 = _INWARD[:3]
"""The networks whose addresses end in an IPv4 address."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(Poison):
    """An address is not allowed, with the reason and, if known, the remedy.

    Attributes:
        reason: The reason, without the settings.
        detail: The reason, with the settings.
        remedy: What to do, which may name a setting.
        request: What people who cannot change settings can do; empty if this is the same.
    """

    def __init__(self, reason: str, remedy: str = "", *, allowed: str = "", request: str = "") -> None:
        """Keep the parts; as text, the error is one line with the remedy."""
        super().__init__(f"{reason} (allowed: {allowed})" if allowed else reason, remedy)
        self.reason = reason
        self.request = request


class CameraAddress(NamedTuple):
    """The parts of an address.

    Attributes:
        scheme: One of `PORTS`, or empty for a device of this machine.
        host: Name or address, without brackets; empty for a device.
        port: The port, or 0 for a device.
        text: The whole address, without a log-in.
    """

    scheme: str
    host: str
    port: int
    text: str

    @property
    def place(self) -> str:
        """Return host and port as one text."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str, *, devices: bool = False) -> CameraAddress:
    """Parse the address of a camera; with `devices` it may also be a device of this machine.

    Raises:
        AddressRefused: It is invalid or contains a log-in, which the message never repeats.
    """
    text = text.strip()
    if devices and _DEVICE.fullmatch(text):
        return CameraAddress("", "", 0, text)
    parts = _parts_of(text)
    if "@" in parts.netloc or _PASSWORD.search(parts.path) or _PASSWORD.search(parts.query):
        raise AddressRefused(
            "this address contains a user name or password, which everyone who can see the address could "
            "read",
            'leave it out, and set FRAMETALLY_LIVE_LOGINS={"<source>": "<user>:<password>"}',
            request="Leave it out, and ask an administrator to set the user name and password.",
        )
    kinds = f"{', '.join(f'{scheme}://' for scheme in PORTS)}{' and /dev/videoN' if devices else ''}"
    if parts.scheme not in PORTS or not parts.hostname:
        raise AddressRefused(
            f"{text[:200]!r} is not a camera's address",
            f"write it as {_EXAMPLE}; the possible kinds are {kinds}",
        )
    host = parts.hostname
    if as_ip(host) is None and not _HOST.fullmatch(host):
        raise AddressRefused(f"{host[:200]!r} is not a host name", "give the camera's name or its IP address")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise AddressRefused(f"the port in {text[:200]!r} is not between 1 and 65535")
    return CameraAddress(parts.scheme, host, port or PORTS[parts.scheme], text)


def _parts_of(text: str) -> SplitResult:
    if len(text) > _LONGEST or not text.isprintable() or any(sign in text for sign in " \\#"):
        raise AddressRefused(
            f"a camera's address can have at most {_LONGEST} characters, and no spaces, backslashes or #"
        )
    try:
        return urlsplit(text)
    except ValueError:  # its message would repeat the address
        raise AddressRefused("this is not a camera's address", f"write it as {_EXAMPLE}") from None


class AllowedPlaces:
    """The networks, addresses and names at which a client, by default a camera, is allowed."""

    def __init__(
        self, allow: str, *, setting: str = _SETTING, client: str = "camera", public: bool = False
    ) -> None:
        """Parse the value of a setting.

        Args:
            allow: The value: networks, addresses and names, separated by commas.
            setting: The name of the setting.
            client: The kind of client, such as `camera`.
            public: Whether public addresses are also allowed.

        Raises:
            Misconfigured: A part of the value is not a network, address or name.
        """
        self._text = allow
        self._setting, self._client, self._public = setting, client, public
        self._networks: list[_Network] = []
        self._names: set[str] = set()
        for entry in filter(None, (part.strip() for part in allow.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if not _HOST.fullmatch(entry) or entry.replace(".", "").isdecimal():
                    raise Misconfigured(
                        f"{setting}: {entry!r} is not a network, address or host name; write it like "
                        "192.168.1.0/24, 192.168.1.20, gate.example.org"
                    ) from None
                self._names.add(_plain(entry))

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Check that the client is allowed at all IP addresses that `host` currently has.

        Raises:
            AddressRefused: It is not; the line names the address and, if there is one, the setting that may
                allow it.
        """
        for text in addresses:
            ip = as_ip(text)
            if ip is None:
                raise AddressRefused(f"{text[:200]!r} is not an IP address")
            forms = [ip]
            if any(ip in network for network in _WITH_IPV4) and int(ip) > 0xFFFFFF:  # not ::1
                forms.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
            why = next((why for network, why in _NEVER if any(form in network for form in forms)), "")
            address = str(ip) if _plain(host) == str(ip) else f"{host} ({ip})"
            if why:
                raise AddressRefused(
                    f"frametally does not allow {self._client}s at {address}: this address is {why}"
                )
            if _plain(host) in self._names or any(ip in network for network in self._networks):
                continue
            if self._public and ip.is_global and not any(ip in network for network in _INWARD):
                continue
            where = ", ".join(filter(None, ("public addresses" * self._public, self._text))) or "none"
            allowed = ",".join(filter(None, (self._text, _plain(host))))
            raise AddressRefused(
                f"frametally does not allow {self._client}s at {address}",
                f"if this address is right, set {self._setting}={allowed}",
                allowed=where,
                request="Ask an administrator to allow this address.",
            )

    def check_written(self, host: str) -> None:
        """Check `host` if it is an IP address; a name passes, as its address may change.

        Raises:
            AddressRefused: It is an IP address in any notation, or this machine, and is not allowed.
        """
        ip = as_ip(host)
        if re.fullmatch(r"(.+\.)?localhost", _plain(host)):
            ip = ipaddress.IPv4Address("127.0.0.1")
        with suppress(OSError, UnicodeError):  # a name
            ip = ip or ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001
        if ip is not None:
            self.check(host, [host if as_ip(host) else str(ip)])


def as_ip(text: str) -> IPAddress | None:
    """Return the IP address in `text`, with an IPv4 address inside an IPv6 one unwrapped, or None."""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def counted_as(address: str) -> str:
    """Return the key for counting an address's attempts: a client may have a whole IPv6 /64."""
    ip = as_ip(address)
    if ip is None or ip.version == 4:
        return address if ip is None else str(ip)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


class PlaceAway(Retryable):
    """Nothing responds at an address for now."""


def connect(host: str, port: int, allowed: AllowedPlaces, *, timeout_s: float) -> socket.socket:
    """Connect to `host` if it is allowed, at exactly the addresses that were checked.

    Raises:
        Poison: Its address is not allowed.
        PlaceAway: It does not respond.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PlaceAway(f"cannot resolve {host}: check the name") from error
    places = list(dict.fromkeys(str(entry[4][0]) for entry in addresses))
    allowed.check(host, places)
    failure: OSError | None = None
    for place in places:
        try:
            return socket.create_connection((place, port), timeout_s)
        except OSError as error:
            failure = error
    reason = failure.strerror if failure is not None and failure.strerror else str(failure)
    raise PlaceAway(f"is not responding at {host}:{port} ({reason.lower()})")
