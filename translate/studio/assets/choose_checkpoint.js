// The event `select` carries the name of the card that was chosen.
element.addEventListener('change', event => trigger('select', {name: event.target.value}));
