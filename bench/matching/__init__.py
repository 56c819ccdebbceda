"""What the matching engine does, beside its peers."""
