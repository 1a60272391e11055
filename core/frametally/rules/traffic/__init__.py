"""What engineers make of a day's flows: movements by quarter-hour and class. Standard library only."""
