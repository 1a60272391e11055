"""Asks one ONVIF device for its description and its streams, by SOAP over HTTP.

Follows the ONVIF Core, Media and Media2 Service Specifications. Passwords are sent as digests of WS-Security
(Username Token Profile 1.0) or of HTTP.

It sends six fixed requests. The ONVIF libraries (onvif-zeep-async, WSDiscovery) connect wherever an answer
leads, and read answers of any length; here, `HttpVisitor` connects to allowed addresses only.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from frametally.process.allowed_addresses import AddressRefused, CameraAddress, read_address
from frametally_live.camera_answers import OfferedStream
from frametally_live.cameras.camera_access import CameraAway, CameraLogin, without_login
from frametally_live.cameras.http_stream import HttpVisitor
from frametally_live.discovery.strangers_xml import plain_text, read_xml, text_at

_MOST_BYTES = 512 << 10
_MOST_PROFILES = 32
_MOST_DIGITS = 5
_UNAUTHORIZED, _FORBIDDEN, _LEAST_REFUSAL = 401, 403, 300
_HTTP, _STREAMS = ("http", "https"), ("rtsp", "rtsps")
_SOAP = "application/soap+xml; charset=utf-8"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
# Media1 first: nearly all devices have it, and Media2 is newer.
_MEDIA1, _MEDIA2 = "http://www.onvif.org/ver10/media/wsdl", "http://www.onvif.org/ver20/media/wsdl"
_PROFILES = {
    _MEDIA1: f'<GetProfiles xmlns="{_MEDIA1}"/>',
    _MEDIA2: f'<GetProfiles xmlns="{_MEDIA2}"><Type>VideoEncoder</Type></GetProfiles>',
}
_STREAM_URI = {
    _MEDIA1: f'<GetStreamUri xmlns="{_MEDIA1}"><StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
    f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
    "<ProfileToken>{token}</ProfileToken></GetStreamUri>",
    _MEDIA2: f'<GetStreamUri xmlns="{_MEDIA2}"><Protocol>RtspUnicast</Protocol>'
    "<ProfileToken>{token}</ProfileToken></GetStreamUri>",
}
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_SECURITY = (
    f'<Security xmlns="{_WSS}-wssecurity-secext-1.0.xsd"><UsernameToken><Username>{{user}}</Username>'
    f'<Password Type="{_WSS}-username-token-profile-1.0#PasswordDigest">{{digest}}</Password>'
    f'<Nonce EncodingType="{_WSS}-soap-message-security-1.0#Base64Binary">{{nonce}}</Nonce>'
    f'<Created xmlns="{_WSS}-wssecurity-utility-1.0.xsd">{{created}}</Created></UsernameToken></Security>'
)
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
    "<s:Header>{security}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
)


class DeviceFacts(NamedTuple):
    """A device's description of itself; `snapshot` is the address of a picture, or empty."""

    maker: str
    model: str
    streams: list[OfferedStream]
    snapshot: str


NO_FACTS = DeviceFacts("", "", [], "")
_DATE, _TIME = ("Year", "Month", "Day"), ("Hour", "Minute", "Second")
_MOST_AHEAD = timedelta(days=36_500)
_UNAUTHORIZED_CODES = ("NotAuthorized", "FailedAuthentication", "InvalidSecurity")


def own_address(text: str, host: str, schemes: tuple[str, ...]) -> CameraAddress:
    """Return a device's address for itself, without any log-in in it.

    Raises:
        CameraAway: It leads elsewhere, or to an unsupported service; the message repeats no log-in.
    """
    plain = without_login(text.strip())
    if "@" in plain:
        raise CameraAway("names an address with a log-in that cannot be left out")
    try:
        address = read_address(plain)
    except AddressRefused as error:
        raise CameraAway(f"names an address that frametally does not use: {error.reason}") from None
    if address.host != host:
        raise CameraAway(f"names an address of another host, {address.host[:100]}")
    if address.scheme not in schemes:
        raise CameraAway(f"names an address of {address.scheme}://, not of {schemes[0]}://")
    return address


