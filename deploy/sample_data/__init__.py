"""A consortium in a file: read it, load it through the public APIs, and say what became of every event."""
