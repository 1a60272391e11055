"""The findings of frametally and of its plug-ins: whatever is not right, with its remedy.

Every view filters the same findings: `status`, `doctor`, the page Health, the strip of a page, `/healthz`,
metrics, and alerts on failed checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from frametally.actions.problems import problem_of
from frametally.errors import FrametallyError
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.ports.opened import Ports
from frametally.process.limits import disk_bytes
from frametally.process.reports import Progress
from frametally.process.retrying import record_outages
from frametally.records import SealedRecord
from frametally.settings.fields import SecretStr, without_passwords
from frametally.settings.loading import Settings

_SECRET_NAME = re.compile(r"password|secret|token|credential|access_key", re.IGNORECASE)


Severity = Literal["good", "notice", "need", "behind", "broken", "away"]


class ExitCodes(NamedTuple):
    """The exit codes of `frametally status` and of `frametally doctor`, and the HTTP status of `/healthz`."""

    status: int
    doctor: int
    health: int = 200


SEVERITIES: dict[Severity, ExitCodes] = {
    "good": ExitCodes(0, 0),
    "notice": ExitCodes(0, 0),
    "need": ExitCodes(0, 2),
    "behind": ExitCodes(4, 0),
    "broken": ExitCodes(3, 2),
    "away": ExitCodes(2, 2, 503),
}
"""From good to bad. `notice`: you should know it, and nobody has to act; `need`: a person has to act;
`behind`: work is left; `broken`: frames are not accounted for; `away`: a server is needed, and not usable."""


class Finding(NamedTuple):
    """One thing that was checked.

    Attributes:
        area: What it belongs to: `settings`, `store`, `log`, `index`, `ledger`, `model`, `camera`, `job`, ...
        name: The thing in this area, such as a camera's name; may be empty.
        value: What was found; never a secret.
        note: Where the value comes from, or what it is needed for.
        remedy: What to do about it; empty if all is well.
        page: The page of the dashboard that helps; empty if none does.
        number: How many such things there are.
        severity: How bad it is; `None` means `need` with a remedy, and `good` without one.
        action: The text of the button that leads to the page, in English.
    """

    area: str
    name: str
    value: str
    note: str = ""
    remedy: str = ""
    page: str = ""
    number: int = 1
    severity: Severity | None = None
    action: str = "Show"

    @property
    def grade(self) -> Severity:
        """How bad it is."""
        return self.severity or ("need" if self.remedy else "good")

    @property
    def good(self) -> bool:
        """Whether no action is needed."""
        return not SEVERITIES[self.grade].doctor

    def as_json(self) -> dict[str, Any]:
        """Return its fields by name, with its severity, and whether no action is needed."""
        return self._asdict() | {"severity": self.grade, "good": self.good}

    @property
    def line(self) -> str:
        """The finding, and what to do about it or its note, as one line."""
        return self.in_words()

    def in_words(self, translate: Callable[[str], str] = str) -> str:
        """Return the finding, and what to do about it or its note, as one line in another language."""
        shown_on = f"see the page {self.page.partition('?')[0]}" if self.page and self.grade == "need" else ""
        value, advice = map(translate, (self.value, self.remedy or self.note or shown_on))
        return "; ".join(filter(None, (": ".join(filter(None, (self.name, value))), advice)))


class Glance(NamedTuple):
    """Looks for things that wait for people; each reading of the books does, so read little.

    Attributes:
        store: The open store.
        has_time: Whether a person waits for the answer, so that you may also yield findings that are good.
    """

    settings: Settings
    store: ObjectStore
    has_time: bool = False


class TrialLook(NamedTuple):
    """Tries the settings, parts and rights that a command needs, as `frametally doctor` does.

    Attributes:
        stage: The command; empty means all.
    """

    settings: Settings
    stage: str = ""


class DeepLook(NamedTuple):
    """Reads everything that is stored, and compares checksums, as `frametally doctor --deep` does."""

    ports: Ports
    progress: Progress


class ServingLook(NamedTuple):
    """Asks the servers that all answers of the dashboard need; `/healthz` does so each second, so ask little.

    Attributes:
        parts: What plug-ins have opened for the dashboard, by name.
    """

    parts: Mapping[str, Any]


Look = Glance | TrialLook | DeepLook | ServingLook


def ask(part: str, question: Callable[[], object]) -> Iterator[Finding]:
    """Yield why a part is not usable, in the words of every answer that needs it, if `question` fails."""
    try:
        record_outages(part, question)
    except FrametallyError as error:
        problem = problem_of(error)
        yield Finding("part", part, problem.detail, "", problem.remedy, severity="away")


def plugin_findings(look: Look) -> Iterator[Finding]:
    """Yield the findings of all plug-ins; a plug-in that cannot look is a finding itself."""
    for find in hooks("findings"):
        try:
            yield from find(look)
        except FrametallyError as error:
            plugin = find.__module__.partition(".")[0].removeprefix("frametally_")
            yield Finding("part", plugin, "cannot be checked", remedy=str(error))


def distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what is the same as an earlier finding, and parts that are unavailable for its reason."""
    earlier: set[object] = set()
    for finding in findings:
        if (finding.remedy if finding.area == "part" else finding) not in earlier:
            yield finding
        earlier |= {finding, finding.remedy}


def public_value(name: str, value: object) -> str:
    """Return a setting's value for display: only whether a secret is set, and URLs without passwords."""
    if isinstance(value, SecretStr) or _SECRET_NAME.search(name):
        return "(set)" if str(value or "") else ""
    return without_passwords("" if value is None else str(value))


class Leftover(NamedTuple):
    """A thing that nothing uses any more."""

    id: str
    line: str
    remove: Callable[[Progress], None]


class Leftovers(NamedTuple):
    """A plug-in's leftovers."""

    objects: list[ObjectInfo]
    objects_are: str
    things: Callable[[], list[Leftover]]
    things_are: str


class RecordFolder(NamedTuple):
    """A folder of small records that a plug-in keeps.

    Attributes:
        words: The users' name for its contents.
    """

    folder: str
    words: str
    type_of: Callable[[str], type[SealedRecord]]


def disk_row(settings: Settings) -> Finding:
    """Compare the free space of the data folder's disk with `min_free_disk_mb`."""
    disk, page = f"the disk of {settings.data_dir}", "/footage"
    try:
        free_mb = disk_bytes(settings.data_dir)[0] // 1_000_000
    except OSError as error:
        value = f"{disk}: {error.strerror or error}"
        return Finding("disk", "", value, "", "set FRAMETALLY_DATA_DIR", page)
    full = "free some space there, or set FRAMETALLY_DATA_DIR to a folder on another disk"
    least_mb = settings.min_free_disk_mb
    value = f"{disk}: {free_mb} MB free, {least_mb} MB needed"
    remedy = "" if free_mb >= least_mb else full
    return Finding("disk", "", value, "", remedy, page, action="Delete footage")
