"""These modules translate photos, drawings and batches for the tabs and the API. None of them imports Gradio."""
