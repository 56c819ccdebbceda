"""The matching engine, compared with other solvers."""
