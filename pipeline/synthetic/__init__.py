"""Slides and cohorts with known truth, made from a seed: for the demo, the tests and the training of nuclei."""
