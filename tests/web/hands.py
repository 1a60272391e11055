"""The hands of a visitor, which count their actions: one with a mouse, and one with only the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOST_CLICKS = 6
_MOST_KEYS = 250
# The key that moves the keyboard focus nearer to a target: none if there, an arrow in a group with keys.
_KEY_TO = """(wanted) => {
  const here = document.activeElement;
  if (here === wanted) return "";
  const groups = "[role=toolbar], [role=listbox], [role=tablist], [role=group], .summary, table, ul";
  const group = wanted.closest(groups);
  if (wanted.tabIndex >= 0 || here === document.body || !group?.contains(here)) return "Tab";
  const isBefore = here.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_PRECEDING;
  return isBefore ? "ArrowLeft" : "ArrowRight";
}"""
# The time at a share of the chart's width.
_MOMENT = """(share) => {
  const chart = document.getElementById("chart").timeChart;
  const { left, right } = chart.layout.area;
  return chart.momentAt(left + share * (right - left));
}"""
_GESTURES = "document.getElementById('chart').timeChart.gestures"
_CURSOR, _MARKED = f"{_GESTURES}.cursor", f"{_GESTURES}.marked?.[1] ?? 0"


class MouseHand:
    """Clicks, draws and presses keys, each of which counts; typing into a visible field does not."""

    def __init__(self, window: Visit, ready: str = "body") -> None:
        """Wait for `ready` after each click."""
        self.window = window
        self.page: Page = window.page
        self.ready = ready
        self.clicks = 0

    def settle(self) -> None:
        """Wait until the page has answered."""
        self.page.locator(self.ready).first.wait_for()

    def click(self, target: Locator) -> None:
        """Press a button, a link, a checkbox, or an opener."""
        self.clicks += 1
        target.click()
        self.settle()

    def press(self, key: str) -> None:
        """Press a key with the current focus."""
        self.clicks += 1
        self.page.keyboard.press(key)
        self.settle()

    def choose(self, field: Locator, value: str) -> None:
        """Choose in a drop-down list: one click opens it, one selects."""
        self.clicks += 2
        field.select_option(value)
        self.settle()

    def fill(self, field: Locator, text: str) -> None:
        """Type into a field."""
        field.fill(text)

    def choose_file(self, button: Locator, file: Path) -> None:
        """Choose a file in the system's dialog, which a click opens."""
        with self.page.expect_file_chooser() as coming:
            self.click(button)
        coming.value.set_files(file)

    def open_bar(self, position: int, of: int) -> None:
        """Open a bar of the start page's chart."""
        self.clicks += 1
        self.window.click_bar(position, of)

    def open_moment(self, share: float) -> None:
        """Open the bar at a share of the chart's width."""
        self.clicks += 1
        area = self.window.chart_area()
        x = area["left"] + share * (area["right"] - area["left"])
        self.page.locator("#chart").click(position={"x": x, "y": area["bottom"] - 20})
        self.settle()

    def open_hole(self, lane: Locator) -> None:
        """Ask for the reason of the first gap in a source's lane."""
        self.clicks += 1
        box, hole = lane.bounding_box(), lane.locator("rect.gap").first.bounding_box()
        assert box is not None
        assert hole is not None
        lane.click(position={"x": hole["x"] - box["x"] + hole["width"] / 2, "y": box["height"] - 4})
        self.settle()

    def draw_range(self, from_share: float, to_share: float) -> None:
        """Draw over the chart, to zoom in, in shares of its width."""
        self.clicks += 1
        self.page.locator("#chart").scroll_into_view_if_needed()
        self.window.drag(from_share, to_share)
        self.settle()

    def draw(self, begun: tuple[float, float], ended: tuple[float, float]) -> None:
        """Draw over the editor's picture from one place to another, in shares of its sides."""
        self.clicks += 1
        box = self.page.locator("#stage").bounding_box()
        (x, y), (to_x, to_y) = (
            (box["x"] + box["width"] * across, box["y"] + box["height"] * down)
            for across, down in (begun, ended)
        )
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move((x + to_x) / 2, (y + to_y) / 2)
        self.page.mouse.move(to_x, to_y)
        self.page.mouse.up()


