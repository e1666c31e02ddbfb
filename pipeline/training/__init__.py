"""Room ``training``: splits, scaler, graph generators, classifiers, bilevel loop, baselines, metrics.

Nothing is imported here, so that the config can be checked without torch.
"""
