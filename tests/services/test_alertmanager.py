"""A real Alertmanager accepts the settings of cloud-setup, and mails by a real mail server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
import server_prometheus
from serving.downloads import cache_folder
from serving.needs import server
from tests.kit.waiting import until

from frametally_cloud.stack_setup import alertmanager_settings

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

ALERT = {
    "labels": {"alertname": "FrametallyDown", "service": "consumer"},
    "annotations": {"summary": "consumer does not answer"},
}


def test_the_stacks_mail_server_sends_an_alert(tmp_path: Path) -> None:
    smtp = server("smtp")
    server_prometheus.install(cache_folder())
    recipient = f"ops-{os.urandom(4).hex()}@example.org"
    text = alertmanager_settings(
        {
            "FRAMETALLY_SMTP_URL": smtp["URL"],
            "FRAMETALLY_SMTP_USER": smtp["USER"],
            "FRAMETALLY_SMTP_PASSWORD": smtp["PASSWORD"],
            "FRAMETALLY_CA_FILE": smtp["CA_FILE"],
            "FRAMETALLY_MAIL_TO": recipient,
        }
    )
    settings = tmp_path / "alertmanager.yml"
    settings.write_text(text.replace('"30s"', '"0s"'))  # the first mail does not wait for more
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={settings}",
                f"--storage.path={tmp_path / 'data'}",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:

        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:  # noqa: S310
                    return bool(answer.status == 200)
            except OSError:
                assert process.poll() is None, (tmp_path / "output").read_text()
                return False

        until(is_ready, "Alertmanager is not ready")
        request = urllib.request.Request(  # noqa: S310
            f"{url}/api/v2/alerts", json.dumps([ALERT]).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        mails = Path(smtp["MAILS"])
        until(
            lambda: mails.exists() and f"To: {recipient}" in mails.read_text(errors="replace"), "no mail came"
        )
        assert "FrametallyDown" in mails.read_text(errors="replace").split(f"To: {recipient}")[1]
    finally:
        process.terminate()
        process.wait(30)
