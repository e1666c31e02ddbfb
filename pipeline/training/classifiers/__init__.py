"""From nodes and their graph to the class of an image."""
