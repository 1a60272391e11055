"""Drawing over a picture: by mouse, by touch, by keyboard; undone, stored, and never over
another's change."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.traffic import crossroads
from tests.web.browser import Page, Place, Visits, expect
from tests.web.conftest import FRAME_PX, START_MS

from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.records import Drawing

SOURCE = "junction-east"
READY = "#editor[data-state=ready]"
EDIT = f"lines/edit?source={SOURCE}"


@pytest.fixture
def filmed(place: Place) -> Place:
    place.film({"car": 3, "bus": 1}, name="Junction East")
    return place


def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """The place of a pixel of the picture in the window."""
    box = page.locator("#stage").bounding_box()
    return box["x"] + x * box["width"] / FRAME_PX[0], box["y"] + y * box["height"] / FRAME_PX[1]


def click(page: Page, x: float, y: float) -> None:
    page.mouse.click(*spot(page, x, y))


def rename(page: Page, name: str) -> None:
    field = page.get_by_label("Name", exact=True)
    field.fill(name)
    field.press("Enter")


def save(page: Page, revision: int) -> None:
    page.locator("#save").click()
    expect(page.locator("#saved")).to_have_text(f"Saved, revision {revision}")


def stored(place: Place) -> Drawing:
    return read_drawing(place.store, SOURCE)


def near(points: Any, wanted: list[tuple[int, int]]) -> bool:
    return len(points) == len(wanted) and all(
        abs(a - b) <= 1
        for one, other in zip(points, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.thorough
def test_a_line_and_a_zone_can_be_drawn_with_the_mouse_moved_undone_and_saved(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-line").click()
    click(page, 100, 300)
    expect(page.locator("#finish")).to_be_disabled()
    page.mouse.dblclick(*spot(page, 540, 310))
    rename(page, "stop line")
    page.locator("#draw-zone").click()
    for x, y in ((50, 50), (200, 50), (200, 150)):
        click(page, x, y)
    click(page, 50, 50)  # on its first corner, which closes it
    rename(page, "box")
    expect(page.locator(".shape-item .name")).to_have_text(["stop line", "box"])
    page.get_by_role("button", name="stop line").first.click()
    page.mouse.move(*spot(page, 540, 310))
    page.mouse.down()
    page.mouse.move(*spot(page, 560, 330), steps=5)
    page.mouse.up()
    page.locator("#undo").click()
    page.locator("#redo").click()
    picture(page, "editor-two")
    save(page, 1)
    drawing = stored(filmed)
    assert near(drawing.lines[0].points, [(100, 300), (560, 330)])
    assert near(drawing.zones[0].points, [(50, 50), (200, 50), (200, 150)])
    assert (drawing.lines[0].width_px, drawing.lines[0].height_px) == FRAME_PX


def test_you_can_draw_only_once_there_is_a_picture(filmed: Place, visit: Visits) -> None:
    window = visit(filmed)
    waiting: list[Any] = []
    window.page.route(re.compile(r"/frame(\?|$)"), lambda route: waiting.append(route))
    with window.page.expect_request(re.compile(r"/frame(\?|$)")):
        page = window.open(EDIT, wait_for="#editor")
    expect(page.locator("#draw-line")).to_be_hidden()
    waiting[0].continue_()
    page.locator("#draw-line").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 540, 310))
    expect(page.locator(".shape-item .name")).to_have_text("line 1")


@pytest.mark.thorough
def test_a_zone_can_be_drawn_by_touch_and_its_corners_moved_with_a_finger(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).open(
        EDIT, wait_for=READY
    )
    page.locator("#draw-zone").tap()
    for x, y in ((100, 100), (500, 100), (500, 400)):
        page.touchscreen.tap(*spot(page, x, y))
    page.locator("#finish").tap()
    expect(page.locator(".shape-item .name")).to_have_text("zone 1")
    finger = page.context.new_cdp_session(page)
    start, end = spot(page, 500, 400), spot(page, 300, 350)
    for kind, at in (("touchStart", start), ("touchMove", end), ("touchMove", end)):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.locator("#save").tap()
    expect(page.locator("#saved")).to_have_text("Saved, revision 1")
    assert near(stored(filmed).zones[0].points, [(100, 100), (500, 100), (300, 350)])
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, "editor-phone")


def test_everything_can_be_done_with_the_keyboard(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    keys = page.keyboard
    page.locator("#draw-line").focus()
    keys.press("Enter")
    keys.press("Shift+ArrowLeft")
    keys.press("Space")  # 300, 240
    for _ in range(3):
        keys.press("Shift+ArrowDown")
    keys.press("ArrowRight")
    keys.press("Space")  # 301, 300
    keys.press("Shift+ArrowDown")
    keys.press("Space")
    keys.press("Backspace")  # not that one
    keys.press("Enter")
    keys.type("by hand")  # its name has the keyboard focus
    keys.press("Enter")
    page.locator("[data-point='0']").focus()
    for _ in range(5):
        keys.press("ArrowUp")
    expect(page.locator("[data-point='0']")).to_have_accessible_name("Point 1 of by hand, at 300, 235")
    keys.press("PageDown")
    keys.press("Shift+ArrowRight")
    keys.press("Control+z")
    keys.press("Control+z")  # all five at once
    keys.press("Control+Shift+z")
    keys.press("Control+s")
    expect(page.locator("#saved")).to_have_text("Saved, revision 1")
    line = stored(filmed).lines[0]
    assert (line.name, line.points) == ("by hand", ((300, 235), (301, 300)))
    page.locator("[data-point='1']").focus()
    keys.press("Delete")  # a line has at least two
    expect(page.locator("[data-point]")).to_have_count(2)


@pytest.mark.thorough
def test_directions_legs_and_times_are_saved_as_entered(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open(f"{EDIT}&at={START_MS + 60_000}", wait_for=READY)
    page.locator("#draw-line").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 540, 300))
    rename(page, "north")
    page.get_by_label("Name for crossings with the arrow").fill("in")
    page.get_by_label("Name for crossings against the arrow").fill("out")
    page.get_by_label("Leg of a junction").select_option("in: with the arrow")
    page.get_by_label("Side of the junction").select_option("NE")
    page.get_by_role("button", name="From this picture on").click()
    page.get_by_label("Valid until").fill("2024-05-01T12:30:00")
    page.get_by_label("Valid until").press("Enter")
    # A person who walks over the picture from left to right has its lower part at the right hand.
    below, above = page.locator(".words.way", has_text="in"), page.locator(".words.way", has_text="out")
    assert float(below.get_attribute("y") or 0) > 300 > float(above.get_attribute("y") or 0)
    save(page, 1)
    line = stored(filmed).lines[0]
    assert (line.to_right, line.to_left, line.inward, line.side) == ("in", "out", "to_right", "NE")
    assert line.from_ms == START_MS + 60_200
    assert line.to_ms == START_MS + 2.5 * 3_600_000  # 12:30 in Berlin
    page.get_by_label("Picture from", exact=True).fill("2024-05-01T10:00:00")
    expect(page.locator(".shape-item")).to_contain_text("not in this picture")


@pytest.mark.thorough
def test_during_calibration_the_reprojection_error_is_shown_at_its_points(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-calibration").click()
    spots = [(100, 460), (540, 460), (420, 200), (220, 200), (320, 270)]
    for x, y in spots:
        click(page, x, y)
    page.locator("#finish").click()
    verdict = page.locator("#calibration")
    expect(verdict).to_contain_text("lacks the coordinates in metres for point 1")
    metres = [(0, 0), (10, 0), (10, 40), (0, 40), (5, 22)]
    for at, (x, y) in enumerate(metres, 1):
        page.get_by_label(f"x in metres of point {at}").fill(str(x))
        page.get_by_label(f"y in metres of point {at}").fill(str(y))
    page.get_by_label("y in metres of point 5").press("Tab")
    expect(verdict).to_contain_text("Reprojection error")
    expect(verdict).to_have_attribute("data-verdict", "good")
    expect(page.locator(".words.way", has_text="px off")).to_have_count(5)
    picture(page, "editor-calibration")
    page.get_by_label("y in metres of point 5").fill("28")
    page.get_by_label("y in metres of point 5").press("Tab")
    expect(verdict).to_have_attribute("data-verdict", "refused")
    expect(verdict).to_contain_text("point")
    page.get_by_label("y in metres of point 5").fill("22")
    page.get_by_label("y in metres of point 5").press("Tab")
    expect(verdict).to_have_attribute("data-verdict", "good")
    save(page, 1)
    assert stored(filmed).calibrations[0].metres == tuple(metres)


@pytest.mark.thorough
def test_two_points_and_a_distance_are_a_rough_scale_and_four_can_be_a_rectangle(
    filmed: Place, visit: Visits
) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-calibration").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 500, 300))
    page.get_by_label("Metres between the two points").fill("12.5")
    page.get_by_label("Metres between the two points").press("Tab")
    expect(page.locator("#calibration")).to_have_attribute("data-verdict", "rough")
    save(page, 1)
    assert stored(filmed).calibrations[0].distance_m == 12.5
    page.get_by_role("button", name="Delete this calibration").click()
    page.locator("#draw-calibration").click()
    for x, y in ((100, 460), (540, 460), (420, 200), (220, 200)):
        click(page, x, y)
    page.locator("#finish").click()
    page.get_by_role("button", name="A rectangle with known sides").click()
    page.get_by_label("First side, m").fill("3.5")
    page.get_by_label("Second side, m").fill("20")
    page.get_by_label("Second side, m").press("Tab")
    expect(page.locator("#calibration")).to_have_attribute("data-verdict", "unchecked")
    save(page, 2)
    assert stored(filmed).calibrations[0].rectangles[0].sides_m == (3.5, 20)


@pytest.mark.thorough
def test_an_invalid_shape_is_named_selected_and_kept_for_correction(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-zone").click()
    for x, y in ((100, 100), (400, 300), (400, 100), (100, 300)):
        click(page, x, y)
    page.locator("#finish").click()
    rename(page, "bow tie")
    page.locator("#draw-line").click()
    click(page, 50, 50)
    page.mouse.dblclick(*spot(page, 60, 400))
    page.locator("#save").click()
    expect(page.locator("#notice")).to_contain_text("zone 'bow tie' crosses or touches itself")
    expect(page.locator(".shape-item[aria-pressed=true] .name")).to_have_text("bow tie")
    expect(page.locator("#saved")).to_have_text("Not saved yet")
    picture(page, "editor-refused")
    assert stored(filmed).revision == 0
    page.locator("#undo").click()  # the line's
    page.get_by_role("button", name="Delete this zone").click()
    expect(page.locator(".shape-item")).to_have_count(0)


def drawn_by_another(place: Place, **changes: Any) -> None:
    line = {"name": "theirs", "width_px": 640, "height_px": 480, "points": [[1, 1], [50, 50]], **changes}
    other = {"lines": [line]}
    client = place.app().test_client()
    address = f"/api/v1/sources/{SOURCE}/drawing"
    revision = client.get(address).headers["ETag"]
    sent = {"If-Match": revision, "Content-Type": "application/json"}
    assert client.put(address, data=json.dumps(other), headers=sent).status_code == 200


@pytest.mark.thorough
@pytest.mark.parametrize("mine_too", [True, False])
def test_the_second_of_two_people_who_draw_at_once_sees_it_and_neither_loses_anything(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None], mine_too: bool
) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-line").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 540, 310))
    rename(page, "mine")
    drawn_by_another(filmed)
    page.locator("#save").click()
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Someone else has changed this drawing")
    picture(page, "editor-two-at-once")
    notice.get_by_role("button", name="Merge mine into theirs" if mine_too else "Take theirs").click()
    expect(page.locator(".shape-item .name")).to_have_text(["theirs", "mine"] if mine_too else ["theirs"])
    if mine_too:
        save(page, 2)
    names = [line.name for line in stored(filmed).lines]
    assert names == (["mine", "theirs"] if mine_too else ["theirs"])


LEAVES = """() => {
    const leaving = new Event("beforeunload", { cancelable: true });
    dispatchEvent(leaving);
    return leaving.defaultPrevented;
}"""


@pytest.mark.thorough
def test_leaving_with_unsaved_changes_asks_for_confirmation(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-line").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 540, 310))
    assert page.evaluate(LEAVES)
    page.locator("#undo").click()
    assert not page.evaluate(LEAVES)


@pytest.mark.thorough
def test_names_are_shown_as_text_whatever_they_contain(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open(EDIT, wait_for=READY)
    page.locator("#draw-line").click()
    click(page, 100, 300)
    page.mouse.dblclick(*spot(page, 540, 310))
    rename(page, "<img src=x onerror=alert(1)>")
    expect(page.locator(".shape-item .name")).to_have_text("<img src=x onerror=alert(1)>")
    page.locator("#save").click()
    expect(page.locator("#notice")).to_contain_text(
        "the line's name '<img src=x onerror=alert(1)>' contains <"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_days_paths_are_shown_beneath_with_their_starts_and_ends(
    place: Place, visit: Visits, picture: Callable[[Page, str], None], scheme: str
) -> None:
    from tests.traffic.test_paths_api import publish
    from tests.web.conftest import MODEL

    walks: list[Any] = [
        (
            8,
            label,
            "border",
            "lost",
            [(ms, 10 * (20 * n + ms // 20), 2000 + 60 * n) for ms in (0, 3000, 9000)],
        )
        for n, label in enumerate(["car", "car", "bus", "person", "car"])
    ]
    place.film({"car": 2}, source="gate", name="Gate", model="other-model-00000000")
    publish(place, walks)
    page = visit(place, color_scheme=scheme).open(f"lines/edit?source=gate&model={MODEL}", wait_for=READY)
    page.locator("#show-paths").check()
    expect(page.locator("#paths-words")).to_contain_text("5 paths on this day")
    expect(page.locator(".paths path")).to_have_count(5)
    expect(page.locator(".paths .began")).to_have_count(5)
    expect(page.locator(".paths .ended")).to_have_count(5)
    picture(page, f"editor-paths-{scheme}")
    page.locator("#show-paths").uncheck()
    expect(page.locator(".paths path")).to_have_count(0)


@pytest.mark.thorough
def test_the_page_explains_that_there_is_no_footage_or_that_the_source_is_unknown(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(place).open("lines/edit", wait_for="#editor[data-state=empty]")
    expect(page.locator("#nothing")).to_contain_text("Add footage first")
    picture(page, "editor-empty")
    place.film({"car": 1})
    page.goto(page.url + "?source=nowhere")
    expect(page.locator("#notice")).to_contain_text("Source 'nowhere' does not exist")
    picture(page, "editor-unknown")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 1280])
def test_no_direction_label_covers_another_and_no_text_leaves_the_picture(
    place: Place, visit: Visits, width: int
) -> None:
    crossroads.film(place, crossroads.make_drivers(30, [10]), 30)
    crossroads.draw_legs(place)
    page = visit(place, viewport={"width": width, "height": 844}).open(
        f"lines/edit?source={crossroads.SOURCE}", wait_for=READY
    )
    for chosen in range(-1, 4):
        if chosen >= 0:
            page.locator(".shape-item").nth(chosen).click()
        ways = page.locator(".words.way:visible")
        expect(ways).to_have_count(0 if chosen < 0 else 2)
        boxes = [box for one in ways.all() if (box := one.bounding_box())]
        names = [box for one in page.locator(".words.name").all() if (box := one.bounding_box())]
        left, right = page.locator(".words.name").first.evaluate(
            """(one) => {
              const {left, right} = one.ownerSVGElement.getBoundingClientRect();
              return [left, right];
            }"""
        )
        for box in (*boxes, *names):
            assert left <= box["x"] and box["x"] + box["width"] <= right, chosen
        for one, other in itertools.combinations(boxes, 2):
            across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
            down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
            assert min(across, down) <= 0, (chosen, one, other)
