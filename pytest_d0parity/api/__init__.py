"""What scripts and notebooks call: logs read, compared and verified, and folders looked at."""
