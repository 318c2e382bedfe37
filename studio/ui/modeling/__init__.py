"""The parts of the Model tab: which model, what the settings mean, whether it fits, presets."""
