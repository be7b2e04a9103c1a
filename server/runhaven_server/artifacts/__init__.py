"""Artifacts over HTTP: what a project has, what a version holds, its bytes, and how versions differ."""
