"""One page about all benchmarks: `python -m benchmarks report`.

`records` runs the subcommands or reads what they wrote as JSON, `comparisons` finds where a peer is
ahead, `page` puts tables and pictures in order, `markdown` and `html` write them, `readme` makes
the table of the README.
"""
