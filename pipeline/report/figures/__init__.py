"""Charts and pictures in one style."""
