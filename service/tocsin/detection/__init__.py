"""Whether detection can work: what `tocsin check` asks Prometheus, and what it says of the answers.

docs/hubble.md has the settings themselves and why they are needed.
"""
