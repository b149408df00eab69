"""The generation of AIStore's SDK whose interface this package has."""

__version__ = "2.0.0"
