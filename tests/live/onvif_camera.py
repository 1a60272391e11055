"""A simulated ONVIF device: WS-Discovery by UDP, and its services by HTTP, on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from tests.kit.http_server import Answers

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = {1: "http://www.onvif.org/ver10/media/wsdl", 2: "http://www.onvif.org/ver20/media/wsdl"}
_SCHEMA = "http://www.onvif.org/ver10/schema"
_OPEN = ("GetSystemDateAndTime", "GetServices", "GetCapabilities")
_FRESH_S = 5.0
END = b"the end"
"""Echoes the request: earlier requests were answered before."""
NOT_AUTHORIZED = (
    '<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:ter="http://www.onvif.org/ver10/error">'
    "ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en">Sender not authorized</s:Text></s:Reason></s:Fault>'
)
NOT_SUPPORTED = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
    '<s:Reason><s:Text xml:lang="en">Action\n not \x1b[31msupported</s:Text></s:Reason></s:Fault>'
).replace("\x1b", "&#x9b;")


def envelope(body: str, head: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
        f"<s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def match(relates_to: str, *xaddrs: str, scopes: str = "", endpoint: str = "urn:uuid:1") -> bytes:
    """The answer to a probe."""
    return envelope(
        "<d:ProbeMatches><d:ProbeMatch>"
        f"<a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
        f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>"
        f"<d:XAddrs>{' '.join(xaddrs)}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>",
        f"<a:RelatesTo>{relates_to}</a:RelatesTo>",
    )


class Answerer:
    """Answers probes at a port of 127.0.0.1, each with the datagrams in `answers` for its message id."""

    def __init__(self, answers: Callable[[str], list[bytes]]) -> None:
        self._answers = answers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place: tuple[str, int] = self._socket.getsockname()
        self.probes: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Answerer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.place)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(1 << 16)
            if not data:
                return
            if data == END:
                self._socket.sendto(END, sender)
                continue
            root = fromstring(data)
            self.probes.append((root.findtext(".//{*}Types") or "").strip())
            for answer in self._answers((root.findtext(".//{*}MessageID") or "").strip()):
                self._socket.sendto(answer, sender)


class Answer(NamedTuple):
    """An answer by HTTP; a slow one is sent in pieces of this many bytes, with pauses."""

    status: int = 200
    body: bytes = b""
    head: tuple[str, str] = ("", "")
    piece_bytes: int = 0
    pause_s: float = 0.0


class OnvifCamera:
    """A device with the given stream address, inside the `with` block.

    Each of `faults` replaces the answer to the question of that name. With `password`, questions need a
    log-in, by WS-Security or by HTTP.
    """

    def __init__(
        self,
        stream: str,
        *,
        name: str = "Gate%201",
        password: str = "",
        by_http: bool = False,
        ahead_s: float = 0,
        media: int = 1,
        xaddrs: str = "",
        faults: Mapping[str, Answer] | None = None,
    ) -> None:
        self.ended = threading.Event()
        self.questions: list[str] = []
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self._stream = stream
        self._name = name
        self._password = password
        self._by_http = by_http
        self._ahead = timedelta(seconds=ahead_s)
        self._media = media
        self._faults = dict(faults or {})
        camera = self

        class Handler(Answers):
            def do_POST(self) -> None:  # noqa: N802 - as the library has it
                camera.heads.append(str(self.headers))
                answer = camera.answer(self.read(), self.headers.get("Authorization", ""))
                self.send_response(answer.status)
                for name, value in (answer.head, ("Content-Length", str(len(answer.body)))):
                    if name:
                        self.send_header(name, value)
                self.end_headers()
                for piece in range(0, len(answer.body), answer.piece_bytes or len(answer.body) or 1):
                    self.wfile.write(answer.body[piece : piece + (answer.piece_bytes or len(answer.body))])
                    camera.ended.wait(answer.pause_s)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/onvif/device_service"
        scopes = f"onvif://www.onvif.org/hardware/T-800 onvif://www.onvif.org/name/{name}"
        self.answerer = Answerer(lambda asked: [match(asked, *(xaddrs or self.url).split(), scopes=scopes)])

    def __enter__(self) -> OnvifCamera:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.answerer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.answerer.__exit__(kind, error, trace)
        self._http.shutdown()
        self._http.server_close()

    def answer(self, body: bytes, authorization: str) -> Answer:
        root = fromstring(body)
        question = next(iter(root.find("{*}Body") or [])).tag.rpartition("}")[2]
        self.questions.append(question)
        self.bodies.append(body)
        if self._password and question not in _OPEN and not self._knows(root, authorization):
            if self._by_http:
                challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
                return Answer(401, head=("WWW-Authenticate", challenge))
            return Answer(400, envelope(NOT_AUTHORIZED))
        return self._faults.get(question) or Answer(200, envelope(self._body(question, body.decode())))

    def _knows(self, root: Element, authorization: str) -> bool:
        if self._by_http:
            return self._knows_by_http(authorization)
        nonce, created, digest = (
            root.findtext(f".//{{*}}{one}") or "" for one in ("Nonce", "Created", "Password")
        )
        if not nonce or root.findtext(".//{*}Username") != "viewer":
            return False
        secret = base64.b64decode(nonce) + created.encode() + self._password.encode()
        age = datetime.now(UTC) + self._ahead - datetime.fromisoformat(created)
        proof = base64.b64encode(hashlib.sha1(secret).digest()).decode()  # noqa: S324 - the profile's
        return proof == digest and abs(age.total_seconds()) < _FRESH_S

    def _knows_by_http(self, authorization: str) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', authorization))
        if said.get("username") != "viewer":
            return False

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - RFC 2617's

        of_user, of_request = md5(f"viewer:r:{self._password}"), md5(f"POST:{said['uri']}")
        proof = md5(f"{of_user}:n:{said['nc']}:{said['cnonce']}:{said['qop']}:{of_request}")
        return proof == said["response"]

    def _body(self, question: str, asked: str) -> str:
        now = datetime.now(UTC) + self._ahead
        media = self.url.replace("device_service", "media_service")
        suffix = "" if "main" in asked else "?sub"
        stream = f"<tt:Uri>{self._stream}{suffix}</tt:Uri>"
        texts = {
            "GetSystemDateAndTime": "<SystemDateAndTime><tt:UTCDateTime>"
            + _element("Time", Hour=now.hour, Minute=now.minute, Second=now.second)
            + _element("Date", Year=now.year, Month=now.month, Day=now.day)
            + "</tt:UTCDateTime></SystemDateAndTime>",
            "GetServices": "".join(
                f"<Service><Namespace>{namespace}</Namespace><XAddr>{url}</XAddr></Service>"
                for namespace, url in ((_DEVICE, self.url), (_MEDIA[self._media], media))
            ),
            "GetCapabilities": f"<Capabilities>{_element('Media', XAddr=media)}</Capabilities>",
            "GetDeviceInformation": "<Manufacturer>Cyberdyne</Manufacturer><Model>T-800</Model>",
            "GetProfiles": self._profile("main", 1920, 1080) + self._profile("sub", 640, 360),
            "GetStreamUri": f"<MediaUri>{stream}</MediaUri>" if self._media == 1 else stream,
            "GetSnapshotUri": f"<MediaUri>{_element('Uri', '', self.url)}</MediaUri>",
        }
        head = f'{question}Response xmlns="{_MEDIA[self._media]}" xmlns:tt="{_SCHEMA}"'
        return f"<{head}>{texts[question]}</{question}Response>"

    def _profile(self, token: str, width_px: int, height_px: int) -> str:
        size = _element("Resolution", Width=width_px, Height=height_px)
        encoder = f"<tt:Encoding>H264</tt:Encoding>{size}"
        if self._media == 1:
            encoder = _element("VideoEncoderConfiguration", "", encoder)
        else:
            encoder = f"<Configurations><VideoEncoder>{encoder}</VideoEncoder></Configurations>"
        return f'<Profiles token="{token}"><tt:Name>{token}Stream</tt:Name>{encoder}</Profiles>'


def _element(name: str, *contents: str, **parts: object) -> str:
    inside = "".join([*contents, *(_element(part, str(value)) for part, value in parts.items())])
    return f"<tt:{name}>{inside}</tt:{name}>"
