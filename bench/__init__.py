"""Benchmarks of Kei beside peers and limits of the machine, in the same run. No figure gates a test."""
