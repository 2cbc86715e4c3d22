"""The matrix of faults and phases."""
