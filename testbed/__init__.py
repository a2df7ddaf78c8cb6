"""The emulated physical network: sandbox, links, Mininet build, hosts and probes."""
