"""The parts of the Model tab: which model, fetching it, whether a run fits, presets, and what the settings mean.

Parts with components have what a tab has (a dataclass of components, build, connect, handlers). `meaning`, `spectrum` and
`rows` turn values into HTML.
"""
