"""Cameras by TLS: a real RTSP server is read, and where trust is asked for only one that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
import trustme
from tests.live.showing import LAUNCHES, RtspCamera, Speaker
from tests.live.test_opening import LOGIN, answering, failure_of, frames_of, motion_jpeg, to_open
from tls_front import TlsFront

from frametally.errors import Misconfigured
from frametally_live.cameras.failures import CameraAway


def authority_of(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """An authority's certificate, and a key and a certificate that it has given to a camera of this name."""
    authority = trustme.CA()
    ca_file, pem = folder / f"authority-{name}.pem", folder / f"camera-{name}.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(pem)
    return ca_file, pem


@pytest.mark.thorough
def test_an_rtsps_camera_is_read_with_its_log_in_by_tcp_alone_whether_or_not_its_authority_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_by: list[str] = []
    av_open = av.open

    def opened(*where: Any, **options: Any) -> Any:
        asked_by.append(options["container_options"]["rtsp_transport"])
        return av_open(*where, **options)

    monkeypatch.setattr(av, "open", opened)
    ca_file, pem = authority_of(tmp_path)
    password = LOGIN.password.get_secret_value()
    with RtspCamera(LAUNCHES["mjpeg"], user=LOGIN.user, password=password, pem=pem) as camera:
        assert camera.address.startswith("rtsps://")
        for trusted in (None, ca_file):
            one = to_open(camera.address, login=LOGIN, transport="udp", ca_file=trusted)
            assert len(frames_of(one, 3)) == 3
    assert asked_by == ["tcp", "tcp"], "by UDP the pictures would pass beside TLS"


def test_a_camera_that_is_not_trusted_is_one_line_with_the_remedy_and_gets_no_word(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def heard(connection: object) -> None:
        asked.append(b"a visitor")

    _, pem = authority_of(tmp_path)
    (tmp_path / "other").mkdir()
    of_another, _ = authority_of(tmp_path / "other")
    with (
        RtspCamera(LAUNCHES["mjpeg"], pem=pem) as camera,
        pytest.raises(CameraAway, match=r"not trusted.*FRAMETALLY_LIVE_CA_FILE"),
    ):
        frames_of(to_open(camera.address, login=LOGIN, ca_file=of_another), 3)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "mine.pem")
    with (
        Speaker(heard) as behind,
        TlsFront(authority.issue_cert("other.example.org"), behind.port) as front,
    ):
        for scheme in ("rtsps", "https"):
            address = f"{scheme}://127.0.0.1:{front.port}/gate"
            told = failure_of(to_open(address, login=LOGIN, ca_file=tmp_path / "mine.pem"))
            assert "by the name in it" in str(told), "it is of another name"
    assert not asked


def test_motion_jpeg_by_https_is_read_from_a_camera_that_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "mine.pem")
    with (
        Speaker(motion_jpeg(iter([(64, 48)] * 5))) as behind,
        TlsFront(authority.issue_cert("127.0.0.1"), behind.port) as front,
    ):
        one = to_open(f"https://127.0.0.1:{front.port}/video", ca_file=tmp_path / "mine.pem")
        assert len(frames_of(one, 3)) == 3


def test_authorities_that_cannot_be_read_and_a_camera_without_tls_are_one_line(tmp_path: Path) -> None:
    with Speaker(answering(b"RTSP/1.0 200 OK\r\n\r\n")) as server:
        address = f"rtsps://127.0.0.1:{server.port}/gate"
        (tmp_path / "none.pem").write_text("no certificate")
        for name in ("none.pem", "absent.pem"):
            told = failure_of(to_open(address, ca_file=tmp_path / name))
            assert isinstance(told, Misconfigured)
            assert "FRAMETALLY_LIVE_CA_FILE" in str(told)
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        told = failure_of(to_open(camera.address.replace("rtsp://", "rtsps://")))
        assert "does not speak TLS there" in str(told)
