"""What a person reads: a report as one message for each kind of channel. Pure."""
