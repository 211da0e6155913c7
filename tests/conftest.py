"""Fixtures that every test may ask for; each starts what it needs when it is asked."""

from real_postgres import postgres_server, postgres_url
from real_prometheus import past, prometheus, story, written

__all__ = ["past", "postgres_server", "postgres_url", "prometheus", "story", "written"]
