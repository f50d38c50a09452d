"""What is looked at while layout training runs: gates, attention, sheets of pictures, boxes found.

The parameters of a step enter, numbers for its line in the log leave. A watcher draws no random
number that training draws, changes nothing, and gives the same numbers for the same parameters.
`held_out` has the layouts and the network drawing them, `watchers` what is asked of both, `sheet`
the picture for people.
"""
