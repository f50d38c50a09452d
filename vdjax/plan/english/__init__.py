"""Reading one kind of English: short stories about things that can be seen.

Sentences go through four stations: `sentences` cuts a prompt into scenes, `lexicon` knows the
words, `chunks` finds the phrases, and `roles` says who does what where. No grammar library: a few
hundred words and rules that a person can read, so that every plan can be explained.
"""
