"""The tab "Studies": studies of other papers, each with a view of its own.

A study is shown where its artifacts are shipped. `host.py` has the list; a new study adds one entry to it.
"""
