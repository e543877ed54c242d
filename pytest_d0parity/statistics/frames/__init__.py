"""What the frames of a stack tell, one by one: sums, extremes, fingerprints, and how much statistics scatter."""
