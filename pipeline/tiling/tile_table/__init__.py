"""From an open slide to its tile table and overview picture, whatever made the tiles."""
