"""Distilling a speech and a music encoder with task arithmetic, after Ritter-Gutierrez et al. (2025, arXiv:2505.13270).

Two students of one initialisation learn what a speech teacher and a music teacher hear; the differences to the
initialisation are added with λ_speech + λ_music = 1. Frozen features of every sum are judged by probes.
"""
