"""Links: one interface, two backends (kernel queueing disciplines, userspace link daemon)."""
