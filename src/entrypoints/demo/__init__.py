"""`tradingcore demo`: the whole platform on one machine, with everything started, watched and stopped as its children."""
