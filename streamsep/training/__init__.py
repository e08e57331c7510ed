"""Training a network on songs with known stems."""
