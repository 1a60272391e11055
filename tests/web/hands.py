"""The hands of a visitor, which count what they do: one with a mouse, and one with the keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from tests.web.conftest import Visit

MOST_CLICKS = 6
_MOST_TABS = 250
# How near the keyboard is to what is wanted: "there"; "near", in a group with its arrow keys; or "far".
_NEARNESS = """(wanted) => {
  const here = document.activeElement;
  if (here === wanted) return "there";
  const groups = "[role=toolbar], [role=listbox], [role=tablist], [role=group], .summary, table, ul";
  const group = wanted.closest(groups);
  return wanted.tabIndex < 0 && here !== document.body && group?.contains(here) ? "near" : "far";
}"""


class MouseHand:
    """Clicks; typing into a field that is shown is no click."""

    def __init__(self, window: Visit) -> None:
        self.window = window
        self.page: Page = window.page
        self.clicks = 0

    def click(self, target: Locator) -> None:
        """Press a button, a link, a box to tick, or what opens something."""
        self.clicks += 1
        target.click()

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

    def draw(self, begun: tuple[float, float], ended: tuple[float, float]) -> None:
        """Draw over the editor's picture from one place to another, in shares of its sides."""
        self.clicks += 1
        box = self.page.locator("#stage").bounding_box()
        assert box is not None
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
    """Does the same with Tab, arrow keys, Space and Enter; it has no mouse, and its clicks are none."""

    def reach(self, target: Locator) -> None:
        """Bring the keyboard to something, by Tab, and by arrow keys within a group."""
        target.wait_for(state="attached")
        for _ in range(_MOST_TABS):
            nearness = target.evaluate(_NEARNESS)
            if nearness == "there":
                return
            self.page.keyboard.press("Tab" if nearness == "far" else "ArrowRight")
        raise AssertionError(f"the keyboard does not reach {target}")

    def click(self, target: Locator) -> None:
        self.reach(target)
        is_box = target.evaluate("(one) => ['checkbox', 'radio'].includes(one.type)")
        self.page.keyboard.press("Space" if is_box else "Enter")

    def fill(self, field: Locator, text: str) -> None:
        self.reach(field)
        field.fill(text)  # what is typed depends on the field and the system's language

    def open_bar(self, position: int, of: int) -> None:
        self.reach(self.page.locator("#chart"))
        self.page.keyboard.press("Home")
        for _ in range(position):
            self.page.keyboard.press("ArrowRight")
        self.page.keyboard.press("Enter")

    def draw(self, begun: tuple[float, float], ended: tuple[float, float]) -> None:
        """Move the cross, which begins in the middle, by 20 pixels a key: places are rough."""
        tool = self.page.locator("#stage").get_attribute("data-drawing")
        corners = [begun, ended]
        if tool == "zone":
            corners = [begun, (ended[0], begun[1]), ended, (begun[0], ended[1])]
        size = self.page.locator("#stage svg.drawing").get_attribute("viewBox")
        assert size is not None
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


def hand_of(kind: str, window: Visit) -> MouseHand:
    """The hand of a kind."""
    hands: dict[str, Any] = {"mouse": MouseHand, "keyboard": KeyboardHand}
    hand: MouseHand = hands[kind](window)
    return hand
