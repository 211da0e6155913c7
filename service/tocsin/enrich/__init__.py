"""Lookups that explain an alert; each fails into a visible gap, never into silence."""
