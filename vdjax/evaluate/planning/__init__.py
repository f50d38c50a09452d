"""Is a planner any good? Its boxes are asked, no film is made.

A director enters, plans seeded prompts, and its boxes are judged by rules: the five tasks of LVD
(Lian et al. 2023, "LLM-grounded Video Diffusion Models"), VPEval's skills, and the direction of a
movement. `measure.run` is the way in, `table.format_table` the way out.
"""
