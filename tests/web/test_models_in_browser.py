"""The models page: presets with their cost here, a second count by a button, and both counts compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.web.browser import Page, Place, Visits, expect
from tests.web.second_counts import OTHER, PRESENT, command

__all__ = ["command"]
pytestmark = pytest.mark.thorough


def test_last_week_is_counted_again_with_a_preset_and_both_counts_are_compared(
    place: Place, visit: Visits, picture: Callable[[Page, str], None], command: Callable[..., Path]
) -> None:
    place.film({"car": 2}, intervals=24, interval_s=60, seed=3, model=PRESENT)
    place.film({"car": 5}, intervals=24, interval_s=60, seed=2, model=OTHER)
    folder = command(labels=({"label": "car", "now": 2, "other": 5},), waits=True)
    page = visit(place).open("models", wait_for="#models-page[data-state=ready]")
    expect(page.locator("#presets tbody tr")).to_have_count(3)
    row = page.locator("#presets tbody tr", has_text="Fast")
    expect(row).to_contain_text("20 ms")
    expect(row).to_contain_text("33%")
    expect(page.locator("#presets tbody tr", has_text="Thorough")).to_contain_text("Not downloaded (24.3 MB)")
    expect(page.locator("#compared tfoot")).to_contain_text("All labels")
    expect(page.get_by_label("Second model")).to_contain_text(f"Fast ({OTHER})")
    picture(page, "models")
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Both counts are kept. The present ones do not change.")
    dialog.get_by_role("button", name="Count", exact=True).click()
    expect(dialog).to_contain_text("1 of 2")
    dialog.get_by_role("button", name="Close").click()
    page.reload()  # a returning visitor sees its progress
    expect(page.locator("#progress-of-count")).to_contain_text("1 of 2")
    (folder / "go").touch()
    expect(page.locator("#compared a")).to_be_visible()
    command("the log is unavailable; start it")
    row.get_by_role("button").click()
    dialog.get_by_role("button", name="Count", exact=True).click()
    expect(dialog).to_contain_text("The log is unavailable; start it.")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "models-phone")
