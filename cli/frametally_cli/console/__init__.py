"""What the command line prints: bars, tables, one-line errors."""
