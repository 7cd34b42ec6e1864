"""The Live tab: the camera's picture, translated as fast as this computer can.

The page sends a frame, and the next one when its translation is there: whatever the camera showed in between is left
out, so the picture never lags behind. Frames travel in the messages themselves; no file of them is ever written.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr
from PIL import Image

from translate.studio import data_uris, library
from translate.studio.events import QUIET

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry
    from translate.settings import Direction

TITLE = "Live"
LONGEST = 256
"""Pixels of a frame's longer side."""
REFUSAL = "A frame of the camera did not arrive whole; start the camera again."

TEMPLATE = f"""<div class="live mirrored" data-longest="{LONGEST}">
<img alt="What the camera sees, translated"><video muted playsinline aria-label="What the camera sees"></video>
<span class="rate" role="status"></span><button class="end">Stop</button>
<div class="start"><p class="words">Your camera's picture, translated while you watch. It is not kept.</p>
<button>Start the camera</button></div></div>"""

# `props.value`, to the server: a frame as a JPEG's data URI; the event `input` says that there is a new one.
# `props.answer`, from the server: {picture: a data URI} or {problem: a sentence}.
SCRIPT = """
const stage = element.querySelector('.live'), shown = stage.querySelector('img'), video = stage.querySelector('video');
const words = stage.querySelector('.words'), rate = stage.querySelector('.rate');
const frame = document.createElement('canvas');
let camera = null, times = [], watchdog = null;

const send = () => {
  if (!camera) return;
  if (!stage.offsetParent) return end();  // another tab was opened
  const scale = Math.min(1, Number(stage.dataset.longest) / Math.max(video.videoWidth, video.videoHeight));
  frame.width = Math.round(video.videoWidth * scale);
  frame.height = Math.round(video.videoHeight * scale);
  const pen = frame.getContext('2d');
  if (stage.classList.contains('mirrored')) pen.setTransform(-1, 0, 0, 1, frame.width, 0);
  pen.drawImage(video, 0, 0, frame.width, frame.height);
  props.value = frame.toDataURL('image/jpeg', 0.85);
  trigger('input');
  clearTimeout(watchdog);
  watchdog = setTimeout(send, 8000);  // an answer may get lost; the picture shall go on
};
const end = sentence => {
  clearTimeout(watchdog);
  camera?.getTracks().forEach(track => track.stop());
  camera = video.srcObject = null;
  stage.classList.remove('on');
  if (sentence) words.textContent = sentence;
};
const start = async () => {
  try {
    camera = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}, height: {ideal: 480}}});
    video.srcObject = camera;
    stage.classList.toggle('mirrored', camera.getVideoTracks()[0].getSettings().facingMode !== 'environment');
    await video.play();
  } catch (error) {
    const reasons = {
      NotAllowedError: 'The browser was not allowed to use the camera; allow it beside the address, and try again.',
      NotFoundError: 'No camera was found; connect one, and try again.',
      NotReadableError: 'The camera is in use by another program; close that, and try again.',
    };
    const far = 'Browsers only lend the camera to pages of this computer or with https.';
    return end(navigator.mediaDevices ? reasons[error.name] ?? 'The camera does not answer; try again.' : far);
  }
  times = [];
  rate.textContent = 'Getting ready …';
  shown.removeAttribute('src');
  stage.classList.add('on');
  send();
};

watch('answer', () => {
  const {picture, problem} = props.answer;
  if (!camera) return;
  if (problem) return end(problem);
  shown.src = picture;
  const now = performance.now();
  times = [...times.filter(time => now - time < 3000), now];
  if (times.length > 1) {
    const each = (times.length - 1) * 1000 / (now - times[0]);
    rate.textContent = `${each < 10 ? each.toFixed(1) : Math.round(each)} frames/s`;
  }
  requestAnimationFrame(send);
});
stage.querySelector('.start button').addEventListener('click', start);
stage.querySelector('.end').addEventListener('click', () => end());
"""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    with gr.Column(elem_classes="bench"):
        way = gr.Dropdown([], label="What to make", info="The quickest ones first.", filterable=False)
        camera = gr.HTML(html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, answer={})

    def offer() -> Any:
        choices = sorted(library.ways(runs), key=lambda choice: _weight(*library.way(choice[1], runs)))
        return gr.update(choices=choices, value=choices[0][1] if choices else None)

    def see(frame: str | None, choice: str | None) -> Any:
        try:
            seen = data_uris.decode(frame or "", "jpeg", LONGEST, REFUSAL)
            picture = library.as_seen(library.translate(seen, *library.way(choice, runs)))
        except Exception as error:
            return gr.update(answer={"problem": library.sentence(error), "number": uuid4().hex})
        return gr.update(answer={"picture": _encode(picture), "number": uuid4().hex})  # to differ from the last one

    page.load(offer, None, way, queue=False, **QUIET)
    camera.input(see, [camera, way], camera, trigger_mode="always_last", concurrency_limit=2, preprocess=False, **QUIET)


def _encode(picture: Image.Image) -> str:
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=88, subsampling=0)
    return data_uris.encode(jpeg.getvalue(), "jpeg")


def _weight(entry: Entry, direction: Direction) -> int:
    """Bytes of the weights: fewer are quicker."""
    from translate.checkpoints.folder import weights_file

    return weights_file(entry.folder, direction).stat().st_size
