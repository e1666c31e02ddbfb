"""Images as nodes, patients as folds: what is trained on, scaled and seeded."""
