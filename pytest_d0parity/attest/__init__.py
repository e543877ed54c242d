"""What a log attests: statements, signatures, and attestations that were handed over."""
