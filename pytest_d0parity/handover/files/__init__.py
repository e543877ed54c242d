"""The files that were handed over: in a folder, a tar, or a compressed tar."""
