"""Putting Kei to work: the embedded mode, migrations, topics and the command line."""
