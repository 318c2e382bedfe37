<<<<<<< HEAD
"""The parts of the Model tab: which model, what the settings mean, whether it fits, presets."""
=======
"""Cards about settings and what they mean: presets and differences, drawings of the choices, the picture of an adapter.

`presets` has the parts of a tab (View, build, connect, handlers). `meaning` and `spectrum` turn values into HTML.
"""
>>>>>>> w2-presets
