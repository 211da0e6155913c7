"""Fixtures that every test may ask for; each starts what it needs when it is asked."""

from house import phone, source
from real_postgres import postgres_server, postgres_url
from real_prometheus import past, prometheus, story, written

__all__ = ["past", "phone", "postgres_server", "postgres_url", "prometheus", "source", "story", "written"]
