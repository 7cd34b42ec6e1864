// Shows the numbers of a chart under the pointer; `line_chart(…, hover=True)` writes them into data-lines.
const nearest = (points, at) => points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
const number = value => Number(value.toPrecision(3)).toLocaleString('en');
const hide = () => element.querySelectorAll('.chart .at').forEach(at => { at.hidden = true; });
element.addEventListener('pointerleave', hide);
element.addEventListener('pointermove', event => {
  const plot = event.target.closest('.chart .plot');
  if (!plot) return hide();
  const {from, to, lines} = JSON.parse(plot.dataset.lines), {left, width} = plot.getBoundingClientRect();
  const all = lines.filter(line => line.points.length);
  if (!all.length) return;
  const wanted = from + (to - from) * Math.min(1, Math.max(0, (event.clientX - left) / width));
  const step = nearest(all.flatMap(line => line.points), wanted)[0];
  const at = plot.querySelector('.at'), share = to > from ? (step - from) / (to - from) : 0;
  at.hidden = false;
  at.style.left = 100 * share + '%';
  at.classList.toggle('left', share > 0.6);
  const row = document.createElement('b');
  row.textContent = 'Step ' + step.toLocaleString('en');
  at.firstElementChild.replaceChildren(row, ...all.map(line => {
    const words = document.createElement('span');
    words.className = 'line ' + line.colour;
    words.textContent = line.name + ' ' + number(nearest(line.points, step)[1]);
    return words;
  }));
});
