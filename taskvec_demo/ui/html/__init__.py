"""What the page shows, rendered: bars, tables, figures, sentences. Pure: no state, no events."""
