"""The S3 service by boto3, for calls that obstore lacks: buckets, retention, removal of one version."""

from __future__ import annotations

from typing import Any

from frametally.adapters.s3.failures import PART, PASSING
from frametally.errors import Misconfigured, Retryable
from frametally.process.time_limit import end_of_limit_s
from frametally.settings.access import StoreAccess

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as missing:  # this module is imported only where it is needed
    raise Misconfigured(
        f"an S3 store needs boto3 for this ({missing}): run pip install 'frametally[s3]'"
    ) from missing


def service_client(access: StoreAccess) -> Any:
    """Return boto3's client for the service, with boto3's retries off."""
    secret = access.secret_key.get_secret_value()
    own_key = {"aws_access_key_id": access.access_key, "aws_secret_access_key": secret} if secret else {}
    return boto3.client(
        "s3",
        region_name=access.region,
        endpoint_url=access.endpoint or None,
        verify=str(access.ca_file) if access.ca_file else None,
        config=Config(
            connect_timeout=5,
            read_timeout=30 if end_of_limit_s() is None else 5,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            # Not all services other than AWS know these.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
        **own_key,
    )


def remove_version(access: StoreAccess, *, bucket: str, key: str, version: str) -> bool:
    """Remove an object if it still has that version (an ETag); return whether it had, or was gone.

    Raises:
        Retryable: The service does not answer.
        Misconfigured: We may not remove it.
    """
    try:
        service_client(access).delete_object(Bucket=bucket, Key=key, IfMatch=version)
    except (ClientError, BotoCoreError) as error:
        code = error_code(error)
        if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
            return False
        if code in ("NoSuchKey", "404"):
            return True
        raise service_failure(
            error, f"this key does not have permission to delete s3://{bucket}/{key}", "s3:DeleteObject"
        ) from error
    return True


def error_code(error: Exception) -> str:
    """Return the service's own error code, or "" if it did not give one."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def status_code(error: Exception) -> int:
    """Return the HTTP status of the service's answer, or 0 if there was none."""
    status: int = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def _response(error: Exception) -> dict[str, Any]:
    return getattr(error, "response", None) or {}  # None if the connection was closed


def service_failure(error: Exception, problem: str, right: str) -> Misconfigured | Retryable:
    """Return boto3's error as ours: a missing permission, or an unavailable service."""
    status = status_code(error)
    if status == 403:
        return Misconfigured(f"{problem} ({error_code(error)}): give this key the permission {right}")
    if 400 <= status < 500 and status not in PASSING:
        settings = "FRAMETALLY_STORE_URL, FRAMETALLY_STORE_ENDPOINT and the key"
        return Misconfigured(f"{problem}: {error}; check {settings}")
    return Retryable(
        f"{problem}: {error}; check FRAMETALLY_STORE_ENDPOINT, and that the store is running", part=PART
    )
