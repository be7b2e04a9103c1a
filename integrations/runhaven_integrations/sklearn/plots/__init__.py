"""The plots, with W&B's names and arguments: each draws one chart, logs it with its data, and returns it.

What cannot be drawn is said once and returns None; with `strict`, it is raised.
"""
