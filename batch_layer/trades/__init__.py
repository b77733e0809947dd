"""Trades: what was recorded of the live flow becomes bronze, from trades to minutes to days."""

from batch_layer.trades.build import TradesReport, build_trades

__all__ = ["TradesReport", "build_trades"]
