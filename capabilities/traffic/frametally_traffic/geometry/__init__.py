"""Lines, zones and metres over paths of foot points: whole numbers in, whole numbers out."""
