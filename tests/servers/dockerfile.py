"""The stack's Dockerfile, read: what each target installs, sets and starts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from compose_file import STACK


@dataclass
class Target:
    """One stage of the file.

    Attributes:
        base: The image or the stage that it begins with.
        run: Its RUN commands, as a shell takes them.
        environment: What ENV sets, also in the stages before it.
        command: Its CMD, or the one of the stage before it.
        user: `uid:gid`.
        health: The command of its HEALTHCHECK; empty if it has none.
        copies: `(stage or "", sources, target)` of each COPY.
    """

    base: str
    run: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    user: str = "0:0"
    health: list[str] = field(default_factory=list)
    copies: list[tuple[str, list[str], str]] = field(default_factory=list)


def targets() -> dict[str, Target]:
    """Every stage by its name."""
    text = (STACK / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages: dict[str, Target] = {}
    current = Target("")
    for line in re.sub(r"\\\n", "\n\0", "\n".join(lines)).replace("\n\0", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.split()
            before = stages.get(base, Target(""))
            current = Target(
                base, environment=dict(before.environment), command=before.command, user=before.user
            )
            stages[name] = current
        elif word == "RUN":
            current.run.append(re.sub(r"\s{2,}", " ", rest))
        elif word == "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", rest):
                path = current.environment.get("PATH", "/usr/local/bin:/usr/bin:/bin")
                current.environment[name] = value.replace("$PATH", path)
        elif word == "CMD":
            current.command = json.loads(rest)
        elif word == "HEALTHCHECK":
            current.health = json.loads(rest.partition("CMD ")[2])
        elif word == "USER":
            current.user = rest
        elif word == "COPY":
            words = [part for part in rest.split() if not part.startswith("--")]
            origin = next((part[7:] for part in rest.split() if part.startswith("--from=")), "")
            current.copies.append((origin, words[:-1], words[-1]))
    return stages
