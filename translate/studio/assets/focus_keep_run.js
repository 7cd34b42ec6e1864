// The question before a run is deleted begins at its harmless answer.
() => setTimeout(() => document.querySelector('#keep-run')?.focus(), 200)
