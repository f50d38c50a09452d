"""Measures that owe the generator nothing: is what was planned on the screen, and does it stay the
same?"""
