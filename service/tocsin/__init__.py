"""tocsin: an Alertmanager webhook receiver that turns egress alerts into decisions."""

__version__ = "0.1.0"
