"""Datasets: recipes, generation, and reading them back."""

from pdesurrogate.data.distributions import (
    Choice,
    Distribution,
    LogUniform,
    RandomSeed,
    Uniform,
)
from pdesurrogate.data.generation import generate
from pdesurrogate.data.recipe import Recipe, Splits, list_recipes, load_recipe, recipe_parser
from pdesurrogate.data.schema import Manifest
from pdesurrogate.data.statistics import condition_statistics, field_statistics
from pdesurrogate.data.store import Ladder, Split, open_dataset
from pdesurrogate.data.windows import Windows, load_frames

__all__ = [
    "Choice",
    "Distribution",
    "Ladder",
    "LogUniform",
    "Manifest",
    "RandomSeed",
    "Recipe",
    "Split",
    "Splits",
    "Uniform",
    "Windows",
    "condition_statistics",
    "field_statistics",
    "generate",
    "list_recipes",
    "load_frames",
    "load_recipe",
    "open_dataset",
    "recipe_parser",
]
