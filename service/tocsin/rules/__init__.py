"""The detection rules: rendered from the configuration, for a PrometheusRule or a plain rule file."""
