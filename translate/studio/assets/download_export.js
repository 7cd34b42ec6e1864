// The exported file is downloaded as soon as the page has its address.
() => setTimeout(() => document.querySelector('#export-file')?.click(), 300)
