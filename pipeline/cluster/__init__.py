"""SLURM: what its queue holds, how jobs of a run are named in it, and the executor that outlives its controller."""
