"""The digital twin: mirrors the network, forecasts, evaluates what-ifs, decides, and learns."""
