"""The layers of a video: bronze as it came, silver checked and described, gold as tables that people query.

Each is a module of plain functions: a parameter's name says which function's result, or which input, it is.
Hamilton arranges them (`driver`); none of them imports it, so that workers call the same without it.
"""
