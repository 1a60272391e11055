"""The layers of a video: bronze as uploaded, silver checked and described, gold as tables to query.

Each is a module of plain functions; a parameter's name is that of a function's result or of an input.
Hamilton arranges them (`driver`); they do not import it, so that workers call the same functions without it.
"""
