"""Which nuclei are joined: edges of every kind, over tiles in compressed rows."""
