"""The `runhaven` command."""
