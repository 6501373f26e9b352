"""Logs and metrics: dotted event names with key-value fields, never bodies, names, e-mails or secrets."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram

deliveries = Counter("quotebridge_deliveries_total", "Webhook deliveries by answer", ["source", "answer"])
accept_seconds = Histogram(
    "quotebridge_accept_seconds",
    "From the verified body to the committed row",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
runs = Counter("quotebridge_runs_total", "Runs by outcome", ["outcome"])
run_seconds = Histogram(
    "quotebridge_run_seconds", "Duration of a run", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)
event_to_bms_seconds = Histogram(
    "quotebridge_event_to_bms_seconds", "From the event to its settled run", buckets=(0.5, 1, 2.5, 5, 15, 60, 300, 3600)
)
kaseya_calls = Counter("quotebridge_kaseya_calls_total", "HTTP tries to BMS", ["endpoint", "outcome"])
loop_errors = Counter(
    "quotebridge_loop_errors_total", "Times that a loop of the worker failed and was resumed", ["loop"]
)
lanes = Gauge("quotebridge_quotes", "Quotes by state", ["state"])
events = Gauge("quotebridge_events", "Stored events by disposition; their sum is all events", ["disposition"])
open_issues = Gauge("quotebridge_open_issues", "Issues that wait for a person")


def configure_logging(level: str) -> None:
    """Write one line per event to standard error: coloured for a person at a terminal, JSON otherwise."""
    pretty = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Tracebacks without local variables, which may hold secrets.
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that names the part of the house that speaks."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return bound
