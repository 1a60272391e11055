"""Erasure: nothing remains of footage that is deleted with its pictures, and everything else remains."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.test_undo import DAY_MS, JPEG, START_MS, World
from tests.examples import examples

from frametally import keys
from frametally.errors import Misconfigured
from frametally.media import corrections, forgetting, lookup
from frametally.media.erasing import unnamed_images
from frametally.media.manifests import list_manifests, pictures_identity
from frametally.media.stored_images import announced_images
from frametally.ports.ledger import Extent
from frametally.process.reports import NoProgress
from frametally.records import MediaManifest, encode
from frametally.rules.times import in_range


def images(world: World) -> set[str]:
    return {info.key for info in world.store.list(keys.IMAGES)}


def unnamed(world: World) -> set[str]:
    return {info.key for info in unnamed_images(world.store, NoProgress())}


def of_source(world: World, source: str) -> list[MediaManifest]:
    return [manifest for manifest in list_manifests(world.store) if manifest.source == source]


def pictures_day(source: str, ms: int) -> str:
    return pictures_identity(source, keys.utc_day(ms))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("kind", ["video", "pictures"])
def test_nothing_is_left_of_a_source_that_was_renamed_and_then_forgotten(
    world: World, tmp_path: Path, kind: str
) -> None:
    if kind == "video":
        world.produce_video("cam.mp4", "gate")
    else:
        world.produce_pictures("gate", [START_MS, START_MS + DAY_MS])
    world.produce_video("other.mp4", "gate 2")
    others = {key for key in images(world) if key.startswith("images/gate-2/")}
    world.rename("gate", "yard")
    world.rename("yard", "front")
    world.forget(of_source(world, "front"), tmp_path, delete_images=True)
    assert images(world) == others


def test_nothing_is_left_of_media_that_were_retimed_and_then_forgotten(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "cam")
    world.produce_pictures("cam", [START_MS, START_MS + 1_000])
    world.retime("cam.mp4", START_MS + 7_000)
    world.retime(pictures_day("cam", START_MS), START_MS + 3 * DAY_MS)
    world.forget(of_source(world, "cam"), tmp_path, delete_images=True)
    assert images(world) == set()


def test_forgetting_a_range_also_deletes_its_pictures_at_their_former_times(
    world: World, tmp_path: Path
) -> None:
    made = world.produce_video("cam.mp4", "cam")
    world.rename("cam", "gate")
    world.retime("cam.mp4", START_MS + 60_000)
    world.forget(of_source(world, "gate"), tmp_path, from_ms=START_MS + 63_000, delete_images=True)
    left = {int(key.removesuffix(".jpg").rpartition("-")[2]) for key in images(world)}
    assert (left, len(images(world))) == ({0, 1, 2}, 9)
    assert all(made.sha256[:12] in key for key in images(world))


def test_a_picture_that_another_medium_shares_stays(world: World, tmp_path: Path) -> None:
    world.produce_pictures("yard", [START_MS])
    world.rename("yard", "gate")
    world.produce_pictures("yard", [START_MS])  # the same file, given again
    kept = {key for key in images(world) if key.startswith("images/yard/")}
    world.forget(of_source(world, "gate"), tmp_path, delete_images=True)
    assert images(world) == kept


def test_forgetting_a_former_name_says_what_deletes_the_remains(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "Gate")
    world.rename("gate", "yard")
    with pytest.raises(Misconfigured, match=r"no footage from source 'Gate'.*forget --unnamed-images"):
        lookup.media_of_source(world.store, "Gate")


def test_pictures_without_a_medium_are_found(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "cam")
    world.produce_pictures("cam", [START_MS, START_MS + 1_000])
    assert unnamed(world) == set()
    before = images(world)
    world.rename("cam", "gate")
    assert unnamed(world) == before
    world.retime("cam.mp4", START_MS + 2_000)
    assert len(unnamed(world) - before) == 6
    world.forget(of_source(world, "gate"), tmp_path)
    assert unnamed(world) == images(world)


@pytest.mark.parametrize("kind", ["video", "pictures"])
def test_pictures_of_a_medium_in_production_never_count_as_unnamed(world: World, kind: str) -> None:
    """Stored before the announcement and the note: the manifest does not have them yet."""
    if kind == "video":
        made = world.produce_video("cam.mp4", "cam", state="producing")
        world.store.put(keys.image_key("cam", START_MS + 90_000, made.sha256, 90), JPEG)
    else:
        [made] = world.produce_pictures("cam", [START_MS])
        world.store.put(keys.media_key(made.sha256), encode(msgspec.structs.replace(made, state="producing")))
        world.store.put(keys.image_key("cam", START_MS + 5, "f" * 64, 0), JPEG)
    assert unnamed(world) == set()


def test_pictures_never_count_as_unnamed_while_a_medium_is_corrected(world: World) -> None:
    made = world.produce_video("cam.mp4", "cam")
    corrections.retime(world.store, made, start_ms=START_MS + 1)
    with pytest.raises(Misconfigured, match="run that command again"):
        unnamed(world)


class _NoLedger:
    """Has no detections; a real one takes a second to make."""

    def extent(self, media: str, *, from_ms: int | None, to_ms: int | None) -> Extent:
        return Extent(0, 0)


class _Play:
    """A world on which hypothesis acts at random, with each deletion checked."""

    def __init__(self) -> None:
        self.world = World()
        self.made = 0

    def produce_video(self, source: str, at: int) -> None:
        start_ms = START_MS + at * 20_000_000
        name = f"{at % 3}.mp4"
        if any(manifest.name == name for manifest in self.manifests()):
            return  # a producer does not store a known medium again
        self.world.produce_video(name, source, frames=range(3), start_ms=start_ms)

    def produce_pictures(self, source: str, at: int) -> None:
        times = [START_MS + at * 20_000_000 + n * 1_000 for n in range(3)]
        if not any(m.sha256 == pictures_day(source, ms) for m in self.manifests() for ms in times):
            self.made += 3
            self.world.produce_pictures(source, times, first_file=self.made)

    def retime(self, source: str, at: int) -> None:
        for manifest in of_source(self.world, source)[:1]:
            self.world.retime(manifest.sha256, START_MS + at * 20_000_000 + 500)

    def rename(self, source: str, at: int) -> None:
        self.world.rename(source, "abc"[at % 3])

    def forget_part(self, source: str, at: int) -> None:
        self.check(of_source(self.world, source), START_MS + at * 20_000_000 + 1_000, delete_images=True)

    def forget_kept(self, source: str, at: int) -> None:
        self.check(of_source(self.world, source)[:1], None, delete_images=False)

    def forget_whole(self, source: str, at: int) -> None:
        self.check(of_source(self.world, source), None, delete_images=True)

    def manifests(self) -> list[MediaManifest]:
        return list_manifests(self.world.store)

    def check(self, found: list[MediaManifest], from_ms: int | None, *, delete_images: bool) -> None:
        before = images(self.world)
        others = [m for m in self.manifests() if m.sha256 not in {one.sha256 for one in found}]
        kept = {key for m in others for key in self.named(m)}
        gone = {key for m in found for key in self.named(m, from_ms)}
        whose = {m.sha256[:12] for m in found if m.kind == "video"}
        whose |= {key.split("-")[-2] for m in found if m.kind == "pictures" for key in self.named(m, from_ms)}
        targets = forgetting.plan_forgetting(_NoLedger(), found, from_ms=from_ms, to_ms=None)  # type: ignore[arg-type]
        forgetting.forget(self.world.store, targets, delete_images=delete_images, progress=NoProgress())
        after = images(self.world)
        assert kept & before <= after
        if not delete_images:
            assert after == before
            return
        assert not (gone - kept) & after
        assert {key.split("-")[-2] for key in before - after} <= whose
        if from_ms is None:  # nothing remains anywhere of the deleted footage
            left = {key for key in after if key.split("-")[-2] in whose}
            assert left <= kept

    def named(self, manifest: MediaManifest, from_ms: int | None = None) -> set[str]:
        names = announced_images(self.world.store, manifest)
        return {
            keys.image_key(manifest.source, *name)
            for name in names
            if in_range(name.captured_at_ms, from_ms, None)
        }


STEPS = st.tuples(
    st.sampled_from(
        [name for name in vars(_Play) if name.startswith(("produce", "retime", "rename", "forget_"))]
    ),
    st.sampled_from("abc"),
    st.integers(0, 6),
)


@pytest.mark.thorough
@settings(max_examples=examples(400))
@given(st.lists(STEPS, min_size=1, max_size=12))
def test_after_any_sequence_of_actions_only_the_forgotten_pictures_are_gone(
    steps: list[tuple[str, str, int]],
) -> None:
    play = _Play()
    for step, source, at in [*steps, *(("forget_whole", source, 0) for source in "abc")]:
        with suppress(Misconfigured):  # such as frames with equal pictures
            act: Callable[..., Any] = getattr(play, step)
            act(source, at)
    assert unnamed(play.world) == images(play.world)
