"""Lines, zones and movements over paths of foot points: whole numbers in, whole numbers out.

Places are whole tenths of a pixel, times whole milliseconds, and everything between is integers and fractions
of integers: the same on every engine. Standard library only.
"""
