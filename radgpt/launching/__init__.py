"""One process or many, here, on several machines or under Slurm."""
