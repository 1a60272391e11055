"""The S3 adapter against the real server, with faults between them. For the contract see tests/core."""

from __future__ import annotations

import datetime
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_bucket import S3Place, key_with_policy, known_to_the_test_server, new_bucket_name, root_access
from s3_fault_proxy import FAULTS, Fault, FaultProxy, some_of
from tests.commands import frametally
from tests.fakes.credentials import renewed
from tests.kit.errors import one_line
from tests.kit.waiting import until

from frametally.adapters.s3 import bucket_store as s3_store
from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import ObjectMissing
from frametally.settings.fields import SecretStr
from frametally_cli import main as cli
from frametally_cli.bucket import STAGES, missing_rights, policy, set_up_store

pytestmark = pytest.mark.services


def nth(number: int, fault: Fault) -> Callable[[str, str], Fault]:
    """Spoils one call, counted from 1: the check of the bucket."""
    seen = [0]

    def choose(method: str, path: str) -> Fault:
        seen[0] += 1
        return fault if seen[0] == number else ""

    return choose


def always(fault: Fault, *, but: str = "list-type") -> Callable[[str, str], Fault]:
    return lambda method, path: "" if but in path else fault


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(s3_store, "_PAGE_KEYS", 2)
    yield


names = st.lists(st.sampled_from(["a", "a-", "a.x", "b", "a=b"]), min_size=1, max_size=3).map("/".join)


@settings(max_examples=25)
@given(
    keys=st.sets(names.map(lambda name: f"{name}.o"), max_size=9),
    after=names,
    sorted_at_once=st.integers(1, 9),
)
def test_a_listing_over_many_pages_and_folders_gives_the_sorted_keys(
    bucket: S3Place, keys: set[str], after: str, sorted_at_once: int
) -> None:
    place = S3Place(f"{bucket.url}/pages-{new_bucket_name()}", bucket.access)
    store = place.open()
    for key in keys:
        store.put(key, b"x")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(s3_store, "_PAGE_KEYS", 2)
        patched.setattr(s3_store, "_SORTED_AT_ONCE_KEYS", sorted_at_once)
        assert [info.key for info in store.list("")] == sorted(keys)
        assert [info.key for info in store.list("", after)] == sorted(key for key in keys if key > after)


def test_a_listing_continues_page_by_page_after_faults(place: S3Place, small_pages: None) -> None:
    keys = [f"metadata/{number:03d}.jsonl" for number in range(40)]
    store = place.open()
    for key in keys:
        store.put(key, b"x")
    with FaultProxy(place.access.endpoint, some_of(0.4, seed=1)) as proxy:
        assert [info.key for info in place.open(endpoint=proxy.url).list("metadata")] == keys
        assert sum(proxy.spoilt.values()) > 5


@pytest.mark.parametrize("fault", FAULTS)
def test_a_successful_create_is_reported_as_ours_whatever_happens_to_its_answer(
    place: S3Place, fault: Fault
) -> None:
    with FaultProxy(place.access.endpoint, nth(2, fault)) as proxy:
        store = place.open(endpoint=proxy.url)
        assert store.put("media/a.json", b"mine", if_absent=True)
        assert proxy.spoilt == {fault: 1}
        assert not store.put("media/a.json", b"other", if_absent=True)
        assert store.get("media/a.json") == b"mine"


def test_a_create_that_another_won_while_its_answer_was_lost_is_not_reported_as_ours(place: S3Place) -> None:
    place.open().put("media/a.json", b"theirs")
    with FaultProxy(place.access.endpoint, nth(2, "lost answer")) as proxy:
        assert not place.open(endpoint=proxy.url).put("media/a.json", b"mine", if_absent=True)
    assert place.open().get("media/a.json") == b"theirs"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_is_made_once_whatever_happens_to_its_answer(place: S3Place, fault: Fault) -> None:
    place.open().put("media/a.json", b"ab")
    with FaultProxy(place.access.endpoint, nth(3, fault)) as proxy:
        # The second time it gets its previous result: adding an existing letter changes nothing.
        made = place.open(endpoint=proxy.url).change(
            "media/a.json", lambda data: bytes(sorted({*data, *b"c"}))
        )
        assert proxy.spoilt == {fault: 1}
    assert made == place.open().get("media/a.json") == b"abc"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_always_fails_is_retryable_with_one_line(
    place: S3Place, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "frametally.process.retrying.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None),
    )
    place.open().put("images/a.jpg", b"x" * 1000)
    with FaultProxy(place.access.endpoint, always(fault)) as proxy:
        store = place.open(endpoint=proxy.url)
        with pytest.raises(Retryable) as raised:
            store.get("images/a.jpg")
        line = str(raised.value)
        assert "\n" not in line
        assert "images/a.jpg" in line
        assert ("arrived incomplete" if fault == "cut short" else "check that the store is running") in line
        assert len(proxy.calls) == 1 + 8
        with pytest.raises(Retryable):
            store.get_range("images/a.jpg", 10, 900)


