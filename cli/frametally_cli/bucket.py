"""`frametally setup` for an S3 store: its bucket, its retention, and the rights of its users.

`STAGES` defines what each stage does with the store. Both the policies of `cloud-services/s3/` and the check
of a key's rights use it, so that granted, checked and needed rights cannot drift apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured
from frametally.process.reports import plural
from frametally.process.retrying import a_few_times
from frametally.settings.access import StoreAccess

MODELS = "models"
DROPPED = "dropped"
EVERYTHING = ""

_NO_SUCH_OBJECT = "frametally-setup-asks-for-what-is-not-there"
_NO_SUCH_VERSION = f'"{"0" * 32}"'
_NO_SUCH_UPLOAD = "0" * 32
_RULE = "frametally-"
_LEFT_PARTS_DAYS = 3  # a day longer than frametally keeps an abandoned upload
_REFUSED = ("SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "ExpiredToken")


class StageRights(NamedTuple):
    """The rights that a stage needs in the store, by folder; every stage lists objects.

    Attributes:
        reads: Folders of objects that it reads; `EVERYTHING` means all of them.
        writes: Folders that it puts objects into.
        resumes: Folders that it writes to in parts, and where it resumes interrupted writes.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    resumes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    administers: bool = False


STAGES: dict[str, StageRights] = {
    # It blurs what a privacy policy says, with the store's model.
    "producer": StageRights(
        reads=(*(keys.IMAGES, keys.MEDIA, keys.TOMBSTONES, keys.CORRECTIONS), *(keys.PRIVACY, MODELS)),
        writes=(keys.IMAGES, keys.MEDIA),
    ),
    "consumer": StageRights(reads=(keys.IMAGES, keys.METADATA, MODELS), writes=(keys.METADATA, MODELS)),
    "hadoop": StageRights(
        # It reads the size of images if there is a drawing over their source.
        reads=(
            *(keys.MEDIA, keys.IMAGES, keys.METADATA, keys.TOMBSTONES, keys.DRAWINGS),
            *(keys.OUTPUT, keys.TRACKS, keys.HOURS),
        ),
        writes=(keys.OUTPUT, keys.TRACKS, keys.HOURS),
    ),
    "search": StageRights(reads=(keys.OUTPUT,), removes=(keys.OUTPUT, keys.TRACKS, keys.HOURS)),
    # It forgets, retimes and renames footage, sets time zones, and drops dead letters.
    "web": StageRights(
        reads=(EVERYTHING,),
        writes=(
            *(keys.DRAWINGS, keys.VIDEOS, keys.UPLOADS, keys.REPORTS, keys.ACCESS, keys.BACKUPS),
            *(keys.IMAGES, keys.MEDIA, keys.TOMBSTONES, keys.CORRECTIONS, keys.CHANGES, keys.DROPPED),
            keys.SOURCES,
        ),
        resumes=(keys.VIDEOS,),
        removes=(
            *(keys.VIDEOS, keys.UPLOADS, keys.ACCESS, keys.BACKUPS),
            *(keys.IMAGES, keys.MEDIA, keys.CORRECTIONS, keys.CHANGES),
        ),
    ),
    # It produces uploaded footage, and forgets, retimes and removes footage on request.
    "work": StageRights(
        reads=(EVERYTHING,),
        writes=(
            *(keys.IMAGES, keys.MEDIA, keys.TOMBSTONES, keys.CORRECTIONS, keys.VIDEOS, keys.UPLOADS),
            keys.DRAWINGS,
        ),
        resumes=(keys.VIDEOS,),
        removes=(keys.IMAGES, keys.MEDIA, keys.CORRECTIONS, keys.VIDEOS, keys.UPLOADS),
    ),
    # It writes the packs again that lose frames, settles dead letters, and notes what it removes.
    "retention": StageRights(
        reads=(EVERYTHING,),
        writes=(keys.IMAGES, keys.RETENTION, keys.DROPPED),
        removes=(keys.IMAGES, keys.VIDEOS, keys.REPORTS),
    ),
    "admin": StageRights(
        reads=(EVERYTHING,),
        writes=(EVERYTHING,),
        resumes=(EVERYTHING,),
        removes=(EVERYTHING,),
        administers=True,
    ),
}


