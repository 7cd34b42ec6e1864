"""What the tabs and the API do with checkpoints: photos, drawings, batches. No module of it knows Gradio."""
