"""What a process needs to live through faults: patience, time limits, periods, reports.

Standard library only: the job's zip carries this folder.
"""
