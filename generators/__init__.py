"""Traffic: its history, the generative models that learn from it, and its replay with iperf."""
