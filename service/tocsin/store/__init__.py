"""Every SQL statement of tocsin, and the engine that runs them."""
