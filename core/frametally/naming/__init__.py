"""Names that people type: which there are, and what is said of one that there is not."""
