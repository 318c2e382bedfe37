"""The fixed words of the Model tab's cards about settings: presets, what the choices mean, how much of an adapter was used."""

from __future__ import annotations

SETTINGS_TITLE = "Your settings"
ALL_DEFAULT = "All settings are the defaults."
DIFFER = "{count} {differ} from the defaults"
BACK = "Back to default"
BACK_NAMED = "Back to default: {label}"
ALL_BACK = "All back to default"
BECAUSE = "Goal and depth chose this. Why: {source}"
FAULTY = "Some settings cannot be used yet, so nothing can be compared."

OWN = "Your own presets"
OWN_HINT = "Your examples and the model stay."
NO_OWN = "None chosen"
OWN_EMPTY = "None yet"
SAME_AS = "Same settings as an earlier run"
SAME_AS_HINT = "Your examples and the model stay."
NO_RUN = "None chosen"
NO_RUNS = "No runs yet"
SET_PRESET = "The settings of “{name}” are set."
SET_RUN = "The settings of the run “{name}” are set."
OTHER_MODEL = "That run used another model, {model}."
LOST_MODEL = "That run used a model that is no longer here."

KEEP_TITLE = "Keep or bring settings"
NAME = "Name of the preset"
NAME_HINT = "Settings alone are kept: no examples, no model."
SAVE = "Save these settings"
RENAME = "Rename the chosen preset"
IMPORT = "Bring a preset from a file"
EXPORT = "Save as a file"
EXPORT_AGAIN = "Save {name} again"
DELETE = "Delete this preset"
DELETE_ASK = "Delete “{name}”? Runs made with it stay."
REALLY = "Delete it"
KEEP = "Keep it"
SAVED = "“{name}” is saved."
RENAMED = "It is called “{name}” now."
DELETED = "The preset is deleted. The settings stay as they are."
IMPORTED = "“{name}” is among your presets now. Choose it to set its settings."

MEANING_TITLE = "What these choices mean"
MEANING_NOTE = "The drawings move with the settings."

SPECTRUM_TITLE = "How much of the adapter was used"
SPECTRUM_LEGEND = "Each square is one matrix. The stronger its colour, the more of its {rank} directions are in use."
SPECTRUM_ENERGY = (
    "In use are as many directions as hold 95 % of the energy. Energy is the sum of the squared singular values: "
    "the squared size of what the adapter adds."
)
SPECTRUM_LAYERS = "first layer on the left, last on the right"
SPECTRUM_IN_USE = "in use"
SPECTRUM_NUMBERS = "Show the numbers"
SPECTRUM_RULE = "The reading is a rule of thumb of our own. Size is not the same as usefulness."
VERDICTS = {
    "nothing": "Nothing was learned: the adapter adds nothing, as at its start.",
    "unclear": "With so few directions their use says nothing about the size.",
    "smaller": "{needed} of {rank} directions are in use in a typical matrix. A smaller adapter may do as well.",
    "suits": "{needed} of {rank} directions are in use in a typical matrix. The size suits what was learned.",
    "larger": "{needed} of {rank} directions are in use in a typical matrix. A larger adapter may help.",
}
