"""Checksums of a report's files, for the tests of seals."""

from frametally_alerts.reports.due_reports import ReportChecksums

RECORDS = [ReportChecksums(report="daily", day="2026-05-01", files={"chart.png": "cd" * 32})]
OWN_CHECKS = (ReportChecksums,)
