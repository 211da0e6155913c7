"""What tocsin answers over HTTP."""
