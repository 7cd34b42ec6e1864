// For the buttons of `gallery.examples`: their `select` event carries the example's number.
element.addEventListener('click', event => {
  const button = event.target.closest('[data-example]');
  if (button) trigger('select', {number: Number(button.dataset.example)});
})
