"""The local server: a typed API over a store, and the built dashboard."""
