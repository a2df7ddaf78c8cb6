"""Measurements against targets, each a `twinbed bench NAME`.

A benchmark's module offers a docstring (its help), `add_arguments(parser)` and
`run(arguments, step)`, which returns a `Report` and tells `step` what it is doing.
"""