def test_a_body_truncated_once_is_read_again(place: S3Place) -> None:
    data = bytes(range(256)) * 400
    place.open().put("metadata/a.jsonl", data)
    for ask in (
        lambda store: store.get("metadata/a.jsonl"),
        lambda store: store.get_range("metadata/a.jsonl", 0, 10**9),
    ):
        with FaultProxy(place.access.endpoint, nth(2, "cut short")) as proxy:
            assert ask(place.open(endpoint=proxy.url)) == data
            assert proxy.spoilt == {"cut short": 1}


WRONG = {
    "wrong secret": (
        {"secret_key": SecretStr("no")},
        "the secret does not match the key: .*STORE_SECRET_KEY",
    ),
    "unknown key": ({"access_key": "nobody"}, "unknown key: .*STORE_ACCESS_KEY"),
    "half a key": ({"secret_key": SecretStr("")}, "FRAMETALLY_STORE_SECRET_KEY is not set"),
    "no TLS there": ({"endpoint": "https://"}, "does not use TLS: write http://"),
    "nothing there": ({"endpoint": "http://127.0.0.1:9"}, "Connection refused.*STORE_ENDPOINT"),
    "no such host": ({"endpoint": "http://store.invalid"}, "dns error.*STORE_ENDPOINT"),
    "no URL": ({"endpoint": "store:8333"}, "STORE_ENDPOINT is not the URL"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_is_one_line_with_exit_code_2(
    place: S3Place, wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "frametally.process.retrying.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None),
    )
    changed, line = WRONG[wrong]
    if changed.get("endpoint") == "https://":
        changed: dict[str, Any] = {"endpoint": place.access.endpoint.replace("http://", "https://")}
    with one_line(FrametallyError, match=line):
        place.open(**changed)
    for name, value in place.environment(**changed).items():
        monkeypatch.setenv(name, value)
    _, out, err = frametally("status", "--data-dir", tmp_path, code=2)
    assert re.search(line, (out + err).replace("\n", " "))
    assert "Traceback" not in out + err
    assert place.access.secret_key.get_secret_value() not in out + err


def test_a_missing_bucket_is_named_with_the_command_that_creates_it(place: S3Place) -> None:
    gone = S3Place(f"s3://{new_bucket_name()}", place.access)
    with pytest.raises(Misconfigured, match=r"the bucket does not exist: .*frametally setup"):
        gone.open()
    with pytest.raises(Misconfigured, match=r"does not exist: run .frametally setup"):
        missing_rights(gone.url, gone.access, "web")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wrong_clock_is_reported_as_such(place: S3Place, hours: int) -> None:
    signed_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    # The server checks the time before the signature, so a machine with that clock gets this answer.
    header = {"x-amz-date": signed_at.strftime("%Y%m%dT%H%M%SZ")}
    with (
        FaultProxy(place.access.endpoint, lambda method, path: "", headers=header) as proxy,
        pytest.raises(Misconfigured, match=r"clock.*differ.*NTP"),
    ):
        place.open(endpoint=proxy.url)


def test_a_refused_head_request_is_reported_with_its_reason_although_its_answer_has_no_body(
    place: S3Place,
) -> None:
    header: dict[str, str] = {}
    with FaultProxy(place.access.endpoint, lambda method, path: "", headers=header) as proxy:
        store = place.open(endpoint=proxy.url)
        header["x-amz-date"] = "20200101T000000Z"
        with pytest.raises(Misconfigured, match=r"clock.*differ"):
            store.head("images/a.jpg")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://a", "s3://UPPER-case", "s3://bucket/../x", "s3://bucket/a//b"]
)
def test_a_url_without_a_bucket_is_refused(url: str, place: S3Place) -> None:
    with pytest.raises(Misconfigured, match="use s3://bucket"):
        S3Place(url, place.access).open()


def test_a_key_that_is_too_long_or_has_a_backslash_is_refused(place: S3Place) -> None:
    for key in ("a\\b", "x" * 1100):
        with pytest.raises(Poison, match=r"choose (another|a shorter) key"):
            place.open().put(key, b"")


def test_a_link_shows_the_object_until_it_expires(place: S3Place) -> None:
    store = place.open()
    store.put("images/a b=%41#é.jpg", b"jpeg")
    with urllib.request.urlopen(store.address("images/a b=%41#é.jpg", ttl_s=60)) as answer:  # noqa: S310 - our own server
        assert answer.read() == b"jpeg"
    old = store.address("images/a b=%41#é.jpg", ttl_s=1)
    until(lambda: status_of(old) == 403)


def test_a_link_names_the_endpoint_that_others_use_to_reach_the_store(place: S3Place) -> None:
    link = place.open(link_endpoint="https://pictures.example.org").address("images/a.jpg")
    assert link.startswith("https://pictures.example.org/")
    with pytest.raises(Misconfigured, match="STORE_LINK_ENDPOINT is not the URL"):
        place.open(link_endpoint="pictures")


def valid_s(link: str) -> int:
    """The lifetime that a link claims."""
    return int(parse_qs(urlsplit(link).query)["X-Amz-Expires"][0])


@pytest.mark.parametrize("link_endpoint", ["", "https://pictures.example.org"])
def test_links_live_as_long_as_a_roles_keys_and_are_never_refused(place: S3Place, link_endpoint: str) -> None:
    with renewed(place.access, lives_s=7200) as renewals:
        store = place.open(access_key="", secret_key=SecretStr(""), link_endpoint=link_endpoint)
        store.put("images/a.jpg", b"jpeg")
        assert valid_s(store.address("images/a.jpg", ttl_s=3600)) == 3600
        link = store.address("images/a.jpg")
        assert renewals[-1] + 7200 - time.time() - 2 < valid_s(link) <= 7200
        assert link_endpoint or status_of(link) == 200
    assert valid_s(place.open().address("images/a.jpg", ttl_s=8 * 86_400)) == 7 * 86_400


def test_a_token_of_unknown_expiry_gives_links_of_the_requested_lifetime(
    place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", place.access.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", place.access.secret_key.get_secret_value())
    store = place.open(access_key="", secret_key=SecretStr(""))
    assert valid_s(store.address("images/a.jpg")) == 86_400


def test_without_any_credentials_the_settings_are_named(
    place: S3Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Misconfigured, match="no S3 key is set: set FRAMETALLY_STORE_ACCESS_KEY"):
        place.open(access_key="", secret_key=SecretStr(""))


def test_setting_up_again_changes_nothing_and_leaves_others_rules_alone() -> None:
    from frametally.adapters.s3.service import service_client

    access, name = root_access(), new_bucket_name()
    url, client = f"s3://{name}/cameras", service_client(access)

    def rules() -> dict[str, tuple[str, int]]:
        found = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        return {
            rule["ID"]: (rule["Filter"]["Prefix"], rule["Expiration"]["Days"])
            for rule in found
            if "Expiration" in rule
        }

    def days_of_left_parts() -> list[tuple[str, int]]:
        found = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        return [
            (rule["Filter"]["Prefix"], rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
            for rule in found
            if "AbortIncompleteMultipartUpload" in rule
        ]

    assert set_up_store(url, access, image_days=30) == [
        f"store: bucket {name} created",
        "store: frames are kept 30 days, detections forever",
    ]
    assert rules() == {"frametally-images-cameras": ("cameras/images/", 30)}
    assert days_of_left_parts() == [("cameras/videos/", 3)]
    own = {"ID": "own", "Status": "Enabled", "Filter": {"Prefix": "other/"}, "Expiration": {"Days": 3}}
    kept = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [*kept, own]})
    for _ in range(2):
        lines = set_up_store(url, access, image_days=7, metadata_days=400)
        assert days_of_left_parts() == [("cameras/videos/", 3)]
        assert lines[0] == f"store: bucket {name} exists already"
        assert rules() == {
            "own": ("other/", 3),
            "frametally-images-cameras": ("cameras/images/", 7),
            "frametally-metadata-cameras": ("cameras/metadata/", 400),
        }
    set_up_store(url, access)
    assert rules() == {"own": ("other/", 3)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_key_with_its_stages_policy_has_all_its_rights_and_none_of_other_stages(
    bucket: S3Place, stage: str
) -> None:
    name = bucket.url.removeprefix("s3://")
    access = key_with_policy(bucket.access, known_to_the_test_server(policy(name, stage)))
    # The test server has no action for the bucket's rules: the right is removed, and its lack is reported.
    of_bucket = ["s3:GetLifecycleConfiguration on the bucket"] if STAGES[stage].administers else []
    assert missing_rights(bucket.url, access, stage) == of_bucket
    store = S3Place(bucket.url, access).open()
    for folder in ("images", "metadata", "media", "mapreduce-output"):
        if folder not in STAGES[stage].writes and "" not in STAGES[stage].writes:
            with pytest.raises(Misconfigured, match=f"{folder}/x cannot be written: .*s3:PutObject"):
                store.put(f"{folder}/x", b"")
    if not STAGES[stage].removes:
        with pytest.raises(Misconfigured, match=r"images/x cannot be deleted: .*s3:DeleteObject"):
            store.delete("images/x")


@pytest.mark.parametrize(
    ("stage", "action", "expected"),
    [
        ("producer", "s3:PutObject", ["s3:PutObject on images/*", "s3:PutObject on media/*"]),
        ("consumer", "s3:ListBucket", ["s3:ListBucket on the bucket"]),
        ("web", "s3:GetObject", ["s3:GetObject on all objects"]),
        ("admin", "s3:DeleteObject", ["s3:DeleteObject on all objects"]),
        (
            "web",
            "s3:PutObject",
            [
                *(
                    f"s3:PutObject on {folder}/*"
                    for folder in (
                        *("drawings", "videos", "uploads", "reports", "access", "backups", "images"),
                        *("media", "tombstones", "corrections", "changes", "dead-letters/dropped", "sources"),
                    )
                ),
                *("s3:ListMultipartUploadParts on videos/*", "s3:AbortMultipartUpload on videos/*"),
            ],
        ),
    ],
)
def test_a_missing_right_is_named(bucket: S3Place, stage: str, action: str, expected: list[str]) -> None:
    name = bucket.url.removeprefix("s3://")
    whole = known_to_the_test_server(policy(name, stage))
    statements = [
        statement | {"Action": left}
        for statement in whole["Statement"]
        if (left := [one for one in statement["Action"] if one != action])
    ]
    access = key_with_policy(bucket.access, whole | {"Statement": statements})
    assert [one for one in missing_rights(bucket.url, access, stage) if "Lifecycle" not in one] == expected
    assert list(S3Place(bucket.url, bucket.access).open().list("models")) == []


def test_an_unreadable_object_is_told_apart_from_a_missing_one(bucket: S3Place) -> None:
    name = bucket.url.removeprefix("s3://")
    store = S3Place(bucket.url, key_with_policy(bucket.access, policy(name, "search"))).open()
    assert store.head("mapreduce-output/none") is None
    with pytest.raises(ObjectMissing):
        store.get("mapreduce-output/none")
    for ask in (store.get, store.head):
        with pytest.raises(Misconfigured, match=r"images/a.jpg cannot be read: .*s3:GetObject"):
            ask("images/a.jpg")


def test_setup_reports_what_it_did_and_what_is_missing(
    bucket: S3Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    assert (
        "exists already"
        in frametally("setup", "--stage", "admin", "--stage", "web", "--data-dir", tmp_path).out
    )
    for wrong, line in (
        ({"secret_key": SecretStr("no")}, "the secret does not match the key"),
        ({"access_key": "nobody"}, "unknown key"),
    ):
        for name, value in bucket.environment(**wrong).items():
            monkeypatch.setenv(name, value)
        for arguments in (["setup"], ["setup", "--check"]):
            assert line in frametally(*arguments, "--data-dir", tmp_path, code=2).err
    whole = policy(bucket.url.removeprefix("s3://"), "web")
    web = key_with_policy(bucket.access, known_to_the_test_server(whole))
    for name, value in S3Place(bucket.url, web).environment().items():
        monkeypatch.setenv(name, value)
    assert cli.main(["setup", "--check", "--stage", "web", "--data-dir", str(tmp_path)]) == 0
    said = frametally("setup", "--check", "--stage", "hadoop", "--data-dir", tmp_path, code=2).err.replace(
        "\n", " "
    )
    assert "s3:PutObject on mapreduce-output/*" in said
    assert "cloud-services/s3/hadoop.json" in said


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
