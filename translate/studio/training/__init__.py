"""These modules lead from somebody's pictures to the settings of a training. None of them imports Gradio."""
