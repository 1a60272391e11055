"""Interrupted and resumed writes to a bucket, with failing calls. For the general contract see tests/core."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from s3_bucket import (
    S3Place,
    client_of,
    key_with_policy,
    known_to_the_test_server,
)
from s3_fault_proxy import FAULTS, Fault, FaultProxy, some_of

from frametally import keys
from frametally.adapters.s3 import multipart
from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import PIECE_BYTES
from frametally_cli.bucket import policy

pytestmark = pytest.mark.services

VIDEO = "11111111-1111-4111-8111-111111111111"
KEY, PART = keys.original_key(VIDEO), keys.upload_part_key(VIDEO)
DATA = random.Random(1).randbytes(2 * PIECE_BYTES + 1_000_000)  # noqa: S311 - no secret


def uploads_under_way(place: S3Place) -> list[str]:
    """Keys of the uploads in parts that the bucket knows of, in the test's folder."""
    name, _, prefix = place.url.removeprefix("s3://").partition("/")
    found = client_of(place.access).list_multipart_uploads(Bucket=name).get("Uploads", [])
    return [upload["Key"] for upload in found if upload["Key"].startswith(prefix)]


def once(fault: Fault, method: str, path: str) -> Callable[[str, str], Fault]:
    """Spoils the first call of this method whose path contains this text."""
    left = [1]

    def choose(called: str, at: str) -> Fault:
        if left[0] and called == method and path in at:
            left[0] = 0
            return fault
        return ""

    return choose


