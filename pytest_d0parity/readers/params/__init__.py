"""Parameters of a baseline run, read from a ``params.dill`` that nobody has to trust.

A dill file is a pickle: loading it the usual way runs whatever it says, and imports whatever it
names. Here its opcodes are walked by a small stack machine that knows a global only as a pair of
strings. A table of exact names has decoders of our own; everything else becomes a `Placeholder`.
"""
