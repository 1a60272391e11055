"""Lets assistants get counts, and see the frames behind them, by the Model Context Protocol."""
