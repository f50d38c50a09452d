"""How far ours may be from PyTorch's in float32: greatest difference over greatest value."""

MODULE_LIMIT = 1e-5
"""Of one module, or of a whole network."""

STEP_LIMIT = 1e-4
"""Of the latents after each of ten steps."""
