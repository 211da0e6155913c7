"""The same story where Prometheus and Alertmanager cannot be had."""
