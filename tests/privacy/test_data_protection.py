"""A data protection officer's report matches the settings, the policies and the accounts."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from tests.accounts.people import asking_as, give_accounts
from tests.capabilities import needs
from tests.commands import frametally
from tests.web.conftest import Place, Serving

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.media.kept_data import kept_parts
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.records import encode
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_privacy.data_protection import kept_data
from frametally_privacy.erasure_records import Erasure
from frametally_web.translations.texts import texts

MARKUP = "<script>alert(1)</script>"


def put_receipt(store: ObjectStore) -> Erasure:
    erasure = Erasure(
        id="0123456789ab",
        source="gate",
        from_ms=0,
        to_ms=HOUR_MS,
        keeps_counts=False,
        began_at_ms=DAY_MS,
        ended_at_ms=2 * DAY_MS,
        backups=("backups/1",),
    )
    store.put(erasure.key, encode(erasure))
    return erasure


def test_the_page_is_in_english_and_german_and_names_places_without_passwords(place: Place) -> None:
    place.film({"car": 6})
    put_receipt(place.store)
    client = place.app().test_client()
    english = client.get("/data-protection").text
    for words in ("What is kept, where, and for how long", "Without a limit", "0123456789ab", "file:"):
        assert words in english
    german = client.get("/data-protection", headers={"Accept-Language": "de"}).text
    for words in ("Datenschutz", "Wer es sehen darf", "Unbegrenzt"):
        assert words in german


def test_every_kind_of_data_is_described_in_words(place: Place) -> None:
    settings = place.settings
    kept = kept_data(settings, kept_parts(StorePorts(settings, place.store)))
    assert [row.kind for row in kept if not row.text] == []


def test_rules_from_settings_are_among_the_rules_and_no_password_is_shown(place: Place) -> None:
    settings = place.settings.model_copy(
        update={"store_image_days": 30, "log_retention_h": 36, "catalogue_url": "postgresql://a:secret@db/x"}
    )
    parts = kept_parts(StorePorts(settings, place.store))
    kept = {row.kind: row for row in kept_data(settings, parts)}
    assert [term.after_ms for term in kept["frames"].terms] == [30 * DAY_MS]
    assert [term.after_ms for term in kept["announcements"].terms] == [36 * HOUR_MS]
    assert "secret" not in str(kept) and "db" in kept["accounts"].places[0]
    assert kept["counts"].terms == () and not kept["counts"].goes_by_itself


@needs("retention")
def test_the_page_contains_the_retention_rules_and_holds(place: Place) -> None:
    from frametally_retention.policy import LegalHold, RetentionRule, put_hold, set_rule

    place.film({"car": 6})
    set_rule(place.store, RetentionRule(kind="frames", after_ms=30 * DAY_MS, most_bytes=2 * 10**12))
    set_rule(
        place.store, RetentionRule(kind="thinning", source="gate", after_ms=36 * HOUR_MS, interval_s=900)
    )
    put_hold(place.store, LegalHold(name=MARKUP, set_at_ms=1))
    text = place.app().test_client().get("/data-protection").text
    for words in ("All sources: removed after 30 d", "beyond the newest 2000.0 GB", "gate: after 36 h, only"):
        assert words in text
    assert "&lt;script&gt;" in text and MARKUP not in text
    place.store.put(keys.RETENTION_POLICY, b"no record")
    answer = place.app().test_client().get("/data-protection")
    assert answer.status_code == 503 and 'id="problem"' in answer.text


def test_only_administrators_see_the_page_and_it_lists_accounts_with_their_sources(
    place: Place, serving: Serving
) -> None:
    give_accounts(place)
    url = serving(place.app(web_accounts=True))
    for name, status in (("lukas", 403), ("clara", 403), ("runa", 200)):
        with asking_as(url, name) as ask:
            answer = ask("GET", "/data-protection")
            assert answer.status == status, name
    text = answer.body.decode()
    for words in ("lukas", "Viewer", "clara", "Editor", "All sources"):
        assert words in text


def test_the_report_has_the_same_content_as_markdown_in_both_languages_and_as_json(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = place.settings
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(settings.data_dir))
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        store.put("images/gate/1970-01-01/1-abababababab-0.jpg", b"")
        receipt = put_receipt(store)
    english = frametally("privacy", "report").out
    assert english.startswith("# Data protection\n") and "| --- | --- | --- |" in english
    assert f"| {receipt.id} | gate | 1970-01-01 00:00:00Z to 1970-01-01 01:00:00Z |" in english
    assert frametally("privacy", "report", "--language", "de").out.startswith("# Datenschutz\n")
    known_languages = ", ".join(sorted(texts()))
    refused = frametally("privacy", "report", "--language", "fr", code=2).err
    assert f"there is no language named 'fr'; choose from: {known_languages}" in refused
    monkeypatch.setitem(texts(), "fr", {"privacy.data_protection": "Protection des données"})
    assert "---" in frametally("privacy", "report", "--language", "fr").out  # its texts are English
    facts = json.loads(frametally("privacy", "report", "--json").out)
    assert facts["erasures"][0]["backups"] == ["backups/1"] and facts["access"] == "local"
