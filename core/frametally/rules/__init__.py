"""The rules that decide a number, each in one place.

Standard library only: the job's zip carries this folder.
"""