def set_up_store(url: str, access: StoreAccess, *, image_days: int = 0, metadata_days: int = 0) -> list[str]:
    """Create or update the bucket and its retention rules; return a line about each.

    A store other than `s3://bucket[/prefix]` needs nothing. The key must be allowed to create buckets. Frames
    and detections are removed after the given days (0 means never), as are parts of abandoned uploads. The
    bucket's other rules stay as they are.

    Raises `Misconfigured` if the key lacks a right or the URL is invalid; `Retryable`.
    """
    if not url.startswith("s3://"):
        return [f"store: {url} needs no setup"]
    bucket, prefix, client = _open(url, access)
    made = a_few_times(lambda: _make_bucket(client, bucket, access))

    def rule(folder: str, action: dict[str, Any]) -> dict[str, Any]:
        return {
            "ID": f"{_RULE}{folder}{f'-{prefix}' if prefix else ''}"[:255],
            "Status": "Enabled",
            "Filter": {"Prefix": f"{prefix}/{folder}/" if prefix else f"{folder}/"},
            **action,
        }

    lifetimes = ((keys.IMAGES, image_days), (keys.METADATA, metadata_days))
    rules = [rule(folder, {"Expiration": {"Days": days}}) for folder, days in lifetimes if days]
    # If an upload was killed before its note was put, only the service knows its parts.
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _LEFT_PARTS_DAYS}}
    rules.append(rule(keys.VIDEOS, abort))
    a_few_times(lambda: _set_rules(client, bucket, prefix, rules))
    return [
        f"store: bucket {bucket} {'created' if made else 'exists already'}",
        f"store: frames are kept {_kept(image_days)}, detections {_kept(metadata_days)}",
    ]


def missing_rights(url: str, access: StoreAccess, stage: str) -> list[str]:
    """Return the rights that the key lacks for a stage, such as `s3:PutObject on media/*`; change nothing.

    Raises `Misconfigured` if the bucket does not exist or the service has no conditional puts; `Retryable`.
    """
    bucket, prefix, client = _open(url, access)
    rights = STAGES[stage]
    missing = []
    if not _may(lambda: client.list_objects_v2(Bucket=bucket, MaxKeys=1), bucket):
        missing.append("s3:ListBucket on the bucket")

    def key_in(folder: str) -> str:
        return "/".join(part for part in (prefix, folder, _NO_SUCH_OBJECT) if part)

    def put(folder: str) -> None:
        # A put whose condition cannot hold tests the right and leaves nothing behind.
        client.put_object(Bucket=bucket, Key=key_in(folder), Body=b"", IfMatch=_NO_SUCH_VERSION)
        raise Misconfigured(
            f"{url} ignores the condition (If-Match) of a put, but frametally needs conditional puts; use "
            "another S3 service, or a later version of this one"
        )

    def list_parts(folder: str) -> None:
        client.list_parts(Bucket=bucket, Key=key_in(folder), UploadId=_NO_SUCH_UPLOAD)

    def abort(folder: str) -> None:
        client.abort_multipart_upload(Bucket=bucket, Key=key_in(folder), UploadId=_NO_SUCH_UPLOAD)

    for right, folders, ask in (
        ("s3:GetObject", rights.reads, lambda folder: client.get_object(Bucket=bucket, Key=key_in(folder))),
        ("s3:PutObject", rights.writes, put),
        ("s3:ListMultipartUploadParts", rights.resumes, list_parts),
        ("s3:AbortMultipartUpload", rights.resumes, abort),
        ("s3:DeleteObject", rights.removes, lambda at: client.delete_object(Bucket=bucket, Key=key_in(at))),
    ):
        for folder in folders:
            if not _may(lambda ask=ask, folder=folder: ask(folder), bucket):
                missing.append(f"{right} on {f'{folder}/*' if folder else 'all objects'}")
    if rights.administers and not _may(
        lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket), bucket
    ):
        missing.append("s3:GetLifecycleConfiguration on the bucket")
    return missing


def policy(bucket: str, stage: str, *, prefix: str = "") -> dict[str, Any]:
    """Return the smallest policy, in AWS's language, that lets a stage's key do its work."""
    rights = STAGES[stage]
    arn = f"arn:aws:s3:::{bucket}"
    start = f"{prefix}/" if prefix else ""

    def of(action: str, folders: Sequence[str]) -> Iterator[dict[str, Any]]:
        if folders:
            resources = [f"{arn}/{start}{folder}/*" if folder else f"{arn}/{start}*" for folder in folders]
            yield {"Effect": "Allow", "Action": [action], "Resource": resources}

    on_bucket = ["s3:ListBucket"]
    if rights.administers:
        on_bucket += ["s3:CreateBucket", "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": on_bucket, "Resource": [arn]},
            *of("s3:GetObject", rights.reads),
            *of("s3:PutObject", rights.writes),
            *of("s3:ListMultipartUploadParts", rights.resumes),
            *of("s3:AbortMultipartUpload", rights.resumes),
            *of("s3:DeleteObject", rights.removes),
        ],
    }


