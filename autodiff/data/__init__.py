"""Data sets, the order in which they are gone through, and loading them in batches."""
