"""Looking inside: attention and gates as arrays, then as pictures; no widget code.

`records` are attention as arrays with named axes, `attention` and `scenes` record them; `views` and
`attention_pictures` draw them, with `colours`, and need no JAX. `gates` reads and turns the gates,
`pictures` draws them. Nothing is recorded unless asked for, and sampling is left as it is.
"""
