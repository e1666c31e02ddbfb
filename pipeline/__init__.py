"""abignet: learned patch graphs for histopathology, as rooms over a foundation.

The foundation is ``slides``, ``artefacts`` and the modules beside them.  The rooms ``tiling``,
``nuclei``, ``cellgraph``, ``training``, ``report``, ``exports`` and ``synthetic`` import only
the foundation and meet through files.  ``cli`` and the ``Snakefile`` are the two doorways.
"""

__version__ = "0.1.0"
