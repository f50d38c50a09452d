"""What a run's report is made of: `records` reads a run folder, `verdict` says whether the gates
open, `charts` draws, `page.html` is the frame. No JAX: a report is made where the run's folder is.
"""
