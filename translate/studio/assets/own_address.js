// The examples name an address that every studio may have; here they get the one that this page came from.
const {address} = element.querySelector('[data-address]').dataset;
const own = location.origin + location.pathname.replace(/[/]$/, '');
for (const code of element.querySelectorAll('code')) code.textContent = code.textContent.replace(address, own);
