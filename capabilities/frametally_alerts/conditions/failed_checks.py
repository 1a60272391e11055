"""Checks rules on recorded results: failed checks of counted days, and ended jobs of videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frametally import keys
from frametally.books.quality_reports import read_reports
from frametally.files.names import one_line
from frametally.rules.places import base_model, in_words
from frametally.rules.times import DAY_MS
from frametally_alerts.conditions.round_input import Looked, RoundPorts
from frametally_alerts.rules import AlertFinding, AlertRule, Scope
from frametally_videos.catalogue.catalogue_rows import JobQuestion, JobState

_PAGE, _MOST_JOBS = 200, 2000
_AGAIN = "again"
"""The mark of a day with findings; no run has this id."""


def look_at_checks(rule: AlertRule, ports: RoundPorts, marks: Mapping[str, str]) -> Iterator[Looked]:
    """Yield the failed checks and damaged reports of days that were recounted, or had some in the last round.

    A damaged report is reported whichever checks the rule is about: each of them may have failed.
    """
    by_day: dict[int, list[AlertFinding]] = {}
    now: dict[int, str] = {}
    runs = [
        run
        for run in ports.index.current_runs()
        if keys.day_start_ms(run.day) + DAY_MS > rule.since_ms and rule.model in ("", base_model(run.model))
    ]
    for run in runs:
        day_ms = keys.day_start_ms(run.day)
        now[day_ms] = f"{now.get(day_ms, '')} {run.run_id}".strip()
    changed_days = {
        day_ms for day_ms in now.keys() | map(int, marks) if marks.get(str(day_ms)) != now.get(day_ms)
    }
    for run in runs:
        day_ms = keys.day_start_ms(run.day)
        if day_ms not in changed_days:
            continue
        reports, findings = read_reports(ports.store, [run])
        for report in reports:
            names = rule.labels or [check.name for check in report.failed]
            findings += [finding for finding in report.findings if finding.name in names]
        for finding in findings:
            more = one_line(finding.note or finding.line, None)
            by_day.setdefault(day_ms, []).append(
                AlertFinding(
                    "",
                    finding.name or "report",
                    day_ms,
                    day_ms + DAY_MS,
                    finding.number,
                    f"{in_words(run.model)}, {run.interval_s} s: {more}",
                    f"{run.model} {run.interval_s}",
                )
            )
    for day_ms in sorted(changed_days):
        # A report may be restored or renewed without another run, so its findings are looked for again.
        mark = {str(day_ms): _AGAIN if day_ms in by_day else now.get(day_ms)}
        yield Looked(by_day.get(day_ms, []), Scope(day_ms, day_ms + 1), mark)


def look_at_work(rule: AlertRule, ports: RoundPorts) -> Iterator[Looked]:
    """Yield the newest failed or finished jobs; a later retry does not withdraw them."""
    state: JobState = "failed" if rule.what == "work_failed" else "done"
    findings: list[AlertFinding] = []
    before = 0
    for _ in range(0, _MOST_JOBS, _PAGE):
        page = ports.catalogue.find_jobs(JobQuestion(states=(state,), limit=_PAGE, before=before))
        for job in page.jobs:
            if (job.ended_at_ms or 0) < rule.since_ms or (rule.labels and job.kind not in rule.labels):
                continue
            row = ports.catalogue.video(job.video_id)
            if row is None or (rule.sources and row.record.source not in rule.sources):
                continue
            reason = f": {one_line(job.reason, None)}" if job.reason else ""
            findings.append(
                AlertFinding(
                    row.record.source,
                    job.kind,
                    job.ended_at_ms or 0,
                    None,
                    None,
                    f"{one_line(row.record.name)}{reason}",
                    f"{job.id} {job.generation}",
                )
            )
        before = page.next
        if not before:
            break
    yield Looked(findings)
