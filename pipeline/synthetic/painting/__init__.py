"""How tissue is painted: textures, nuclei, where they lie, and the pyramid they end up in."""
