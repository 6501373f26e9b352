"""One module for each row of the table: `row_NN_name.py`, with `async def measure(bench: Bench) -> Verdict`."""
