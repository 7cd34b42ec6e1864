// A picture in the clipboard may be pasted anywhere on the page, as if it had been dropped onto the photo.
document.addEventListener('paste', event => {
  const file = [...event.clipboardData.files].find(file => file.type.startsWith('image/'));
  const input = document.querySelector('#photo input[type=file]');
  if (!file || !input) return;
  const files = new DataTransfer();
  files.items.add(file);
  input.files = files.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
});
