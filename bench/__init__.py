"""What is measured, each beside its peer or the limit of the machine, in the same run. No figure gates a test."""
