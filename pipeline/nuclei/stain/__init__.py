"""Stain: from H&E colours to the channels that networks see, and to a reference staining."""
