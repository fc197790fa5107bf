"""What the server renders for the page: bars, tables, figures and sentences.

Pure functions, without state or events.
"""
