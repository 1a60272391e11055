"""Actions: what a person or a program can do, each declared once for all hosts."""
