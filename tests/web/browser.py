"""Imports for tests in Chromium; without Playwright, pytest skips their modules and gives the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")

from playwright.sync_api import Browser, Locator, Page, Route  # noqa: E402
from tests.web.conftest import Place, Visit  # noqa: E402

__all__ = ["Browser", "Locator", "Page", "Place", "Route", "Visit", "Visits", "expect", "playwright"]

expect: Any = playwright.expect
Visits = Callable[..., Visit]
"""The fixture `visit`: a function that opens a window onto a dashboard."""
