"""Runs sealed into Parquet: written once from their journals, open to any tool, read page by page."""
