"""The page for people who look: one HTML file that needs nothing else."""
