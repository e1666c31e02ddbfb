"""Panels: one page a slide that shows its tissue, its learned graphs and what spoke for its prediction."""
