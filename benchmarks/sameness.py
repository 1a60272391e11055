"""Shows that two versions of frametally store and answer the same: record each, then compare.

python benchmarks/sameness.py record COMMAND OUT.json [--data-dir DIR] [--bodies DIR]
python benchmarks/sameness.py compare A.json B.json [--bodies DIR_A DIR_B]

COMMAND is the `frametally` of a checkout. It counts the demo's clip and two made-up folders of pictures,
across midnight, by each detector, in two base intervals; then the SHA-256 of each object in the store, the
model ids, what the reading commands print and what each route of the API answers (its errors, too) are
written down. With a data directory that another version has filled, the same commands find nothing left to
do, and the record shows whether this version reads the other's data as the other did.

Left out of what is compared, and only this: the UUID of the embedded log (`<log>`) and the run ids, input
hashes and seals that follow from it (`<run>`, `<inputs>`, `<seal>`), paths of this machine (`<data>`), the
server's address, what a clock gives (the fields of `CLOCKS`), where one page of a proof ends and the next
begins (which the server's time decides), the index's version counter, frametally's own version, and whether
part files are packed.
"""

from __future__ import annotations

import argparse
import difflib
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import cv2
from measuring import listening
from results import ROOT

DETECTORS = ("opencv", "openvino", "onnxruntime", "pixels")
INTERVALS_S = (60, 1)
CLIP_START = "2026-01-01T08:00:00Z"
PICTURES_START = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
PICTURE_SOURCES = {"Gate 1": (0, 0, 427, 480), "yard": (200, 100, 854, 480)}
PICTURES = 40
HEADERS = ("Content-Type", "Cache-Control", "Content-Disposition", "Content-Security-Policy", "Location")
RECORDED = re.compile(r"(images|media|metadata|mapreduce-output|tracks|hours)/")

PAGED = {"frames": "frames", "objects": "tracks"}
CLOCKS = (
    *("as_of_ms", "counted_at_ms", "newest_segment_at_ms", "newest_segment_age_s"),
    *("frames_per_s", "eta_s", "estimated_s"),
)

_NORMALISED: tuple[tuple[str, str], ...] = (
    (r"(log=|\"log_id\":\")[0-9a-f-]{32,36}", r"\1<log>"),
    (r'"[0-9a-f]{8}-[0-9a-f-]{27}/', '"<log>/'),
    (r"\b\d{6}-[0-9a-f]{16}\b", "<run>"),
    (r'\["[0-9a-f]{16}"(,\d+\])', r'["<inputs>"\1'),
    (r"(\"(?:inputs|footage)_sha256\":\")[0-9a-f]{64}", r"\1<inputs>"),
    (r"(\"seal\":\")[0-9a-f]{8}", r"\1<seal>"),
    (r"\b((?:part|zones)-\d{5})\.gz\b", r"\1"),
    (rf"(\"(?:{'|'.join(CLOCKS)})\": ?)(?:[0-9.e+-]+|null)", r"\1<clock>"),
    (r"newest segment [^\n]* old", "newest segment <clock> old"),
    (r"(event: index\ndata: \{\"version\":)(?:\"[^\"]*\"|[0-9]+)", r"\1<version>"),
    (r"frametally-[0-9.]+(?:\.dev\d+)?\b", "frametally-<version>"),
    (r"(\"version\":\")\d+\.\d+\.\d+(?=\")", r"\1<version>"),
)

Record = dict[str, dict[str, str]]


def make_pictures(clip: Path, folder: Path) -> None:
    """Write parts of the clip's frames as PNG files, one a minute, with their times in their names."""
    video = cv2.VideoCapture(str(clip))
    for number in range(PICTURES):
        video.set(cv2.CAP_PROP_POS_FRAMES, number * 8)
        is_read, frame = video.read()
        if not is_read:
            raise SystemExit(f"{clip} ends before frame {number * 8}; is it the demo's clip?")
        at = PICTURES_START + timedelta(minutes=number * 1.5)
        for source, (left, top, right, bottom) in PICTURE_SOURCES.items():
            (folder / source).mkdir(parents=True, exist_ok=True)
            path = folder / source / f"cam_{at:%Y%m%d_%H%M%S}.png"
            cv2.imwrite(str(path), frame[top:bottom, left:right])
    video.release()


