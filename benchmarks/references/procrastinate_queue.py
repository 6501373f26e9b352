"""No-op jobs through procrastinate, as its documentation has it for throughput: one worker that runs many at once."""

import time

from procrastinate import App, PsycopgConnector

CONCURRENCY = 50


async def drain(dsn: str, count: int) -> float:
    """Install it on a fresh database, defer so many jobs, and let a worker do them; returns jobs a second."""
    app = App(connector=PsycopgConnector(conninfo=dsn, max_size=10))

    @app.task
    async def nothing() -> None:
        """Do nothing."""

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({} for _ in range(count)))
        started = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=CONCURRENCY, install_signal_handlers=False)
        return count / (time.perf_counter() - started)
