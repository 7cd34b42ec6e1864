// The page comes back to the tab it was on, and `?checkpoint=NAME` opens Translate with that one chosen. Cards come
// from the server a moment after the page, so the one that is wanted is looked for a few times.
() => {
  const tab = title => [...document.querySelectorAll('[role=tab]')].find(each => each.innerText.trim() === title);
  document.addEventListener('click', event => {
    const chosen = event.target.closest('[role=tab]');
    if (chosen) sessionStorage.setItem('tab', chosen.innerText.trim());
  });
  const wanted = new URLSearchParams(location.search).get('checkpoint');
  if (wanted === null) {
    const last = sessionStorage.getItem('tab');
    if (last && tab(last)) tab(last).click();
    return;
  }
  history.replaceState(null, '', location.pathname);
  const look = tries => {
    const card = [...document.querySelectorAll('.card input')].find(input => input.value === wanted);
    if (card) card.click();
    else if (tries) setTimeout(look, 100, tries - 1);
  };
  if (tab('Translate')) tab('Translate').click();
  look(100);
}
