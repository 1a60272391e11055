"""Finds ONVIF cameras on the network, with their descriptions and any problems.

The devices are untrusted: frametally contacts only the host that answered, if cameras may be there, and sends
only a log-in that the settings have for this host.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from frametally import keys
from frametally.actions.answers import answer_of
from frametally.process.allowed_addresses import (
    AddressRefused,
    AllowedPlaces,
    CameraAddress,
    read_address,
)
from frametally.settings.loading import Settings
from frametally_live.camera_answers import CameraSearch, OfferedCamera
from frametally_live.cameras.camera_access import CameraAway, login_of
from frametally_live.cameras.http_stream import HttpVisitor
from frametally_live.discovery.onvif_device import NO_FACTS, DeviceFacts, OnvifDevice, own_address
from frametally_live.discovery.probe import ProbeMatch, probe
from frametally_live.feed_records import Feed
from frametally_live.settings import LiveSettings

_LOG = logging.getLogger("frametally_web")
_ASK_S = 12.0
"""Time for all devices together, after listening."""
_DEVICE_S = 6.0
_AT_A_TIME = 16


SearchCameras = Callable[[Sequence[Feed]], CameraSearch]
"""Searches the network, given the cameras that are already added."""


def search_cameras(
    settings: Settings, cameras: Iterable[Feed], *, with_settings: bool = False
) -> CameraSearch:
    """Search the local network for ONVIF devices, for about 15 s at most.

    Args:
        settings: The settings of this process.
        cameras: The cameras that are already added.
        with_settings: Whether a problem may name settings; otherwise the log names them.

    Raises:
        Misconfigured: A setting of cameras cannot be read.
        NoNetwork: This machine has no network to send to.
    """
    by_host: dict[str, list[Feed]] = {}
    for camera in cameras:
        by_host.setdefault(read_address(camera.address, devices=True).host, []).append(camera)
    searching = _Searching(settings, by_host)
    matches, has_more = probe()
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="onvif") as pool:
        answers = list(pool.map(partial(searching.ask, end_s=time.monotonic() + _ASK_S), matches))
    slugs = {camera.source for feeds in by_host.values() for camera in feeds}
    offers = []
    for match, (facts, failure) in zip(matches, answers, strict=True):
        name = match.name or facts.model or match.model or match.host
        source = name if keys.slug(name) not in slugs else f"{name} {match.host}"
        slugs.add(keys.slug(source))
        offer = answer_of(
            OfferedCamera,
            (match, facts),
            name=name,
            source=source,
            model=facts.model or match.model,
            cameras=[camera.name for camera in by_host.get(match.host, [])],
            problem=_problem(match.host, failure, with_settings) if failure is not None else None,
        )
        offers.append(offer)
    offers.sort(key=lambda offer: (offer.problem is not None, offer.name.casefold(), offer.host))
    return CameraSearch(cameras=offers, has_more=has_more)


def _problem(host: str, failure: CameraAway | AddressRefused, with_settings: bool) -> str:
    """Return why a device cannot be used now, in one line."""
    if isinstance(failure, CameraAway):
        return f"{host} {failure}"
    if with_settings:
        return str(failure)
    _LOG.warning("camera not asked: %s", failure)
    return f"{failure.reason}. {failure.request}".strip()


class _Searching:
    """Queries the devices of one search."""

    def __init__(self, settings: Settings, by_host: Mapping[str, Sequence[Feed]]) -> None:
        """Take the cameras that are already added, by their hosts. Raises `Misconfigured`."""
        self._part = settings.part(LiveSettings)
        self._by_host = by_host
        self._allowed = AllowedPlaces(self._part.live_allow)
        login_of(self._part.live_logins, "")

    def ask(
        self, match: ProbeMatch, *, end_s: float
    ) -> tuple[DeviceFacts, CameraAway | AddressRefused | None]:
        """Return a device's description of itself, or why there is none; sends no request after `end_s`."""
        left_s = min(end_s - time.monotonic(), _DEVICE_S)
        is_late = threading.Event()
        try:
            if match.failure is not None:
                raise match.failure
            self._allowed.check(match.host, [match.host])
            if left_s <= 0:
                raise CameraAway("was not asked, as others took too long: search again")
            with closing(self._visitor(match)) as visitor:

                def cut() -> None:
                    is_late.set()
                    visitor.cut()

                timer = threading.Timer(left_s, cut)
                timer.start()
                try:
                    return OnvifDevice(visitor).read_facts(), None
                finally:
                    timer.cancel()
        except AddressRefused as error:
            return NO_FACTS, error
        except CameraAway as error:
            late = CameraAway(f"did not answer within {max(left_s, 1):.0f} s")
            return NO_FACTS, late if is_late.is_set() else error

    def _visitor(self, match: ProbeMatch) -> HttpVisitor:
        """Return a visitor for a device, with the log-in of its host or of a camera that was added there."""
        sources = ("", *(camera.source for camera in self._by_host.get(match.host, ())))
        logins = (login_of(self._part.live_logins, source, match.host) for source in sources)
        return HttpVisitor(
            _service_address(match),
            self._allowed,
            next(filter(None, logins), None),
            source=match.host,
            ca_file=self._part.live_ca_file,
            is_stranger=True,
        )


def _service_address(match: ProbeMatch) -> CameraAddress:
    """Return the device's service address, on the host that sent the answer."""
    failure = CameraAway("names no address of its own")
    for text in match.addresses:
        try:
            return own_address(text, match.host, ("http", "https"))
        except CameraAway as error:
            failure = error
    raise failure
