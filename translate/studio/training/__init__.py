"""From somebody's pictures to the settings of a training. No module of it knows Gradio."""
