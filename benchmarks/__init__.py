"""How fast, how large, against what: `python -m benchmarks`. Results of the last run: docs/performance.md."""
