"""Measures links against what was configured: no switches, no controller, nothing between.

Each measure runs in a sandbox of its own. Its parameters, how it is carried out and its result
stand in one file: `delay`, `rate`, `queueing`, `loss`, `capacity`, `start`. `measuring` runs them
from outside; `targets` says what the results must reach.
"""
