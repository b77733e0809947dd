"""Trades: what was recorded of the live flow becomes bronze, from trades to minutes to days."""

from batch_layer.trades.build import TradesReport, build_trades
from batch_layer.trades.recompute import Recomputed, recompute

__all__ = ["Recomputed", "TradesReport", "build_trades", "recompute"]
