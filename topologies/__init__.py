"""Networks as data: the model, the YAML schema, importers, and the mathematics of paths on them."""
