"""Looking inside: attention and gates as arrays, then as pictures; no widget code.

`attention` records where the grounding tokens are looked at, `gates` reads and turns the gates,
`pictures` draws both. Nothing is recorded unless asked for, and sampling itself is left as it is.
"""
