"""Classifiers of others behind one adapter: models of bags from torchmil, an optional package, as ours are used."""
