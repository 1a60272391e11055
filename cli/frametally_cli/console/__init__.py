"""Output of the command line: bars, tables, one-line errors."""
