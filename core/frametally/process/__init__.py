"""Helps a process survive faults, with patience, time limits, periods and reports.

Standard library only, because the job's zip includes this folder.
"""
