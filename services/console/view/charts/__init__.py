"""Charts as numbers in percent of the width; templates draw them as SVG, next to a table that says the same."""
