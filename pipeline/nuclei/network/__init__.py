"""The network that finds nuclei: its weights, its inference on several runtimes, and its flows."""
