"""Every byte from outside enters here and nowhere else."""
