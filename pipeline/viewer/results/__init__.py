"""What lies in a results folder, found by its names."""
