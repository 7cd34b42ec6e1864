// On a phone the result lies below the photo. Its pictures take a moment to load, and have no height before.
() => {
  const look = tries => {
    const pictures = [...document.querySelectorAll('#result img')];
    const ready = pictures.length && pictures.every(picture => picture.naturalWidth);
    const target = document.querySelector(ready ? '#result' : '.empty.problem');
    if (target) target.scrollIntoView({behavior: 'smooth', block: 'center'});
    else if (tries) setTimeout(look, 100, tries - 1);
  };
  if (window.innerWidth < 768) look(30);
}
