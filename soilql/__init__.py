"""soilql: a statistics workbench for global upscaling studies, as a declarative language."""

__version__ = "0.1.0"
