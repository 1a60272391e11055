"""Erases what was filmed in a range of time, and shows what is kept where, for how long, and for whom."""
