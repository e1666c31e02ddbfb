"""How good predictions are, and whether two methods differ."""
