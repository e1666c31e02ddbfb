"""What the arrangement of the nuclei of a patch is, in numbers."""
