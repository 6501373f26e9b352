"""What the demo, the tests and the benchmarks need on a machine that has only Python: a PostgreSQL of their own."""
