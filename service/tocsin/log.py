"""One JSON object a line on standard error; a value never starts a line of its own."""

import logging
import sys

import structlog


def configure(level: str = "info") -> None:
    """Sets the process's logging up once. `level` is a name of the standard library's logging."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)
    logging.captureWarnings(True)


class _Forward(logging.Handler):
    """Hands what libraries log to structlog, so that every line has the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a library whose format does not fit its arguments
            text = str(record.msg)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # structlog knows no level between the usual ones
        structlog.get_logger().log(level, text, logger=record.name, exc_info=record.exc_info)
