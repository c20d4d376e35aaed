"""Public libraries under the storm, unmodified: one module each, with adapters, loads and what is expected."""
