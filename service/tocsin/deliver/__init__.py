"""Channels: each takes a rendered message to one provider and says what became of it."""
