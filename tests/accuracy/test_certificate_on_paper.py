"""A certificate in Chromium's PDF: one page with the numbers of the signed file, even with the
most labels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.accuracy.checked_gate import check_gate
from tests.web.browser import Route, Visits, expect
from tests.web.conftest import Place
from tests.web.printed_text import rows_of, words_of

from frametally_accuracy.starting import MOST_LABELS

pytestmark = pytest.mark.thorough

READY = "#accuracy-page[data-state=ready]"


@pytest.fixture
def checked(place: Place) -> Place:
    check_gate(place)
    return place


def with_most_labels(certificate: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a check with the most possible labels, sources and people, all with long names."""
    first = certificate["result"]["labels"][1]
    labels = [first | {"label": f"articulated lorry {n}"} for n in range(MOST_LABELS)]
    people = [f"somebody.with-a-long-name.{n}@example.org" for n in range(40)]
    sources = [f"junction-north-of-the-river-{n}" for n in range(400)]
    check = certificate["check"] | {
        "labels": [one["label"] for one in labels],
        "sources": sources,
        "name": "a name of a hundred characters " * 3,
    }
    return certificate | {
        "check": check,
        "result": certificate["result"] | {"labels": labels, "persons": people},
    }


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("is_most", [False, True], ids=["two labels", "most labels"])
def test_a_certificate_is_one_page_with_the_numbers_of_the_signed_file(
    checked: Place, visit: Visits, paper: str, is_most: bool
) -> None:
    window = visit(checked, color_scheme="dark", locale="en-GB")
    url = f"{window.url}/api/v1/accuracy/gate/certificate"
    certificate = window.context.request.get(url).json()
    if is_most:
        certificate = with_most_labels(certificate)

    def answer(route: Route) -> None:  # each one is signed again, with its creation time
        route.fulfill(content_type="application/json", body=json.dumps(certificate))

    window.page.route("**/accuracy/gate/certificate", answer)
    page = window.open("accuracy?check=gate&view=certificate", READY)
    expect(page.locator("#print")).to_have_text("Print or save as PDF")
    words = words_of(page.pdf(format=paper, print_background=True))
    assert {one.page for one in words} == {1}
    text = " ".join(rows_of(words))
    for one in certificate["result"]["labels"]:
        numbers = [
            one["model_total"],
            *(one[name] for name in ("total", "low", "high") if one[name] is not None),
        ]
        for number in numbers:
            assert f"{round(number):,}" in text, (one["label"], number)
        assert one["label"] in text
    for fact in (
        certificate["check"]["seed"],
        certificate["check"]["population_sha256"],
        certificate["public_key"][:16],
        certificate["signature"][:16],
        "frametally accuracy verify",
    ):
        assert fact in text or fact in "".join(text.split()), fact
    assert "Print" not in text and "Back to the result" not in text, "buttons are not for paper"
