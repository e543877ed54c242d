"""Exact order statistics of streams: in one pass where the percentiles can be predicted, else in more."""
