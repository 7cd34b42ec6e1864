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
    body_text_color_subdued="*neutral_500",
    body_text_color_subdued_dark="*neutral_400",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_500",
    button_primary_background_fill_hover_dark="*primary_400",
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

CSS = """
.gradio-container { width: 100%; max-width: min(1240px, 100vw) !important; margin: 0 auto !important;
  padding: 0 20px 24px !important; }
.gradio-container .main { min-width: 0; padding: 0; }
.gradio-container .html-container { padding: 0; }
.gradio-container .tabitem { padding: 4px 0 0; }

/* The head of the page */
.masthead { display: flex; align-items: center; gap: 12px; padding: 14px 0 0; }
.masthead svg { width: 36px; height: 36px; flex: none; color: var(--primary-600); }
.dark .masthead svg { color: var(--primary-500); }
.masthead b { display: block; font-size: 1.3rem; letter-spacing: -.02em; line-height: 1.15; }
.masthead span { color: var(--body-text-color-subdued); font-size: .92rem; }

/* Checkpoints to choose from: one row that scrolls by itself, so that the page never does sideways */
.cards { display: flex; gap: 12px; margin: 0 -4px; padding: 6px 4px 10px;
  overflow-x: auto; scroll-snap-type: x proximity; scroll-padding: 4px; scrollbar-width: thin; }
.card { position: relative; flex: none; width: 188px; cursor: pointer; scroll-snap-align: start; }
.card input { position: absolute; inset: 0; opacity: 0; }
.card .face { display: block; overflow: hidden; border-radius: 14px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); transition: box-shadow .15s, transform .15s; }
.card:hover .face { transform: translateY(-2px);
  box-shadow: 0 0 0 1px var(--border-color-primary), 0 6px 16px rgb(0 0 0 / .1); }
.card input:checked + .face { box-shadow: 0 0 0 3px var(--primary-500); }
.card input:focus-visible + .face { outline: 3px solid var(--primary-300); outline-offset: 3px; }
.card .words { display: block; padding: 8px 12px 10px; }
.card .title, .card .ends { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .title { font-weight: 650; font-size: .94rem; line-height: 1.3; color: var(--body-text-color); }
.card .ends { font-size: .82rem; line-height: 1.35; color: var(--body-text-color-subdued); }
.card .origin { position: absolute; z-index: 1; top: 8px; left: 8px; padding: 2px 8px; border-radius: 99px;
  font-size: .68rem; font-weight: 600; color: #fff; background: rgb(0 0 0 / .5); }
.thumb { position: relative; display: block; height: 92px; overflow: hidden; }
.thumb i { position: absolute; inset: 0; background-size: cover; background-position: center; }
.thumb i + i { clip-path: polygon(57% 0, 100% 0, 100% 100%, 43% 100%); }
.thumb u { position: absolute; inset: 0; background: #fff;
  clip-path: polygon(56.3% 0, 57.7% 0, 43.7% 100%, 42.3% 100%); }
.thumb em { position: absolute; top: 56%; left: 25%; transform: translate(-50%, -50%); font-style: normal;
  font-weight: 700; font-size: 1.8rem; color: rgb(255 255 255 / .92); }
.thumb em + em { left: 75%; }
.card.waiting { pointer-events: none; }
.card.waiting .face { height: 150px; animation: waiting 1.4s linear infinite; background:
  linear-gradient(100deg, var(--neutral-100) 40%, var(--neutral-200) 50%, var(--neutral-100) 60%) 0 0 / 200% 100%; }
.dark .card.waiting .face { background-image:
  linear-gradient(100deg, var(--neutral-900) 40%, var(--neutral-800) 50%, var(--neutral-900) 60%); }
@keyframes waiting { to { background-position: -200% 0; } }
.about { margin: -6px 0 0; color: var(--body-text-color-subdued); font-size: .9rem; }

/* Direction: two halves of one switch */
#direction { padding: 0; border: 0; background: none; box-shadow: none; }
#direction .wrap { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; gap: 4px; padding: 4px;
  border-radius: 12px; background: var(--neutral-200); }
.dark #direction .wrap { background: var(--neutral-800); }
#direction label { justify-content: center; padding: 8px 10px; border: 0; border-radius: 9px; background: none;
  box-shadow: none; font-weight: 550; line-height: 1.25; text-align: center; color: var(--body-text-color-subdued); }
#direction label.selected { background: var(--block-background-fill); color: var(--body-text-color);
  box-shadow: 0 1px 3px rgb(0 0 0 / .15); }
.dark #direction label.selected { background: var(--neutral-600); }
#direction label:focus-within { outline: 2px solid var(--primary-400); }
#direction input { position: absolute; opacity: 0; }
#direction span { margin: 0; }

/* Photo and result */
#photo, #result { border-radius: 18px; overflow: hidden; }
#photo { border-width: 2px; }
#photo .source-selection { gap: 18px; }
#photo .source-selection .icon { width: 24px; height: 24px; }
#bench { --stage: var(--neutral-100); }
.dark #bench { --stage: var(--neutral-900); }
.empty, #result, #result .content, #result img { background: var(--stage) !important; }
#result::before, #result::after { position: absolute; z-index: 30; bottom: 14px; padding: 3px 11px; border-radius: 99px;
  font-size: .78rem; font-weight: 600; color: #fff; background: rgb(0 0 0 / .5); pointer-events: none; }
#result::before { content: "before"; left: 14px; }
#result::after { content: "after"; right: 14px; }
#result:has(> .wrap:not(.hide))::before, #result:has(> .wrap:not(.hide))::after { display: none; }
#bench .block:has(> .wrap:not(.hide)) .empty > * { visibility: hidden; }
#bench .wrap.full { height: 100%; justify-content: center; }
#bench .progress-text { position: absolute; inset: calc(50% + 40px) 0 auto; justify-content: center; padding: 0;
  text-align: center; font-family: var(--font); color: var(--body-text-color-subdued); }
.empty { display: grid; place-content: center; justify-items: center; gap: 6px; min-height: 460px; padding: 24px;
  text-align: center; color: var(--body-text-color-subdued); border-radius: 18px; }
.empty svg { width: 60px; height: 60px; opacity: .45; }
.empty b { font-size: 1.15rem; font-weight: 650; color: var(--body-text-color); }
.empty p { max-width: 44ch; margin: 0; }
.empty.problem svg { color: #d97706; opacity: 1; }
.empty.problem p { color: var(--body-text-color); }
#outcome { align-items: center; justify-content: space-between; gap: 12px; }
#outcome .block { flex: 1; }
#keep { flex: none; padding-inline: 28px; }
.note { margin: 0; color: var(--body-text-color-subdued); font-size: .92rem; }

/* Examples */
.examples { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; font-size: .88rem;
  color: var(--body-text-color-subdued); }
.examples button { width: 60px; height: 60px; border-radius: 12px; cursor: pointer;
  background-size: cover; background-position: center; }
.examples button:hover, .examples button:focus-visible { outline: 3px solid var(--primary-500); }

footer .divider { display: none !important; }

/* Nothing to translate with yet */
.welcome { max-width: 640px; margin: 24px auto; padding: 32px; border-radius: 20px; line-height: 1.55;
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.welcome h2 { margin: 0 0 8px; font-size: 1.4rem; font-weight: 700; line-height: 1.25; }
.welcome p { margin: 16px 0 6px; }
.welcome code { display: block; padding: 11px 14px; border-radius: 10px; white-space: pre-wrap;
  background: var(--neutral-100); font-family: var(--font-mono); font-size: .9rem; }
.dark .welcome code { background: var(--neutral-800); }

@media (max-width: 767px) {
  .gradio-container { padding: 0 14px 20px !important; }
  .masthead { padding-top: 12px; }
  .card { width: 158px; }
  .thumb { height: 80px; }
  .empty { min-height: 220px; }
  #photo { height: 260px !important; }
}
"""
