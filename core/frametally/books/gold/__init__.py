"""The gold tables' books: what goes into them, and whether they say what the count index says."""
