"""Hides parts of pictures before they are stored, erases what was filmed, and shows what is kept."""
