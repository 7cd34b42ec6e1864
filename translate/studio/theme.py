"""How the studio looks. Fonts are the system's and pictures are inline: the page asks no other host for anything."""

from __future__ import annotations

import gradio as gr

THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="zinc",
    radius_size="lg",
    font='system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
    font_mono='ui-monospace, "SF Mono", Menlo, Consolas, monospace',
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    block_border_color="*neutral_200",
    block_border_color_dark="*neutral_800",
    border_color_primary="*neutral_200",
    border_color_primary_dark="*neutral_800",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    # Square and with a visible edge: as round as the rest they would look like one choice of several.
    checkbox_border_radius="5px",
    checkbox_border_color="*neutral_400",
    checkbox_border_color_dark="*neutral_500",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
    button_primary_text_color="white",
    button_primary_text_color_dark="white",
)

ICON = (
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='9' fill='%234f46e5'/%3E"
    "%3Cpath d='M20 5 12 27' stroke='%23fff' stroke-width='2.5'/%3E%3Ccircle cx='9' cy='13' r='3.4' fill='%23fff'/%3E"
    "%3Cpath d='M20 16.5h8l-4 7.5z' fill='%23fff'/%3E%3C/svg%3E"
)

HEAD = f"""
<meta name="description" content="Turn one kind of picture into another.">
<link rel="icon" href="data:image/svg+xml,{ICON}">
"""
