"""Benchmarks of Kei, of peers and of limits of the machine in the same run. No test depends on a figure."""
