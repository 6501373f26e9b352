"""What things cost, measured against references that are written here: `python -m benchmarks`, `make bench`."""
