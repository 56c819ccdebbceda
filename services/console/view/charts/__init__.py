"""Charts as coordinates in percent of the width; templates draw them as SVG next to a table with the same data."""