class Version:
    """A `frametally` command over one data directory."""

    def __init__(self, command: Path, data_dir: Path) -> None:
        """Keep none of the caller's settings except the models' folder."""
        self._command = str(command)
        self.data_dir = data_dir
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
        self.environment = inherited | {
            "FRAMETALLY_DATA_DIR": str(data_dir),
            "FRAMETALLY_BATCH_FRAMES": "20",
            "FRAMETALLY_BATCH_S": "3600",
            "FRAMETALLY_TIMEZONE": "UTC",
            "FRAMETALLY_MIN_FREE_DISK_MB": "0",
            "COLUMNS": "160",
            "NO_COLOR": "1",
        }

    def call(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command; the caller judges its exit code."""
        return subprocess.run(
            [self._command, *arguments],
            cwd=self.data_dir,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def do(self, *arguments: str, **settings: str) -> None:
        """Run a command that must succeed."""
        done = self.call(*arguments, **settings)
        if done.returncode:
            said = done.stdout + done.stderr
            raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{said}")

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the dashboard; give its address."""
        command = (self._command, "serve", "--port")
        with listening(*command, env=self.environment, folder=self.data_dir) as (_, port):
            yield f"http://127.0.0.1:{port}"


def count_footage(version: Version, clip: Path, pictures: Path) -> dict[str, str]:
    """Process the footage from files to the index; return the model id of each detector."""
    version.do("produce", str(clip), "--source", "Traffic", "--start-time", CLIP_START)
    for source in PICTURE_SOURCES:
        version.do(
            "produce", str(pictures / source), "--source", source, "--time-pattern", "cam_%Y%m%d_%H%M%S"
        )
    for detector in DETECTORS:
        version.do("consume", "--until-caught-up", FRAMETALLY_DETECTOR=detector)
    for interval_s in INTERVALS_S:
        version.do("aggregate", "--interval", str(interval_s))
    version.do("index")
    stored = {path.name.removeprefix("model=") for path in version.data_dir.glob("store/metadata/model=*")}
    return {
        name: next(model for model in sorted(stored) if f"-{name}-" in model.removeprefix("pixels-opencv"))
        for name in DETECTORS[:-1]
    } | {"pixels": next(model for model in stored if model.startswith("pixels-"))}


def read_store(version: Version, normalise: Callable[[bytes], bytes]) -> dict[str, str]:
    """Return the SHA-256 of each object, normalised except for frames, parts and tracks."""
    store = version.data_dir / "store"
    objects = {}
    for path in sorted(store.rglob("*")):
        key = path.relative_to(store).as_posix()
        if not path.is_file() or not RECORDED.match(key):
            continue
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        if not key.startswith("images/") and not path.name.startswith("part-"):
            data = normalise(data)
        objects[normalise(key.encode()).decode()] = hashlib.sha256(data).hexdigest()
    return objects


def requests_for(models: list[str]) -> Iterator[tuple[str, dict[str, str | list[str]]]]:
    """Yield routes with their queries, including ones that are refused."""
    night = {"from": "2026-01-01T23:00:00Z", "to": "2026-01-02T01:00:00Z"}
    for route in ("models", "labels", "sources", "counts", "heatmap", "evidence", "frames", "objects"):
        yield route, {}
    for route in ("runs", "status", "openapi.json", "v1/models", "v1/counts", "docs", "nowhere"):
        yield route, {}
    for model in models:
        for route in ("labels", "sources", "runs", "counts", "heatmap", "evidence", "frames", "objects"):
            yield route, {"model": model}
        for route in ("counts", "heatmap", "evidence", "frames", "objects"):
            yield route, {"model": model, "label": ["car", "person"], "source": ["gate-1", "yard"], **night}
        yield "counts", {"model": model, "base": "1", "source": "traffic", "interval": "1"}
        yield "frames", {"model": model, "base": "1", "source": "traffic", "limit": "100"}
        yield "objects", {"model": model, "base": "1", "source": "traffic", "limit": "100"}
    for metric in ("detections", "mean_per_frame", "peak", "objects"):
        yield "counts", {"metric": metric, "by": "source", "interval": "3600", "base": "60"}
    for compare in ("previous", "week", "source:yard", f"model:{models[-1]}"):
        yield "differences", {"compare": compare, "source": "gate-1"}
    for route in ("summary", "history", "catalogue"):
        yield route, {}
        yield route, {"model": models[0], "source": "traffic"}
    for route in ("crossings", "zones", "movements", "speeds", "traffic"):
        yield route, {"source": "traffic"}
    for at in ("2026-01-01T07:59:00Z", "2026-01-02T00:20:30Z", CLIP_START):
        yield "gap", {"source": "traffic", "at": at}
    for zone in ("Asia/Kolkata", "America/New_York"):
        yield "counts", {"timezone": zone, "interval": "86400"}
        yield "heatmap", {"timezone": zone}
    yield "counts", {"timezone": "Europe/Berlin", "interval": "604800"}
    for name in ("csv", "json", "parquet"):
        yield "export", {"format": name, "by": "source", "interval": "60"}
    refused = {
        **{"label": "zebra", "interval": "7", "base": "61", "from": "yesterday", "timezone": "Mars/Base"},
        **{"metric": "most", "model": "none-such", "nonsense": "1"},
    }
    yield from (("counts", {name: value}) for name, value in refused.items())
    yield "counts", {"to": "2026-01-01", "from": "2026-01-02"}
    yield "frames", {"limit": "0"}
    yield "frames", {"cursor": "nonsense"}
    yield "frames/image", {"path": "../secrets"}
    yield "frames/image", {"path": "images/traffic/2026-01-01/1-000000000000-0.jpg"}


def ask(url: str) -> tuple[int, dict[str, str], bytes]:
    """Ask a route; return status, the headers that matter, and the body."""
    try:
        answer = urllib.request.urlopen(url, timeout=60)  # noqa: S310
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        headers = {name: answer.headers[name] for name in HEADERS if answer.headers[name]}
        return answer.status, headers, answer.read()


def read_events(address: str) -> bytes:
    """Read the event stream until it has sent the index's version and the books."""
    lines: list[bytes] = []
    with urllib.request.urlopen(f"{address}/api/events", timeout=60) as stream:  # noqa: S310
        while not (b"event: status\n" in lines and lines[-1] == b"\n"):
            lines.append(stream.readline())
    return b"".join(line for line in lines if line.strip() and not line.startswith(b":"))


def read_pages(url: str, first: bytes, name: str) -> bytes:
    """Return a paged answer as one: the length of a page depends on how much time the server had."""
    whole = page = json.loads(first)
    while page.get("next"):
        cursor = urlencode({"cursor": page["next"]})
        page = json.loads(ask(f"{url}{'&' if '?' in url else '?'}{cursor}")[2])
        whole[name] += page[name]
    whole |= {"next": None, "note": page["note"]}
    return json.dumps(whole).encode()


def read_api(version: Version, models: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each route's answer as text: status, headers, body; follow pages of proof to their end."""
    with version.serving() as address:
        until_s = time.monotonic() + 60  # the books are read in the background
        while b'"state":"settled"' not in ask(f"{address}/api/status")[2] and time.monotonic() < until_s:
            time.sleep(0.5)
        yield "GET /api/events", read_events(address)
        images: set[str] = set()
        for route, query in requests_for(models):
            target = f"/api/{route}" + (f"?{urlencode(query, doseq=True)}" if query else "")
            status, headers, body = ask(address + target)
            # Without the address, which differs between records.
            body = body.replace(address.encode(), b"<address>")
            if status == 200 and route in PAGED:
                body = read_pages(address + target, body, PAGED[route])
            yield f"GET {target}", f"{status} {json.dumps(headers)}\n".encode() + body
            images |= {path.decode() for path in re.findall(rb"\"image_path\": ?\"([^\"]+)\"", body)}
        for path in sorted(images)[::20]:
            target = f"/api/frames/image?{urlencode({'path': path})}"
            status, headers, body = ask(address + target)
            yield f"GET {target}", f"{status} {json.dumps(headers)}\n".encode() + body


def read_commands(version: Version, models: list[str]) -> Iterator[tuple[str, bytes]]:
    """Run the read-only commands; yield what they print, with their exit codes."""
    bar = ("--source", "traffic", "--label", "car", "--interval-start", CLIP_START)
    for arguments in (
        ("status",),
        ("status", "--json"),
        ("quality", "--json"),
        ("compare", models[0], models[-1], "--json"),
        ("export", "--by-source", "--interval", "60"),
        ("dead-letters", "list"),
        ("aggregate", "--dry-run", "--json"),
        *(("status", "--json", "--model", model) for model in models),
        *(("explain", *bar, "--model", model, "--json") for model in models),
        ("explain", *bar[:-1], "never"),
        ("forget", "no-such-file.mp4"),
        ("no-such-command",),
    ):
        done = version.call(*arguments)
        errors = "".join(line for line in done.stderr.splitlines(True) if "━" not in line)  # no progress bars
        printed = f"exit code {done.returncode}\n{done.stdout}\n{errors}"
        yield f"frametally {' '.join(arguments)}", printed.encode()


def record(command: Path, clip: Path, data_dir: Path, bodies: Path | None) -> Record:
    """Count the footage with a version, and record everything that it stored and answers."""
    pictures = data_dir.parent / f"{data_dir.name}-pictures"
    make_pictures(clip, pictures)
    version = Version(command, data_dir)
    model_of = count_footage(version, clip, pictures)
    models = [model_of[detector] for detector in DETECTORS]

    def normalise(data: bytes) -> bytes:
        data = re.sub(rb'[^"\s]*-pictures/', b"<pictures>/", data)  # set by whoever filled the data directory
        for place, name in ((data_dir, b"<data>"), (clip.parent, b"<clip>")):
            data = data.replace(str(place).encode(), name)
        for pattern, new in _NORMALISED:
            data = re.sub(pattern.encode(), new.encode(), data)
        return data

    def hashed(answers: Iterator[tuple[str, bytes]]) -> dict[str, str]:
        hashes = {}
        for name, raw in answers:
            body = raw if b"image/jpeg" in raw[:80] or b"parquet" in raw[:80] else normalise(raw)
            hashes[name] = hashlib.sha256(body).hexdigest()
            if bodies:
                path = bodies / hashlib.sha256(name.encode()).hexdigest()
                path.write_bytes(body)
        return hashes

    files = [clip, *sorted(pictures.rglob("*.png"))]
    return {
        "footage": {
            f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        },
        "models": model_of,
        "store": read_store(version, normalise),
        "commands": hashed(read_commands(version, models)),
        "api": hashed(read_api(version, models)),
    }


def shorten(whole: Record) -> Record:
    """Combine the store's objects into one hash for each kind and model, for a readable record."""
    folded: dict[str, list[str]] = {}
    for key, digest in whole["store"].items():
        parts = key.split("/")
        model = next((part for part in parts if part.startswith("model=")), "")
        kind = "parts" if parts[-1].startswith("part-") else "others"
        folded.setdefault(f"{parts[0]} {model} {kind}".replace("  ", " "), []).append(f"{key} {digest}\n")
    store = {}
    for name, lines in folded.items():
        store[name] = f"{len(lines)} objects: {hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    return whole | {"store": store}


def compare(first: Record, second: Record, bodies: list[Path] | None) -> int:
    """Print the differences; return their number."""
    differing = 0
    for section in sorted(first.keys() | second.keys()):
        one, other = first.get(section, {}), second.get(section, {})
        names = sorted(one.keys() | other.keys())
        differ = [name for name in names if one.get(name) != other.get(name)]
        print(f"{section}: {len(names) - len(differ)} of {len(names)} equal")
        for name in differ:
            print(f"  {name}: {one.get(name, 'absent')} | {other.get(name, 'absent')}")
            if bodies and section in ("commands", "api") and name in one and name in other:
                print_difference(*(folder / hashlib.sha256(name.encode()).hexdigest() for folder in bodies))
        differing += len(differ)
    return differing


def print_difference(one: Path, other: Path) -> None:
    """Print the first lines in which two bodies differ."""
    texts = [re.sub(r"([,{])\"", r"\1\n\"", path.read_text(errors="replace")) for path in (one, other)]
    lines = difflib.unified_diff(*(text.splitlines() for text in texts), lineterm="", n=1)
    for line in list(lines)[2:26]:
        print(f"      {line[:200]}")


def main() -> int:
    """Record or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="write down what a version stores and answers")
    recording.add_argument("frametally", type=Path)
    recording.add_argument("out", type=Path)
    recording.add_argument("--data-dir", type=Path, help="default: a new one, removed afterwards")
    recording.add_argument("--bodies", type=Path, help="folder that keeps the answers themselves")
    recording.add_argument("--clip", type=Path, default=ROOT / "demo-data/traffic.mp4")
    recording.add_argument("--short", action="store_true", help="one hash per kind of object and model")
    comparing = commands.add_parser("compare", help="print what differs; exit code 1 if anything does")
    comparing.add_argument("first", type=Path)
    comparing.add_argument("second", type=Path)
    comparing.add_argument("--bodies", type=Path, nargs=2)
    chosen = parser.parse_args()
    if chosen.command == "compare":
        first, second = (json.loads(path.read_text()) for path in (chosen.first, chosen.second))
        differing = compare(first, second, chosen.bodies)
        print(f"{differing} differ" if differing else "the same")
        return int(differing > 0)
    if chosen.bodies:
        chosen.bodies.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data_dir = (chosen.data_dir or Path(scratch) / "data").resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            found = record(chosen.frametally.absolute(), chosen.clip.resolve(), data_dir, chosen.bodies)
        finally:
            shutil.rmtree(f"{data_dir}-pictures", ignore_errors=True)
    chosen.out.write_text(json.dumps(shorten(found) if chosen.short else found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
