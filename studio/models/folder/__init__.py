"""A model folder before any library opens it: what it is, how large, and whether loading it could run code or never end."""

from studio.models.folder.check import ModelFacts, check_description, check_model_folder, check_small, check_untrusted
from studio.models.folder.settings import MAX_JSON, read_settings, refused
from studio.models.folder.shape import MODEL_TYPES, ModelShape, shape_of
from studio.models.folder.template import own_template
from studio.models.folder.weights import MAX_WEIGHTS

__all__ = [
    "MAX_JSON",
    "MAX_WEIGHTS",
    "MODEL_TYPES",
    "ModelFacts",
    "ModelShape",
    "check_description",
    "check_model_folder",
    "check_small",
    "check_untrusted",
    "own_template",
    "read_settings",
    "refused",
    "shape_of",
]
