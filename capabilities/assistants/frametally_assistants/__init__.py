"""Assistants ask frametally for counts, and see the frames behind them, by the Model Context Protocol."""
