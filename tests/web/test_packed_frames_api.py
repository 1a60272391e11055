"""The proof shows a frame in a pack like a single one."""

from __future__ import annotations

from tests.fakes.memory import MemoryStore
from tests.web.conftest import Place

from frametally import keys
from frametally.packs.pack_keys import is_part_key
from frametally.packs.packed_store import PackedStore
from frametally.packs.packing import pack_pictures
from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_S
from frametally_web.proof.picture_links import LINK_S, picture_link


class LinkingStore(MemoryStore):
    """A store with links, like S3."""

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        return f"https://s3.example.org/{key}?for={ttl_s}"


QUESTIONS = ("evidence", "frames/image?path={path}", "frames/image?path={path}&w=320")


def test_pictures_and_boxes_of_packed_frames_match_those_of_single_ones(place: Place) -> None:
    place.film({"car": 6, "person": 2})
    plain, place.store = place.store, PackedStore(place.store)
    app = place.app().test_client()
    path = next(iter(plain.list(keys.IMAGES))).key
    addresses = [f"/api/v1/{question.format(path=path)}" for question in QUESTIONS]
    answers = [app.get(address) for address in addresses]
    assert [answer.status_code for answer in answers] == [200] * len(addresses)
    assert pack_pictures(place.store, keys.IMAGES, now_ms=10**14, progress=NoProgress()).pictures
    assert all(is_part_key(info.key) for info in plain.list(keys.IMAGES))
    assert [app.get(address).data for address in addresses] == [answer.data for answer in answers]


def test_the_dashboard_sends_a_packed_frame_even_if_single_ones_come_from_the_store(
    place: Place,
) -> None:
    store = PackedStore(LinkingStore())
    place.store = store
    place.film({"car": 6})
    settings = place.settings.model_copy(update={"web_store_links": True})
    path = next(iter(store.list(keys.IMAGES))).key
    assert picture_link(store, settings, path) == f"https://s3.example.org/{path}?for={LINK_S}"
    pack_pictures(store, keys.IMAGES, now_ms=10**14, progress=NoProgress())
    assert picture_link(PackedStore(store.plain), settings, path) is None
