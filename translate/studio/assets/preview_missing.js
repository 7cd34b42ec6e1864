// What the browser cannot show, such as TIFF, may be translated all the same: instead of a sign of breakage,
// the photo's place says that there is no preview.
const noPreview = 'data:image/svg+xml,' + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 120" width="160">' +
  '<text x="80" y="66" text-anchor="middle" font-family="sans-serif" font-size="13" fill="#888">no preview</text></svg>'
);
document.addEventListener('error', event => {
  if (event.target.matches('#photo img') && !event.target.src.startsWith('data:')) event.target.src = noPreview;
}, true);
