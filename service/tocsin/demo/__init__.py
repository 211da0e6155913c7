"""The demonstration: a small simulated cluster, watched by a real Prometheus."""
