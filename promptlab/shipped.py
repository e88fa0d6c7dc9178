"""Where the files that come with promptlab are: templates of prompts, of reports."""

from pathlib import Path


def folder(kind: str) -> Path:
    """`templates/KIND`: inside the package once installed, beside it in a checkout."""
    inside = Path(__file__).parent / "templates"
    return (inside if inside.is_dir() else Path(__file__).parents[1] / "templates") / kind
