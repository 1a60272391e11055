"""A separate folder in a bucket of the S3 server, and keys with limited rights."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import boto3
from serving.needs import server

from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.settings.access import StoreAccess
from frametally.settings.fields import SecretStr
from frametally_cli.bucket import set_up_store


class S3Place(NamedTuple):
    """The place of a test's objects: `url` is `s3://bucket/prefix`."""

    url: str
    access: StoreAccess

    def open(self, **changed: Any) -> ObjectStore:
        """The store, with changes to the access."""
        return open_object_store(self.url, self.access_with(**changed))

    def access_with(self, **changed: Any) -> StoreAccess:
        """The access with some changes."""
        fields = {name: getattr(self.access, name) for name in self.access.__dataclass_fields__}
        return StoreAccess(**(fields | changed))

    def environment(self, **changed: Any) -> Mapping[str, str]:
        """The settings that make a stage use it."""
        access = self.access_with(**changed)
        return {
            "FRAMETALLY_STORE_URL": self.url,
            "FRAMETALLY_STORE_ENDPOINT": access.endpoint,
            "FRAMETALLY_STORE_ACCESS_KEY": access.access_key,
            "FRAMETALLY_STORE_SECRET_KEY": access.secret_key.get_secret_value(),
        }


def root_access() -> StoreAccess:
    """The server, with the key that has all rights; or a skip."""
    values = server("s3")
    return StoreAccess(
        endpoint=values["URL"], access_key=values["ACCESS_KEY"], secret_key=SecretStr(values["SECRET_KEY"])
    )


def new_bucket_name() -> str:
    """A bucket that does not exist yet."""
    return f"frametally-{uuid.uuid4().hex[:12]}"


def new_place(folder: str = "") -> S3Place:
    """A place in a new bucket, which is set up."""
    made = S3Place(f"s3://{new_bucket_name()}{folder}", root_access())
    set_up_store(made.url, made.access)
    return made


def client_of(access: StoreAccess, service: str = "s3") -> Any:
    """AWS's own client of one of the server's services."""
    return boto3.client(
        service,
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key.get_secret_value(),
    )


def key_with_policy(access: StoreAccess, policy: Mapping[str, Any]) -> StoreAccess:
    """A key of a new user with the rights of `policy`, by AWS's IAM calls."""
    iam = client_of(access, "iam")
    user = f"user-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=user)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    iam.put_user_policy(UserName=user, PolicyName="stage", PolicyDocument=json.dumps(policy))
    return StoreAccess(
        endpoint=access.endpoint,
        access_key=made["AccessKeyId"],
        secret_key=SecretStr(made["SecretAccessKey"]),
    )


_UNKNOWN = {
    *("s3:CreateBucket", "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    *("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"),
}


def known_to_the_test_server(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The policy without actions that SeaweedFS's policies of users do not know.

    These are the actions on buckets, and those on the parts of a write, which it treats as puts of objects.
    """
    statements = [
        statement | {"Action": left}
        for statement in whole["Statement"]
        if (left := [action for action in statement["Action"] if action not in _UNKNOWN])
    ]
    return {**whole, "Statement": statements}
