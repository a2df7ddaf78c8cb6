"""Experiments as data: the playbook schema, the timeline, and the runner."""
