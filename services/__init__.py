"""One package per bounded context. No service imports another; they know each other by events."""
