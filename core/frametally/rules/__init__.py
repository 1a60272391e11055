"""Defines each rule that decides a number in one place.

Standard library only, because the job's zip includes this folder.
"""
