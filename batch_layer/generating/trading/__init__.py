"""Made-up trades: a day of them that makes given daily bars, and the tape that tells of it."""

from batch_layer.generating.trading.bars import made_up_bars
from batch_layer.generating.trading.recording import note_whole, record
from batch_layer.generating.trading.tape import messy
from batch_layer.generating.trading.trades import trades_of

__all__ = ["made_up_bars", "messy", "note_whole", "record", "trades_of"]
