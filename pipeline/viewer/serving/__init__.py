"""The server: what is asked for by which address, and who may ask."""
