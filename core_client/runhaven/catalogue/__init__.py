"""A derived index over the runs of a store: what lists, filters and sorts thousands of them at once."""
