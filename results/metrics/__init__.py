"""What a run is judged by, one concept a file: pure functions on what was recorded.

A metric whose records are missing is None and left out of a summary; it is never zero.
"""
