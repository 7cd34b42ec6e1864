// The strength shows at once: the slider's upper picture, which is the translation, lets the photo shine through.
strength => { document.documentElement.style.setProperty('--strength', strength / 100); }
