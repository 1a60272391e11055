"""Scheduled reports as files: a picture of the chart, a table, a workbook, and what they come to."""
