"""The words of the page that are not said by the core. Plain, short, no blame; see shared looks for the rules."""

from __future__ import annotations

TITLE = "Finetune Studio"
HERE = "This computer: {hardware} · everything stays here"
HOW_MUCH = "How much to show"
SIMPLE, ADVANCED = "Simple", "Advanced"

TAB_LABELS = {"data": "1 Data", "model": "2 Model", "train": "3 Train", "chat": "4 Chat", "library": "Library"}
# read out for the tab list itself; the page's script puts it there
TAB_HELP = {"tabs": "Steps"}

UNFORESEEN = "Something went wrong (error {number})."
UNFORESEEN_WHY = "The details are in studio.log, in the folder logs of your workspace."
UNFORESEEN_FIX = "Try again. Nothing that was saved is lost."

NOTHING_LEAVES = "Nothing leaves this computer."
FIRST_DATA = "First add some examples"

GRADIO_WORDS = {
    "upload_text.drop_file": "Drop files here",
    "upload_text.click_to_upload": "Choose them on this computer",
    "common.or": "or",
}
# every language Gradio may pick from the browser's: the page is in English throughout
LANGUAGES = (
    *("en", "ar", "ca", "ckb", "de", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "id", "it", "ja", "ko", "lt", "lb", "nb"),
    *("nl", "pl", "pt", "pt-BR", "ro", "ru", "sv", "ta", "th", "tr", "uk", "ur", "uz", "zh-CN", "zh-TW"),
)

# ---- 1 Data

DATA_PURPOSE = "Show good examples: what someone asks, and the answer you would be proud of."
TRY_SAMPLE = "Try it with a sample"
USE_SAMPLE = "Use this sample"
FETCHES = "Fetches the starter model once, {size}"
BRING_OWN = "Or bring your own"
FILE_HINT = (
    "Tables, JSON, Word, PDF, text, exported chats, or a ZIP of them. Ten good rows are enough to start, a hundred are better."
)
PASTE = "Paste a table instead"
PASTE_LABEL = "Your table"
PASTE_HINT = "Copy cells from a spreadsheet, headings included, and paste them here."
PASTE_GO = "Read this table"
HAVE_DATA = "Use data you already have"
HAVE_DATA_HINT = "Pick a set you made before."
OTHER_DATA = "Use other data"
CHANGE_COPY = "Change this data"
SEE_WHY = "See why"

COLUMNS_TITLE = "Which column is what"
COLUMNS_NOTE = {
    "certain": "Known for certain. {reason}",
    "likely": "Very likely. {reason} Change it if it is wrong.",
    "guess": "A guess. {reason} Please check it.",
    "chosen": "As you chose. {reason}",
}
FORMAT_LABEL = "What kind of examples these are"
SHEET_LABEL = "Sheet"
HEADER_LABEL = "Does the first row name the columns?"
HEADER_CHOICES = [("Find out", "auto"), ("Yes", "yes"), ("No", "no")]
ENCODING_LABEL = "How letters are stored (encoding)"
ENCODING_CHOICES = [
    ("Find out", ""),
    ("UTF-8", "utf-8"),
    ("UTF-16", "utf-16"),
    ("Western European (Windows)", "cp1252"),
    ("Central European (Windows)", "cp1250"),
    ("Cyrillic (Windows)", "cp1251"),
    ("Greek (Windows)", "cp1253"),
    ("Turkish (Windows)", "cp1254"),
    ("Japanese (Shift JIS)", "shift_jis"),
    ("Chinese (GB 18030)", "gb18030"),
    ("Western European (Latin 1)", "latin-1"),
]
DELIMITER_LABEL = "What stands between columns (delimiter)"
DELIMITER_CHOICES = [("Find out", ""), ("Comma", ","), ("Semicolon", ";"), ("Tab", "\t"), ("Bar |", "|")]
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

EXAMPLE_TITLE = "One example, as the model meets it"
BEFORE, AFTER = "Before", "After"
SHOW_TOKENS = "Show what the model sees"
TOKENS_LATER = "The exact pieces appear here once the model is on this computer. It is fetched in step 2."
PIECE = "A piece is a short bit of a word, about four letters."

SHARE_TITLE = "How the rows are shared out"
SHARE_NOTE = "Rows kept aside show whether it learned or only memorised."
SHARE_LABEL = "Share kept aside (validation)"
SHARE_HELP = "0 keeps nothing aside: then nobody can see whether it only memorised."
SEED_LABEL = "Seed of the draw"
SEED_HELP = "The same seed picks the same rows again."

NEXT_MODEL = "Next: choose a model"
NEXT_MODEL_NOTE = "You can come back and change this later."
NO_ROW_NOTE = "No row can be used yet. Choose other columns."
DATA_NAME = "Name of this data"

# ---- 2 Model

MODEL_PURPOSE = "Pick a model to start from, and say what it should get better at."
START_FROM = "Start from"
EARLIER = "Go on from what an earlier run learned"
EARLIER_HINT = "It keeps that run's adapter size and goes on learning from the examples of step 1."
NO_EARLIER = "No, start from the model itself"
ADD_MODEL = "Use a model from a folder on this computer"
ADD_MODEL_LABEL = "Folder of the model"
ADD_MODEL_HINT = "A transformers folder with config.json, a tokenizer and safetensors files."
ADD_MODEL_GO = "Add this model"
FETCH_AGAIN = "Fetch it again"
GOAL_WORDS = {
    "questions": ("Questions", "Answer from what you know"),
    "voice": ("Voice", "Sound like you"),
    "sorting": ("Sorting", "Put messages into groups"),
    "format": ("Format", "Always the same shape"),
}
DEPTH_WORDS = {
    "quick": ("Quick", "A first idea"),
    "balanced": ("Balanced", "Right for most"),
    "thorough": ("Thorough", "For hard tasks"),
}
MEMORY_TITLE = "Memory"
NO_TEMPLATE = "This model brings no chat template: choose one under Advanced"
PREVIEW_TITLE = "Run preview"
ADVANCED_TITLE = "Advanced settings"
ADVANCED_NOTE = "The defaults suit most. Each says where it is from."
RUN_NAME = "Name of this run"
TRAIN_NOW = "Train now"
TRAIN_NOTE = "You can stop at any time and keep what it learned."
ADD_TO_QUEUE = "Add to the queue"
QUEUE_NOTE = "“{name}” is training, and one run at a time uses this computer. This one starts after it."
QUEUE_NOTE_STILL = "Other runs are waiting in step 3. This one lines up behind them."
