"""Helps a process survive faults: patience, time limits, periods, reports.

Standard library only: the job's zip carries this folder.
"""
