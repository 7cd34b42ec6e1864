// The event `select` carries the names of the runs that are ticked. The ticks are kept here: Gradio changes the rows that
// are there into those that should be, and a list that comes may be older than the last tick.
const boxes = () => [...element.querySelectorAll('input')];
const checked = () => boxes().filter(box => box.checked).map(box => box.value);
let ticked = checked();
element.addEventListener('change', () => {
  ticked = checked();
  trigger('select', {names: ticked});
});
watch('value', () => {
  for (const box of boxes()) box.checked = ticked.includes(box.value);
  ticked = checked();
});