def _open(url: str, access: StoreAccess) -> tuple[str, str, Any]:
    from frametally.adapters.s3.bucket_store import check_endpoint, parse_url
    from frametally.adapters.s3.credentials import credentials_of
    from frametally.adapters.s3.service import service_client

    check_endpoint(access.endpoint, "FRAMETALLY_STORE_ENDPOINT")
    credentials_of(access)  # raises a one-line error if there are none
    bucket, prefix = parse_url(url)
    return bucket, prefix, service_client(access)


def _make_bucket(client: Any, bucket: str, access: StoreAccess) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    from frametally.adapters.s3.service import error_code, service_failure

    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        return False
    except (ClientError, BotoCoreError) as error:
        if error_code(error) in _REFUSED:
            raise refused(error_code(error)) from error
        if error_code(error) not in ("404", "NoSuchBucket"):
            raise service_failure(error, f"bucket {bucket} cannot be read", "s3:ListBucket") from error
    # Only AWS needs the region twice; other services refuse names that they do not know.
    needs_location = not access.endpoint and access.region != "us-east-1"
    where = {"CreateBucketConfiguration": {"LocationConstraint": access.region}} if needs_location else {}
    try:
        client.create_bucket(Bucket=bucket, **where)
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "BucketAlreadyOwnedByYou":
            return False
        raise service_failure(error, f"bucket {bucket} cannot be created", "s3:CreateBucket") from error
    return True


def _set_rules(client: Any, bucket: str, prefix: str, wanted: list[dict[str, Any]]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    from frametally.adapters.s3.service import error_code, service_failure

    start = f"{prefix}/" if prefix else ""
    ours = {f"{start}{folder}/" for folder in (keys.IMAGES, keys.METADATA, keys.VIDEOS)}
    try:
        try:
            current_rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        except ClientError as error:
            if error_code(error) != "NoSuchLifecycleConfiguration":
                raise
            current_rules = []
        others = [
            rule
            for rule in current_rules
            if not (rule.get("ID", "").startswith(_RULE) and rule.get("Filter", {}).get("Prefix") in ours)
        ]
        rules = others + wanted
        if _comparable(rules) == _comparable(current_rules):
            return
        if rules:
            client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        else:
            client.delete_bucket_lifecycle(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise service_failure(
            error, f"the retention rules of bucket {bucket} cannot be set", "s3:PutLifecycleConfiguration"
        ) from error


def _comparable(rules: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(rule, sort_keys=True, default=str) for rule in rules)


def _may(ask: Any, bucket: str) -> bool:
    """Return whether the service allows `ask`; a missing object is not a refusal."""
    from botocore.exceptions import BotoCoreError, ClientError

    from frametally.adapters.s3.service import error_code, service_failure, status_code

    def once() -> bool:
        try:
            ask()
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            status = status_code(error)
            if code == "NoSuchBucket":
                raise Misconfigured(f"bucket {bucket} does not exist: run `frametally setup`") from error
            if code in _REFUSED:
                raise refused(code) from error
            if status == 403:
                return False
            if status in (404, 412):
                return True
            raise service_failure(error, f"bucket {bucket} is not responding", "s3:*") from error
        return True

    return a_few_times(once)


def refused(code: str) -> FrametallyError:
    """Return our error for the code with which the service refuses a key, a secret or a clock."""
    from frametally.adapters.s3.failures import failure

    return failure(Exception(f"<Code>{code}</Code>"), verb="read", object_name="", key="", place="the store")


def _kept(days: int) -> str:
    return plural(days, "day") if days else "forever"


def write_policies(folder: Path, bucket: str) -> None:
    """Write the policy of every stage to `<folder>/<stage>.json`."""
    for stage in STAGES:
        text = json.dumps(policy(bucket, stage), indent=2)
        (folder / f"{stage}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m frametally_cli.bucket FOLDER BUCKET")
    write_policies(Path(sys.argv[1]), sys.argv[2])
