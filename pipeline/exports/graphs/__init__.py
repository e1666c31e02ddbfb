"""Inner room: the artefacts of a slide as graphs of PyTorch Geometric."""