class KeyboardHand(MouseHand):
    """Does the same with Tab, arrow keys, Space and Enter; it has no mouse, so its clicks do not count."""

    def reach(self, target: Locator) -> None:
        """Move the focus to an element, by Tab, and by arrow keys within a group."""
        target.wait_for(state="attached")
        for _ in range(_MOST_KEYS):
            key = target.evaluate(_KEY_TO)
            if not key:
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"the keyboard does not reach {target}")

    def click(self, target: Locator) -> None:
        self.reach(target)
        is_box = target.evaluate("(one) => ['checkbox', 'radio'].includes(one.type)")
        self.page.keyboard.press("Space" if is_box else "Enter")
        self.settle()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.settle()

    def choose(self, field: Locator, value: str) -> None:
        self.reach(field)
        for _ in range(field.locator("option").count()):
            if field.input_value() == value:
                break
            self.page.keyboard.press("ArrowDown")
            self.settle()
        assert field.input_value() == value

    def fill(self, field: Locator, text: str) -> None:
        self.reach(field)
        field.fill(text)  # the typed text depends on the field and the system's language

    def open_bar(self, position: int, of: int) -> None:
        self.reach(self.page.locator("#chart"))
        self.page.keyboard.press("Home")
        for _ in range(position):
            self.page.keyboard.press("ArrowRight")
        self.page.keyboard.press("Enter")

    def open_moment(self, share: float) -> None:
        self._go(self.page.evaluate(_MOMENT, share))
        self.press("Enter")

    def open_hole(self, lane: Locator) -> None:
        self.reach(lane)
        for _ in range(1 + lane.locator("rect.gap").count()):
            self.page.keyboard.press("ArrowLeft")
        self.press("Enter")

    def draw_range(self, from_share: float, to_share: float) -> None:
        moments = [self.page.evaluate(_MOMENT, share) for share in (from_share, to_share)]
        self._go(moments[0])
        self._go_on("Shift+ArrowRight", _MARKED, moments[1])
        self.press("Enter")

    def _go(self, at_ms: float) -> None:
        """Move to the first stop of the chart from a time on."""
        self.reach(self.page.locator("#chart"))
        self.page.keyboard.press("Home")
        self._go_on("ArrowRight", _CURSOR, at_ms)

    def _go_on(self, key: str, to: str, at_ms: float) -> None:
        """Press a key until the moved thing is no longer before a time."""
        for _ in range(_MOST_KEYS):
            if self.page.evaluate(to) >= at_ms:
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"the keyboard does not come to {at_ms}")

    def draw(self, begun: tuple[float, float], ended: tuple[float, float]) -> None:
        """Move the cross, which begins in the middle, by 20 pixels per key: places are rough."""
        tool = self.page.locator("#stage").get_attribute("data-drawing")
        corners = [begun, ended]
        if tool == "zone":
            corners = [begun, (ended[0], begun[1]), ended, (begun[0], ended[1])]
        size = self.page.locator("#stage svg.drawing").get_attribute("viewBox")
        width, height = map(float, size.split()[2:])
        at = (width / 2, height / 2)
        for across, down in corners:
            wanted = (across * width, down * height)
            for axis, (less, more) in enumerate((("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))):
                steps = round((wanted[axis] - at[axis]) / 20)
                for _ in range(abs(steps)):
                    self.page.keyboard.press(f"Shift+{more if steps > 0 else less}")
                at = (at[0] + 20 * steps, at[1]) if axis == 0 else (at[0], at[1] + 20 * steps)
            self.page.keyboard.press("Space")
        self.page.keyboard.press("Enter")


HANDS: dict[str, type[MouseHand]] = {"mouse": MouseHand, "keyboard": KeyboardHand}


def hand_of(kind: str, window: Visit) -> MouseHand:
    """The hand of a kind."""
    return HANDS[kind](window)
