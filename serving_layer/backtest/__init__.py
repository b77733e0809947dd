"""Backtests: many symbols' bars and indicators, and the matrix of what was final when."""