class OnvifDevice:
    """One device, at the visitor's address and with its log-in."""

    def __init__(self, visitor: HttpVisitor) -> None:
        self._visitor = visitor
        self._service = visitor.address.text
        self._clock_ahead = timedelta()

    def read_facts(self) -> DeviceFacts:
        """Return the device's description of itself.

        Raises:
            CameraAway: It does not answer, refuses the log-in, or has no stream.
        """
        if self._visitor.login is not None:
            self._clock_ahead = self._read_clock()
        about = self._ask(self._service, f'<GetDeviceInformation xmlns="{_DEVICE}"/>')
        namespace, media = self._media_service()
        profiles = list(self._ask(media, _PROFILES[namespace]).iterfind(".//{*}Profiles"))[:_MOST_PROFILES]
        return DeviceFacts(
            plain_text(text_at(about, ".//{*}Manufacturer")),
            plain_text(text_at(about, ".//{*}Model")),
            self._streams(namespace, media, profiles),
            self._snapshot(namespace, media, profiles[0]),
        )

    def _read_clock(self) -> timedelta:
        """Return how far its clock is ahead: a device refuses passwords that are too old by its clock."""
        try:
            question = f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>'
            answer = self._ask(self._service, question, is_signed=False)
            paths = [f"{{*}}Date/{{*}}{part}" for part in _DATE] + [
                f"{{*}}Time/{{*}}{part}" for part in _TIME
            ]
            parts = [int(text_at(answer, f".//{{*}}UTCDateTime/{path}")) for path in paths]
            ahead = datetime(*parts, tzinfo=UTC) - datetime.now(UTC)  # type: ignore[misc, arg-type]
            return ahead if abs(ahead) < _MOST_AHEAD else timedelta()
        except (CameraAway, ValueError, OverflowError):
            return timedelta()

    def _media_service(self) -> tuple[str, str]:
        """Return the namespace and the address of the media service; old devices lack `GetServices`."""
        try:
            answer = self._ask(
                self._service,
                f'<GetServices xmlns="{_DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>',
            )
        except CameraAway as error:
            if error.refuses_login:
                raise
            question = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
            address = text_at(self._ask(self._service, question), ".//{*}Media/{*}XAddr")
            addresses = {_MEDIA1: address} if address else {}
        else:
            addresses = {
                text_at(service, "{*}Namespace"): text_at(service, "{*}XAddr")
                for service in answer.iterfind(".//{*}Service")
            }
        for namespace in _PROFILES:
            if namespace in addresses:
                return namespace, addresses[namespace]
        raise CameraAway("has no media service, and so no stream")

    def _streams(self, namespace: str, media: str, profiles: list[Element]) -> list[OfferedStream]:
        streams: list[OfferedStream] = []
        failure = CameraAway("has no profile, and so no stream")
        for profile in profiles:
            try:
                address = self._uri(media, _STREAM_URI[namespace], profile, _STREAMS)
                streams.append(_stream_of(profile, address))
            except CameraAway as error:
                failure = error
        if not streams:
            raise failure
        return streams

    def _snapshot(self, namespace: str, media: str, profile: Element) -> str:
        question = (
            f'<GetSnapshotUri xmlns="{namespace}"><ProfileToken>{{token}}</ProfileToken></GetSnapshotUri>'
        )
        try:
            return self._uri(media, question, profile, _HTTP).text
        except CameraAway:  # not every device has one
            return ""

    def _uri(self, media: str, question: str, profile: Element, schemes: tuple[str, ...]) -> CameraAddress:
        """Return the device's address for a profile."""
        answer = self._ask(media, question.format(token=escape(profile.get("token", ""))))
        return own_address(text_at(answer, ".//{*}Uri"), self._visitor.address.host, schemes)

    def _ask(self, url: str, question: str, *, is_signed: bool = True) -> Element:
        """Return the answer of a service at `url`, which must be on the device itself."""
        address = own_address(url, self._visitor.address.host, _HTTP)
        login = self._visitor.login if is_signed else None
        security = _security(login, datetime.now(UTC) + self._clock_ahead) if login is not None else ""
        envelope = _ENVELOPE.format(security=security, body=question)
        request = urllib.request.Request(address.text, envelope.encode(), {"Content-Type": _SOAP})  # noqa: S310
        status, data = self._visitor.post(request, _MOST_BYTES)
        is_refused = status >= _LEAST_REFUSAL
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            raise self._visitor.refusal_of(status)
        try:
            root = read_xml(data)
        except CameraAway:
            if is_refused:
                raise self._visitor.refusal_of(status) from None
            raise
        fault = root.find(".//{*}Fault")
        if fault is None:
            if is_refused:
                raise self._visitor.refusal_of(status)
            return root
        codes = " ".join(code.text or "" for code in fault.iterfind(".//{*}Value"))
        if any(code in codes for code in _UNAUTHORIZED_CODES):
            raise self._visitor.refusal_of(_UNAUTHORIZED)
        raise CameraAway(
            f"refuses the question: {plain_text(text_at(fault, './/{*}Text')) or plain_text(codes)}"
        )


def _security(login: CameraLogin, now: datetime) -> str:
    """Return a log-in header: SHA-1 of nonce, time and password (Username Token Profile 1.0)."""
    nonce, created = secrets.token_bytes(16), now.strftime("%Y-%m-%dT%H:%M:%SZ")
    secret = nonce + created.encode() + login.password.get_secret_value().encode()
    digest = hashlib.sha1(secret).digest()  # noqa: S324 - the profile's
    return _SECURITY.format(
        user=escape(login.user),
        digest=base64.b64encode(digest).decode(),
        nonce=base64.b64encode(nonce).decode(),
        created=created,
    )


def _stream_of(profile: Element, address: CameraAddress) -> OfferedStream:
    encoder = profile.find("{*}VideoEncoderConfiguration")
    if encoder is None:
        encoder = profile.find("{*}Configurations/{*}VideoEncoder")
    if encoder is None:
        encoder = Element("none")
    return OfferedStream(
        name=plain_text(text_at(profile, "{*}Name")),
        address=address.text,
        code=plain_text(text_at(encoder, "{*}Encoding")),
        width_px=_pixels(text_at(encoder, "{*}Resolution/{*}Width")),
        height_px=_pixels(text_at(encoder, "{*}Resolution/{*}Height")),
    )


def _pixels(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0
