"""Adapters that put Runhaven into the trainer you already have."""
