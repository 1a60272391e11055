"""The layers of a video: bronze as uploaded, silver checked and described, gold as tables to query.

Each is a module of plain functions, whose parameters are named after the function or input that supplies
them. Hamilton arranges them (`driver`). They do not import it, so that workers can call them without it.
"""
