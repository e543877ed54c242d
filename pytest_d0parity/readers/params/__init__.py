"""Parameters of a baseline run, read from a ``params.dill`` without executing it.

A dill file is a pickle, which can import and call anything when it is loaded. Here a small stack
machine interprets the opcodes instead, and treats a global as no more than two strings. For a fixed
list of names there are decoders of our own; everything else becomes a `Placeholder`.
"""
