"""A scenario captured as an evidence log: datasets selected, measured on this machine or on a cluster, and cached."""
