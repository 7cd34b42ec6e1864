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
  font-size: .68rem; font-weight: 600; color: #fff; background: rgb(0 0 0 / .66); }
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

/* Directions and other choices of few: the halves of one switch */
:is(#direction, .switch) { padding: 0; border: 0; background: none; box-shadow: none; }
:is(#direction, .switch) .wrap { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; gap: 4px; padding: 4px;
  border-radius: 12px; background: var(--neutral-200); }
.dark :is(#direction, .switch) .wrap { background: var(--neutral-800); }
:is(#direction, .switch) label { justify-content: center; padding: 8px 10px; border: 0; border-radius: 9px;
  background: none; box-shadow: none; font-weight: 550; line-height: 1.25; text-align: center;
  color: var(--body-text-color-subdued); }
:is(#direction, .switch) label.selected { background: var(--block-background-fill); color: var(--body-text-color);
  box-shadow: 0 1px 3px rgb(0 0 0 / .15); }
.dark :is(#direction, .switch) label.selected { background: var(--neutral-600); }
:is(#direction, .switch) label:focus-within { outline: 2px solid var(--primary-400); }
:is(#direction, .switch) input { position: absolute; opacity: 0; }
:is(#direction, .switch) span { margin: 0; }

/* Photo and result */
#photo, #result { border-radius: 18px; overflow: hidden; }
#photo { border-width: 2px; }
#photo .source-selection { gap: 18px; }
#photo .source-selection .icon { width: 24px; height: 24px; }
#bench, .bench, #run-list { --stage: var(--neutral-100); }
.dark :is(#bench, .bench, #run-list) { --stage: var(--neutral-900); }
.empty, #result, #result .content, #result img { background: var(--stage) !important; }
:is(#result, #back)::before, :is(#result, #back)::after { position: absolute; z-index: 30; bottom: 14px;
  padding: 3px 11px; border-radius: 99px;
  font-size: .78rem; font-weight: 600; color: #fff; background: rgb(0 0 0 / .66); pointer-events: none; }
:is(#result, #back)::before { content: "before"; left: 14px; }
:is(#result, #back)::after { content: "after"; right: 14px; }
#back::before { content: "photo"; }
#back::after { content: "there and back"; }
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
  background-size: cover; background-position: center; box-shadow: 0 0 0 1px var(--border-color-primary); }
.examples button:hover, .examples button:focus-visible { outline: 3px solid var(--primary-500); }

/* Strength, size, round trip: extras that stay folded away */
#result img.fixed { opacity: var(--strength, 1); }
#more { padding: 0; border: 0; background: none; box-shadow: none; }
#more > button { gap: 8px; width: auto; padding: 6px 0; color: var(--body-text-color-subdued); font-weight: 550; }
#more > button:hover { color: var(--body-text-color); }
#back { border-radius: 18px; overflow: hidden; }
#back, #back .content, #back img { background: var(--stage) !important; }

/* Draw */
.pad { display: grid; gap: 12px; }
.pad canvas { width: 100%; aspect-ratio: 1; border-radius: 14px; touch-action: none; cursor: crosshair;
  image-rendering: pixelated; box-shadow: 0 0 0 1px var(--border-color-primary); }
.pad .paper { position: relative; display: grid; }
.pad .paper:has(canvas:focus-visible)::after { content: ""; position: absolute; width: 17px; height: 17px;
  left: var(--cross-x, 50%); top: var(--cross-y, 50%); translate: -50% -50%; border: 2px solid #fff;
  border-radius: 99px; outline: 2px solid #000; pointer-events: none; }
.pad canvas:focus-visible { outline: 3px solid var(--primary-400); outline-offset: 2px; }
.pad .tools { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; font-size: .9rem; }
.pad .tools button { padding: 6px 13px; border-radius: 99px; font-weight: 550; color: var(--body-text-color);
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.pad .tools button:hover:not(:disabled) { box-shadow: 0 0 0 2px var(--primary-400); }
.pad .tools button:disabled { opacity: .45; }
.pad .tools button[aria-pressed=true] { color: #fff; background: var(--primary-600); }
.pad .tools label { display: flex; gap: 8px; align-items: center; color: var(--body-text-color-subdued); }
.pad .tools input { width: 90px; accent-color: var(--primary-600); }
.pad .gap { flex: 1; }
.pad .colours { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; padding: 0; border: 0; }
.pad .colours label { position: relative; display: flex; gap: 7px; align-items: center; padding: 4px 12px 4px 5px;
  border-radius: 99px; font-size: .88rem; cursor: pointer; color: var(--body-text-color);
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.pad .colours label:has(:checked) { box-shadow: 0 0 0 2.5px var(--primary-500); font-weight: 600; }
.pad .colours label:has(:focus-visible) { outline: 3px solid var(--primary-300); outline-offset: 2px; }
.pad .colours input { position: absolute; opacity: 0; }
.pad .colours i { width: 22px; height: 22px; border-radius: 99px; box-shadow: inset 0 0 0 1px rgb(128 128 128 / .5); }
.sr-only, .pad .colours legend { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
#drawn { border-radius: 14px; overflow: hidden; aspect-ratio: 1; }
#drawn img { width: 100%; height: 100%; object-fit: contain; }
.outcome { align-items: center; gap: 12px; }

/* Batch, Live, Video */
.progress { display: grid; gap: 8px; padding: 18px 0; color: var(--body-text-color-subdued); }
.progress progress { appearance: none; width: 100%; height: 8px; border: 0; border-radius: 99px; overflow: hidden;
  color: var(--primary-600); background: var(--border-color-primary); }
.progress progress::-webkit-progress-bar { background: var(--border-color-primary); }
.progress progress::-webkit-progress-value { background: var(--primary-600); border-radius: 99px; }
.progress progress::-moz-progress-bar { background: var(--primary-600); }
.progress progress:indeterminate { animation: waiting 1.4s linear infinite; background:
  linear-gradient(100deg, transparent 40%, var(--primary-500) 50%, transparent 60%) 0 0 / 200% 100%; }
.progress progress:indeterminate::-webkit-progress-bar { background: none; }
.bench .generating { border: 0; }

/* API */
.docs { max-width: 860px; line-height: 1.55; color: var(--body-text-color); }
.docs h2 { margin: 8px 0; font-size: 1.4rem; font-weight: 700; }
.docs h3 { margin: 22px 0 4px; font-size: 1.05rem; font-weight: 650; }
.docs p, .docs dd { margin: 4px 0; }
.docs dt { margin-top: 10px; font-weight: 600; }
.docs code { font-family: var(--font-mono); font-size: .88em; }
.docs pre { margin: 8px 0; padding: 16px 18px; border-radius: 14px; overflow-x: auto; line-height: 1.5;
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.left-out { padding: 14px 18px; border-radius: 14px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); color: var(--body-text-color); }
.left-out ul { margin: 6px 0 0; padding-left: 20px; list-style: disc; }
.live { position: relative; overflow: hidden; width: min(100%, 62vh * 4 / 3); aspect-ratio: 4 / 3; margin: 0 auto;
  border-radius: 18px; background: var(--stage); }
.live img, .live video { display: block; width: 100%; height: 100%; object-fit: contain; }
.live video { position: absolute; right: 14px; bottom: 14px; width: 24%; height: auto; border-radius: 10px;
  box-shadow: 0 2px 10px rgb(0 0 0 / .4); }
.live:not(.on) :is(img, video, .rate, .end) { display: none; }
.live.mirrored video { scale: -1 1; }
.live .rate { position: absolute; left: 14px; bottom: 14px; padding: 3px 11px; border-radius: 99px; font-size: .82rem;
  font-weight: 600; color: #fff; background: rgb(0 0 0 / .6); }
.live .start { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: 10px;
  padding: 24px; text-align: center; color: var(--body-text-color-subdued); }
.live.on .start { display: none; }
.live .start p { max-width: 44ch; margin: 0; }
.live button { padding: 9px 26px; border-radius: 10px; font-weight: 600; color: #fff; background: var(--primary-600); }
.live button:hover { background: var(--primary-700); }
.live .end { position: absolute; right: 14px; top: 14px; padding: 6px 16px; background: rgb(0 0 0 / .6); }

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
  #more .form > * { flex: 1 1 100%; }
  .outcome button { padding-inline: 10px; }
}

/* ---- Train and Runs ---- */
.train-intro h2 { margin: 10px 0 2px; font-size: 1.45rem; font-weight: 700; letter-spacing: -.015em; }
.train-intro > p { margin: 0 0 14px; color: var(--body-text-color-subdued); }
.ways { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; }
.ways > div { display: grid; grid-template-columns: 132px 1fr; grid-template-rows: auto 1fr; column-gap: 14px;
  padding: 16px 18px; border-radius: 16px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.ways svg { grid-row: 1 / 3; align-self: center; color: var(--primary-500); }
.ways b { font-size: 1.02rem; font-weight: 650; }
.ways p { margin: 2px 0 0; font-size: .9rem; line-height: 1.5; color: var(--body-text-color-subdued); }
.ways code, .sheet.empty code { padding: 1px 5px; border-radius: 5px; background: var(--neutral-100);
  font-family: var(--font-mono); font-size: .85em; }
.dark .ways code { background: var(--neutral-800); }
#bring { align-items: stretch; gap: 14px; }
#train-setup, #train-watch, #run-detail, #run-comparison { gap: 16px; }
#train-folder, #train-zip { border-radius: 14px; }
#train-report .wrap { min-height: 90px; }

.report { display: grid; gap: 14px; padding: 18px 20px; border-radius: 18px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.verdict h3 { margin: 0; font-size: 1.22rem; font-weight: 700; }
.verdict h3::before { content: "✓"; display: inline-grid; place-content: center; width: 1.6em; height: 1.6em;
  margin-right: 10px; border-radius: 50%; font-size: .8em; color: #fff; background: #15803d; }
.verdict.bad h3::before { content: "!"; background: #b45309; }
.verdict p { margin: 6px 0 0; color: var(--body-text-color-subdued); }
.group { display: grid; gap: 6px; }
.group .facts { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; font-size: .9rem;
  color: var(--body-text-color-subdued); }
.group .facts b { font-weight: 650; color: var(--body-text-color); }
.thumbs { display: flex; flex-wrap: wrap; gap: 8px; height: 92px; overflow: hidden; }
.thumbs img { height: 92px; width: auto; border-radius: 10px; }
.aside { margin: 0; font-size: .9rem; color: var(--body-text-color-subdued); }
.problems, .warnings { padding: 11px 16px; border-radius: 12px; line-height: 1.5; font-size: .93rem;
  border-left: 4px solid #d97706; background: color-mix(in srgb, #d97706 10%, var(--block-background-fill)); }
.problems { border-color: #dc2626; background: color-mix(in srgb, #dc2626 9%, var(--block-background-fill)); }
.problems ul, .warnings ul { margin: 2px 0 0; padding-left: 18px; list-style: disc; }
.problems > ul:only-child { margin: 0; padding: 0; list-style: none; }
.report details, .progress-card details, .about-run details { font-size: .9rem; color: var(--body-text-color-subdued); }
.report summary, .progress-card summary, .about-run summary { cursor: pointer; }
.report details ul { max-height: 220px; margin: 6px 0 0; padding-left: 20px; overflow: auto; list-style: disc;
  overflow-wrap: anywhere; }
.progress-card pre, .about-run pre { max-height: 260px; margin: 8px 0 0; padding: 12px 14px; overflow: auto;
  border-radius: 10px; font-family: var(--font-mono); font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere;
  color: var(--body-text-color); background: var(--neutral-100); }
.dark .progress-card pre, .dark .about-run pre { background: var(--neutral-800); }

#train-choices { gap: 14px; padding: 18px 20px; border-radius: 18px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
#train-choices .block { padding: 0; border: 0; background: none; box-shadow: none; }
#train-choices .form { gap: 14px; border: 0; background: none; box-shadow: none; }
#train-choices .form > * { min-width: min(240px, 100%); }
#train-choices input[type=text], #train-choices textarea { border: 1px solid var(--border-color-primary); }
.choice .wrap { display: flex; gap: 6px; }
.choice label { flex: 1; justify-content: center; min-height: 44px; }
.choice label.selected { font-weight: 600; }
.estimate { margin: 0; line-height: 1.5; color: var(--body-text-color-subdued); }
.estimate b { color: var(--body-text-color); }
#start { align-self: flex-start; min-width: 220px; }

.progress-card, .about-run { padding: 20px 22px; border-radius: 18px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.progress-card .head, .about-run .head { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; }
.progress-card h2, .about-run h2 { margin: 0; font-size: 1.3rem; font-weight: 700; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
.state { flex: none; padding: 3px 11px; border-radius: 99px; font-size: .76rem; font-weight: 650;
  color: var(--body-text-color); background: var(--neutral-200); }
.dark .state { background: var(--neutral-700); }
.state.running, .state.pausing { color: #fff; background: var(--primary-600); }
.state.finished { color: #fff; background: #15803d; }
.state.failed { color: #fff; background: #b91c1c; }
.now { margin: 12px 0 10px; font-size: 1.05rem; line-height: 1.45; overflow-wrap: anywhere; }
.bar { position: relative; height: 10px; overflow: hidden; border-radius: 99px; background: var(--neutral-200); }
.dark .bar { background: var(--neutral-800); }
.bar i { position: absolute; inset: 0 auto 0 0; border-radius: 99px; background: var(--primary-500); }
.bar.waiting i { width: 30% !important; animation: pacing 1.6s ease-in-out infinite alternate; }
@keyframes pacing { from { left: 0; } to { left: 70%; } }
.progress-card.finished .bar i { background: #16a34a; }
.progress-card.failed .bar i { background: #dc2626; }
.pace { margin: 8px 0 0; font-size: .9rem; color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.progress-card .warnings, .progress-card details { margin-top: 12px; }
.next { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 0; }
.next:empty { display: none; }
.next a { padding: 9px 18px; border-radius: 10px; font-weight: 600; color: var(--body-text-color) !important;
  text-decoration: none !important; background: var(--neutral-200); }
.dark .next a { background: var(--neutral-700); }
.next a.use { color: #fff !important; background: var(--primary-600) !important; }
.next a:focus-visible { outline: 3px solid var(--primary-300); outline-offset: 2px; }
#steering, #run-buttons { gap: 10px; }
#steering button, #run-buttons button { flex: 0 1 auto; min-width: 120px; }
#live { align-items: flex-start; gap: 16px; }
#live > .block { flex: 2 1 0; min-width: min(300px, 100%) !important; }
#live > .block:first-child { flex-grow: 3; }

.charts { display: grid; gap: 16px; }
.charts.many { grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); }
.chart { display: flex; flex-direction: column; margin: 0; padding: 16px 18px 12px; border-radius: 16px;
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.chart figcaption b { font-weight: 650; }
.chart figcaption p { margin: 1px 0 6px; font-size: .86rem; line-height: 1.4; color: var(--body-text-color-subdued); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin-bottom: 10px; }
span.line { display: inline-flex; gap: 7px; align-items: center; font-size: .8rem; color: var(--body-text-color); }
span.line::before { content: ""; flex: none; width: 14px; height: 3px; border-radius: 2px; background: var(--line); }
.plot { position: relative; height: 170px; margin: auto 0 0 40px; touch-action: pan-y; }
.plot svg { display: block; width: 100%; height: 100%; overflow: visible; }
.plot path { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.plot path.grid { stroke: var(--border-color-primary); stroke-width: 1; }
.plot path.raw { stroke: var(--line); stroke-width: 1; opacity: .28; }
path.line { fill: none; stroke: var(--line); stroke-width: 2; vector-effect: non-scaling-stroke; }
.plot .values i { position: absolute; right: calc(100% + 8px); transform: translateY(-50%); }
.values i, .chart .steps i { font-style: normal; font-size: .72rem; font-variant-numeric: tabular-nums;
  color: var(--body-text-color-subdued); }
.chart .steps { display: flex; justify-content: space-between; margin: 5px 0 0 40px; }
.plot .at { position: absolute; z-index: 2; top: 0; bottom: 0; width: 1px; pointer-events: none;
  background: var(--body-text-color-subdued); }
.plot .at[hidden] { display: none; }
.plot .at > div { position: absolute; top: 0; left: 8px; display: grid; gap: 2px; padding: 7px 10px;
  white-space: nowrap; border-radius: 9px; font-size: .78rem; color: var(--body-text-color);
  background: var(--block-background-fill); box-shadow: 0 2px 10px rgb(0 0 0 / .22); }
.plot .at.left > div { right: 8px; left: auto; }
.c0 { --line: #4f46e5; } .c1 { --line: #d97706; } .c2 { --line: #0d9488; } .c3 { --line: #db2777; }
.c4 { --line: #b45309; } .c5 { --line: #0369a1; } .c6 { --line: #65a30d; } .c7 { --line: #7e22ce; }
.dark .c0 { --line: #818cf8; } .dark .c1 { --line: #fbbf24; } .dark .c2 { --line: #2dd4bf; }
.dark .c3 { --line: #f472b6; } .dark .c4 { --line: #fb923c; } .dark .c5 { --line: #38bdf8; }
.dark .c6 { --line: #a3e635; } .dark .c7 { --line: #c084fc; }

.sheet { margin: 0; padding: 16px 18px 18px; border-radius: 16px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.sheet figcaption b { font-weight: 650; }
.sheet .halves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr)); gap: 18px; }
.sheet .heads { display: flex; margin: 8px 0 5px; }
.sheet .heads span { flex: 1; font-size: .8rem; text-align: center; color: var(--body-text-color-subdued); }
.sheet img { display: block; width: 100%; border-radius: 10px; }
.sheet.empty { min-height: 300px; }
#sheet-slider .tab-like-container, #sheet-slider .min_value, #sheet-slider .max_value { display: none; }
#really-delete { color: #fff; background: #b91c1c; }
#run-sheet .sheet { max-width: 900px; }

.runs { display: grid; gap: 8px; padding-top: 8px; }
.run { position: relative; display: block; cursor: pointer; }
.run input, .run input:checked { appearance: none; position: absolute; top: 50%; left: 18px; width: 20px; height: 20px;
  margin: 0; transform: translateY(-50%); border: 2px solid var(--neutral-400); border-radius: 6px; background: none; }
.run input:checked { border-color: var(--primary-600); background: var(--primary-600); }
.run input:checked::after { content: ""; position: absolute; top: 1px; left: 5px; width: 5px; height: 10px;
  border: solid #fff; border-width: 0 2px 2px 0; transform: rotate(45deg); }
.run .face { display: grid; grid-template-columns: minmax(0, 2fr) 92px minmax(0, 2fr) minmax(0, 1.5fr) minmax(0, 2.4fr);
  gap: 2px 16px; align-items: center; padding: 12px 18px 12px 52px; border-radius: 14px;
  background: var(--block-background-fill); box-shadow: 0 0 0 1px var(--border-color-primary); }
.run:hover .face { box-shadow: 0 0 0 1px var(--primary-400); }
.run input:checked + .face { box-shadow: 0 0 0 2px var(--primary-500); }
.run input:focus-visible + .face { outline: 3px solid var(--primary-300); outline-offset: 2px; }
.run .name b, .run .name em { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.run .name b { font-weight: 650; color: var(--body-text-color); }
.run .name em, .run .what, .run .steps, .run .when, .run .losses { font-style: normal; font-size: .83rem;
  color: var(--body-text-color-subdued); }
.run .name, .run .state { grid-row: 1 / 3; }
.run .state { justify-self: start; }
.run .what { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.run .what, .run .when { grid-row: 1; }
.run .when { grid-column: 4; }
.run .what, .run .steps { grid-column: 3; }
.run .steps { grid-row: 2; }
.run .losses { grid-column: 5; grid-row: 1 / 3; display: grid; gap: 3px; }
.run .losses i { overflow: hidden; text-overflow: ellipsis; font-style: normal; font-size: .74rem;
  white-space: nowrap; }
.sparkline { width: 100%; height: 26px; overflow: visible; }
.about-run ul { margin: 10px 0 0; padding-left: 18px; list-style: disc; font-size: .92rem; line-height: 1.6;
  color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
#sure { max-width: 560px; gap: 12px; padding: 18px 20px; border-radius: 16px; background: var(--block-background-fill);
  box-shadow: 0 0 0 2px #dc2626; }
.sure b { font-size: 1.05rem; font-weight: 650; }
.sure p { margin: 3px 0 0; color: var(--body-text-color-subdued); }
.differences { overflow-x: auto; padding: 14px 18px; border-radius: 16px; background: var(--block-background-fill);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.differences table { width: 100%; border-collapse: collapse; font-size: .88rem; }
.differences caption { padding-bottom: 8px; font-size: 1rem; font-weight: 650; text-align: left; }
.differences th, .differences td { padding: 6px 12px 6px 0; text-align: left; border-bottom: 1px solid
  var(--border-color-primary); overflow-wrap: anywhere; }
.differences tbody th { font-family: var(--font-mono); font-weight: 500; font-size: .82rem; }
@media (max-width: 767px) {
  .ways { grid-template-columns: 1fr; }
  .ways > div { grid-template-columns: 84px 1fr; padding: 14px; }
  .choice .wrap { flex-wrap: wrap; }
  #start { align-self: stretch; }
  .run .face { grid-template-columns: minmax(0, 1fr) auto; padding-right: 14px; }
  .run .name, .run .state { grid-row: 1; }
  .run .state { grid-column: 2; }
  .run .what, .run .steps, .run .when, .run .losses { grid-column: 1 / 3; grid-row: auto; }
  .progress-card, .about-run { padding: 16px; }
}
@media (prefers-reduced-motion: reduce) { .bar.waiting i { animation: none; } }
"""
