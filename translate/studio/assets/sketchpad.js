// The sheet of the Draw tab: a canvas whose pixels only ever have the colours of a palette.
// 
// props.sheet, from the server: {size, background, palette: [[name, colour]], picture: a data URI or null}.
// props.value, to the server: the drawing as a PNG's data URI; the event `input` says that there is a new one.
const find = selector => element.querySelector(selector);
let canvas, pen, size, colour, tool, begun = null, before = null, history = [], undone = [], cross = null, told = 0, timer = null;

const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
const stamp = (x, y) => {  // a disc of whole pixels
  const width = Number(find('input[type=range]').value), radius = width / 2;
  for (let row = 0; row < width; row++) {
    const reach = Math.sqrt(Math.max(radius * radius - (row + 0.5 - radius) ** 2, 0.25));
    const left = Math.round(x - reach), right = Math.round(x + reach);
    pen.fillRect(left, Math.round(y - radius) + row, Math.max(right - left, 1), 1);
  }
};
const line = (from, to) => {
  const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
  for (let step = 0; step <= steps; step++)
    stamp(from.x + (to.x - from.x) * step / steps, from.y + (to.y - from.y) * step / steps);
};
const box = (from, to) => {
  pen.putImageData(before, 0, 0);
  const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
  pen.fillRect(left, top, Math.abs(to.x - from.x) + 1, Math.abs(to.y - from.y) + 1);
};
const fill = start => {
  const image = pen.getImageData(0, 0, size, size), pixels = new Uint32Array(image.data.buffer);
  const old = pixels[start.y * size + start.x], [red, green, blue] = rgb(colour);
  const fresh = (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  const open = old === fresh ? [] : [start.y * size + start.x];
  while (open.length) {
    const at = open.pop();
    if (pixels[at] !== old) continue;
    pixels[at] = fresh;
    if (at % size) open.push(at - 1);
    if (at % size < size - 1) open.push(at + 1);
    if (at >= size) open.push(at - size);
    if (at < size * (size - 1)) open.push(at + size);
  }
  pen.putImageData(image, 0, 0);
};

const tell = () => {
  clearTimeout(timer);
  timer = null;
  told = Date.now();
  props.value = canvas.toDataURL('image/png');
  trigger('input');
};
const soon = () => { timer ??= setTimeout(tell, Math.max(0, told + 250 - Date.now())); };

const down = at => {
  before = pen.getImageData(0, 0, size, size);
  history = [...history.slice(-40), before];
  undone = [];
  find('[data-do=undo]').disabled = false;
  pen.fillStyle = colour;
  begun = at;
  if (tool === 'fill') { fill(at); begun = null; } else if (tool === 'box') box(at, at); else line(at, at);
  soon();
};
const move = at => {
  if (!begun) return;
  if (tool === 'box') box(begun, at); else { line(begun, at); begun = at; }
  soon();
};
const up = () => { if (begun) { begun = null; soon(); } };
const undo = () => {
  begun = null;
  if (history.length) {
    undone.push(pen.getImageData(0, 0, size, size));
    pen.putImageData(history.pop(), 0, 0);
    soon();
  }
  find('[data-do=undo]').disabled = !history.length;
};
const redo = () => {
  begun = null;
  if (!undone.length) return;
  history.push(pen.getImageData(0, 0, size, size));
  pen.putImageData(undone.pop(), 0, 0);
  find('[data-do=undo]').disabled = false;
  soon();
};
const clear = () => {
  history = [...history, pen.getImageData(0, 0, size, size)];
  undone = [];
  find('[data-do=undo]').disabled = false;
  pen.fillStyle = props.sheet.background;
  pen.fillRect(0, 0, size, size);
  soon();
};
const use = name => {
  tool = name;
  for (const button of element.querySelectorAll('[data-tool]'))
    button.setAttribute('aria-pressed', button.dataset.tool === name);
};

const lay = () => {  // a new sheet
  const sheet = props.sheet;
  if (!sheet || !sheet.size) return;
  canvas = find('canvas');
  size = canvas.width = canvas.height = sheet.size;
  pen = canvas.getContext('2d', {willReadFrequently: true});
  canvas.setAttribute('aria-label', `Your drawing, ${size} by ${size} pixels`);
  history = [];
  undone = [];
  begun = cross = null;
  find('[data-do=undo]').disabled = true;
  pen.fillStyle = sheet.background;
  pen.fillRect(0, 0, size, size);
  const labels = sheet.palette.length > 1;
  const colours = sheet.palette.some(([, hex]) => hex === sheet.background)
    ? sheet.palette : [...sheet.palette, ['eraser', sheet.background]];
  const first = colours.find(([, hex]) => hex !== sheet.background)[1];
  const known = JSON.stringify(colours);
  const fieldset = find('.colours');
  if (fieldset.dataset.known !== known) {  // the same colours stay as they are, with the one that is chosen
    fieldset.dataset.known = known;
    fieldset.replaceChildren(fieldset.firstElementChild, ...colours.map(([name, hex]) => {
      const label = document.createElement('label'), radio = document.createElement('input');
      const chip = document.createElement('i'), words = document.createElement('span');
      Object.assign(radio, {type: 'radio', name: 'pad-colour', value: hex, checked: hex === first});
      chip.style.background = hex;
      words.textContent = name;
      label.append(radio, chip, words);
      return label;
    }));
    colour = first;
    find('input[type=range]').value = labels ? 12 : 1;
    use(labels ? 'box' : 'pen');
  }
  if (!sheet.picture) return tell();
  const image = new Image();
  image.onload = () => {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, 0, 0, size, size);
    tell();
  };
  image.src = sheet.picture;
};

const point = event => {
  const {left, top, width, height} = canvas.getBoundingClientRect();
  const inside = value => Math.min(Math.max(Math.floor(value), 0), size - 1);
  return {x: inside((event.clientX - left) * size / width), y: inside((event.clientY - top) * size / height)};
};
const show = () => {
  canvas.parentElement.style.setProperty('--cross-x', `${(cross.x + 0.5) / size * 100}%`);
  canvas.parentElement.style.setProperty('--cross-y', `${(cross.y + 0.5) / size * 100}%`);
};
const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

element.addEventListener('pointerdown', event => {
  if (event.target !== canvas || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  down(point(event));
});
element.addEventListener('pointermove', event => { if (event.target === canvas) move(point(event)); });
for (const name of ['pointerup', 'pointercancel']) element.addEventListener(name, up);
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button?.dataset.tool) use(button.dataset.tool);
  if (button?.dataset.do === 'undo') undo();
  if (button?.dataset.do === 'clear') clear();
});
element.addEventListener('change', event => { if (event.target.name === 'pad-colour') colour = event.target.value; });
element.addEventListener('keydown', event => {
  const key = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : '';
  if (key === 'z' || key === 'y') {
    event.preventDefault();
    return key === 'y' || event.shiftKey ? redo() : undo();
  }
  if (event.target !== canvas) return;
  cross ??= {x: size >> 1, y: size >> 1};
  if (steps[event.key]) {
    const far = event.shiftKey ? 1 : size >> 6;
    const inside = value => Math.min(Math.max(value, 0), size - 1);
    cross = {x: inside(cross.x + steps[event.key][0] * far), y: inside(cross.y + steps[event.key][1] * far)};
    move(cross);
  } else if (event.key === ' ') { if (begun) up(); else down(cross); }
  else return;
  event.preventDefault();
  show();
});

watch('sheet', lay);
if (props.sheet?.size) lay(); else trigger('load');
