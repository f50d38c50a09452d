"""vdjax beside diffusers' PyTorch: the same weights, inputs and machine, in one run.

One module per table: `forward`, `step`, `clip`, `memory`, `compile_time`, `train`. Each is a script
of its own (`python -m benchmarks.forward --help`); `python -m benchmarks` prints all, and
`make bench` puts them into RESULTS.md. Needs the environment of `make parity`, which holds torch.
"""
