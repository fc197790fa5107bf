"""Measuring: predictions under every edit, the choice of λ, baselines, tables and surfaces."""
