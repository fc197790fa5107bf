"""Recordings of others: files to mono windows, labelled sets in the layouts that their publishers chose."""