CALLS = {
    "begin": ("POST", "?uploads"),
    "piece": ("PUT", "partNumber=2"),
    "note": ("PUT", ".part"),
    "last piece": ("PUT", "partNumber=3"),
    "finish": ("POST", "?uploadId="),
    "remove the note": ("POST", "?delete"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_survives_one_failed_call_of_each_kind(place: S3Place, fault: Fault, call: str) -> None:
    with FaultProxy(place.access.endpoint, once(fault, *CALLS[call])) as proxy:
        write = place.open(endpoint=proxy.url).resumable(KEY, PART)
        for at in range(0, len(DATA), 3_000_000):
            write.append(DATA[at : at + 3_000_000], at_byte=at)
        assert write.finish()
        assert proxy.spoilt == {fault: 1}
    assert place.open().get(KEY) == DATA
    assert [info.key for info in place.open().list("")] == [KEY]


def test_a_write_survives_a_failure_of_every_fifth_call(place: S3Place) -> None:
    with FaultProxy(place.access.endpoint, some_of(0.2, seed=3)) as proxy:
        at = 0
        while at < len(DATA):
            write = place.open(endpoint=proxy.url).resumable(KEY, PART)
            at = write.durable_bytes
            write.append(DATA[at : at + 5_000_000], at_byte=at)
            at = write.flush()
        write.finish()
        assert sum(proxy.spoilt.values()) > 3
    assert place.open().get(KEY) == DATA
    assert uploads_under_way(place) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_another_writers_object_stays_whatever_happens_to_the_answer(place: S3Place, fault: Fault) -> None:
    place.open().put(KEY, b"theirs")
    with FaultProxy(place.access.endpoint, once(fault, *CALLS["finish"])) as proxy:
        write = place.open(endpoint=proxy.url).resumable(KEY, PART)
        write.append(DATA, at_byte=0)
        assert not write.finish()
    assert place.open().get(KEY) == b"theirs"
    assert uploads_under_way(place) == []


def test_neither_a_finished_nor_an_aborted_write_leaves_parts_that_cost_money(place: S3Place) -> None:
    store = place.open()
    for end in ("finish", "abort"):
        write = store.resumable(KEY, PART)
        write.append(DATA, at_byte=0)
        assert uploads_under_way(place) == [f"{place.url.split('/', 3)[3]}/{KEY}"]
        getattr(store.resumable(KEY, PART) if end == "abort" else write, end)()
        assert uploads_under_way(place) == []
        store.delete(KEY)


def test_a_small_write_needs_no_multipart_upload(place: S3Place) -> None:
    with FaultProxy(place.access.endpoint, lambda method, path: "") as proxy:
        write = place.open(endpoint=proxy.url).resumable(KEY, PART)
        write.append(DATA[:1000], at_byte=0)
        assert write.finish()
        assert not [path for _, path in proxy.calls if "?uploads" in path or "uploadId=" in path]
    assert place.open().get(KEY) == DATA[:1000]


def test_an_upload_forgotten_by_the_bucket_starts_again_with_only_what_the_note_has(place: S3Place) -> None:
    store = place.open()
    write = store.resumable(KEY, PART)
    write.append(DATA[: PIECE_BYTES + 10], at_byte=0)
    write.flush()
    name, _, prefix = place.url.removeprefix("s3://").partition("/")
    [upload] = client_of(place.access).list_multipart_uploads(Bucket=name, Prefix=prefix)["Uploads"]
    client_of(place.access).abort_multipart_upload(
        Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
    )
    with pytest.raises(Poison, match="finished or aborted"):
        write.append(DATA[PIECE_BYTES + 10 :], at_byte=PIECE_BYTES + 10)
    anew = store.resumable(KEY, PART)
    assert anew.durable_bytes == 0
    anew.append(DATA, at_byte=0)
    assert anew.finish()
    assert store.get(KEY) == DATA


def test_more_parts_than_an_object_can_have_are_refused_before_they_are_sent(
    place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "MOST_PARTS", 1)
    write = place.open().resumable(KEY, PART)
    with pytest.raises(Poison, match=r"accepts at most 8388608 bytes.*FRAMETALLY_UPLOAD_MAX_GB"):
        write.append(DATA, at_byte=0)
    assert write.durable_bytes == PIECE_BYTES
    write.abort()


def test_a_foreign_object_in_place_of_the_note_is_named(place: S3Place) -> None:
    store = place.open()
    store.put(PART, b"no note")
    with pytest.raises(Poison, match=r"frametally cannot read the record of this upload.*delete the upload"):
        store.resumable(KEY, PART)


@pytest.mark.parametrize("stage", ["web", "work"])
def test_a_stages_key_can_begin_continue_finish_and_abort_a_write(bucket: S3Place, stage: str) -> None:
    name = bucket.url.removeprefix("s3://")
    key = key_with_policy(bucket.access, known_to_the_test_server(policy(name, stage)))
    for end in ("finish", "abort"):
        write = S3Place(bucket.url, key).open().resumable(KEY, PART)
        write.append(DATA[:9_000_000], at_byte=0)
        write.flush()
        again = S3Place(bucket.url, key).open().resumable(KEY, PART)
        again.append(DATA[9_000_000:], at_byte=again.durable_bytes)
        getattr(again, end)()
        assert uploads_under_way(S3Place(f"{bucket.url}/videos", bucket.access)) == []
        S3Place(bucket.url, key).open().delete(KEY)


def test_the_message_names_the_right_that_a_key_lacks(bucket: S3Place) -> None:
    name = bucket.url.removeprefix("s3://")
    key = key_with_policy(bucket.access, known_to_the_test_server(policy(name, "producer")))
    store = S3Place(bucket.url, key).open()
    with pytest.raises(Misconfigured, match=r"cannot be read: .*s3:GetObject"):
        store.resumable(KEY, PART)
    rights = policy(name, "web")
    statements = [one for one in rights["Statement"] if one["Action"] != ["s3:PutObject"]]
    reader = key_with_policy(bucket.access, known_to_the_test_server({**rights, "Statement": statements}))
    write = S3Place(bucket.url, reader).open().resumable(KEY, PART)
    with pytest.raises(Misconfigured, match=r"could not be written .*s3:PutObject"):
        write.append(DATA, at_byte=0)


WRITER = """
import sys
from frametally.adapters_by_url import open_object_store
from frametally.settings.loading import load_settings
settings = load_settings()
write = open_object_store(settings.store_url, settings.store_access).resumable(sys.argv[1], sys.argv[2])
at = write.durable_bytes
print(at, flush=True)
with open(sys.argv[3], "rb") as file:
    file.seek(at)
    while data := file.read(1_000_000):
        write.append(data, at_byte=at)
        at += len(data)
        print(at, flush=True)
write.flush()
"""


def test_a_killed_process_loses_less_than_a_piece(place: S3Place, tmp_path: Any) -> None:
    file = tmp_path / "video"
    file.write_bytes(DATA)
    told = 0
    for kill_at in (5_000_000, 12_000_000, len(DATA) + 1):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, KEY, PART, str(file)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(place),
        ) as writer:
            assert writer.stdout is not None
            assert told - int(next(writer.stdout)) < PIECE_BYTES
            for line in writer.stdout:
                told = int(line)
                if told >= kill_at:
                    writer.send_signal(signal.SIGKILL)
    write = place.open().resumable(KEY, PART)
    assert write.durable_bytes == len(DATA)
    assert write.finish()
    assert place.open().get(KEY) == DATA


def environment(place: S3Place) -> Mapping[str, str]:
    return dict(os.environ) | dict(place.environment())
