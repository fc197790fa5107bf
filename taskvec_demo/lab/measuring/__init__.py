"""Predictions under every edit, the choice of λ, baselines, tables, surfaces."""
