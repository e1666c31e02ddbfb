"""How the network is trained and scored; no rule reaches it."""
