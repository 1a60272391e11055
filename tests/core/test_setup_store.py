"""Messages of `frametally setup` without a server; for those with one see tests/services/test_s3_store.py."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import PermissionDeniedError

from frametally.adapters.s3.failures import failure
from frametally.adapters.s3.service import service_failure
from frametally.adapters_by_url import open_object_store
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.settings.access import StoreAccess
from frametally_cli import main as cli
from frametally_cli.bucket import STAGES, policy, set_up_store, write_policies

POLICIES = Path(__file__).resolve().parents[2] / "cloud-services" / "s3"


def test_the_shipped_policies_grant_what_the_stages_need_and_no_more(tmp_path: Path) -> None:
    write_policies(tmp_path, "frametally")
    shipped = {path.name: path.read_text() for path in POLICIES.glob("*.json")}
    assert shipped == {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(shipped) == sorted(f"{stage}.json" for stage in STAGES)


def test_a_policy_for_a_folder_in_a_bucket_grants_nothing_outside_it() -> None:
    written = policy("shared", "producer", prefix="site-1")
    resources = [one for statement in written["Statement"] for one in statement["Resource"]]
    assert resources[0] == "arn:aws:s3:::shared"
    assert all(one.startswith("arn:aws:s3:::shared/site-1/") for one in resources[1:])
    assert "DeleteObject" not in json.dumps(written)


def test_a_file_store_needs_no_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = (tmp_path / "store").as_uri()
    assert set_up_store(url, StoreAccess()) == [f"store: {url} needs no setup"]
    assert cli.main(["setup", "--data-dir", str(tmp_path)]) == 0
    assert "needs no setup" in capsys.readouterr().out


def test_without_boto3_the_setup_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "frametally.adapters.s3.service", raising=False)
    with pytest.raises(Misconfigured, match=r"pip install 'frametally\[s3\]'"):
        set_up_store("s3://frames", StoreAccess())
    with pytest.raises(
        Misconfigured, match=r"pip install 'frametally\[s3\]', or set FRAMETALLY_STORE_ACCESS_KEY"
    ):
        open_object_store("s3://frames", StoreAccess())


def test_a_full_store_is_waited_for_and_another_refusal_keeps_its_message() -> None:
    def said(code: str) -> FrametallyError:
        error = PermissionDeniedError(f"status code: 403 Forbidden: <Code>{code}</Code>")
        return failure(
            error, verb="written", object_name="images/a.jpg", key="images/a.jpg", place="s3://frames at AWS"
        )

    assert isinstance(said("QuotaExceeded"), Retryable)
    assert "no space left for images/a.jpg (QuotaExceeded)" in str(said("QuotaExceeded"))
    assert isinstance(said("AllAccessDisabled"), Misconfigured)
    assert "cannot be written (AllAccessDisabled): give this key the permission s3:PutObject" in str(
        said("AllAccessDisabled")
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Retryable), (408, Retryable), (503, Retryable), (403, Misconfigured), (400, Misconfigured)],
)
def test_temporary_errors_are_told_apart_from_permanent_ones(
    status: int, kind: type[FrametallyError]
) -> None:
    answer: Any = {"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = ClientError(answer, "PutBucketLifecycleConfiguration")
    assert type(service_failure(error, "bucket b cannot be made", "s3:CreateBucket")) is kind
