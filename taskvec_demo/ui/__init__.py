"""The page: the only importer of gradio."""
