"""A model folder before any library opens it: what it is, how large, and whether loading it could run code or never end."""

from studio.models.folder.check import ModelFacts, check_model_folder, check_untrusted
from studio.models.folder.settings import read_settings, refused
from studio.models.folder.shape import MODEL_TYPES, ModelShape, shape_of
from studio.models.folder.template import own_template

__all__ = [
    "MODEL_TYPES",
    "ModelFacts",
    "ModelShape",
    "check_model_folder",
    "check_untrusted",
    "own_template",
    "read_settings",
    "refused",
    "shape_of",
]
