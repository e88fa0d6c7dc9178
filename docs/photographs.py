"""Copy the pictures of the page on captions: `python docs/photographs.py FOLDER`.

Photographs that scikit-image and scikit-learn carry, and a table with two captions of each.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

SAID = {
    "skimage/data/astronaut.png": ("A smiling woman in an orange space suit.", "An astronaut with a flag and a model rocket behind her."),
    "skimage/data/camera.png": ("A man in a coat looks through a camera.", "Black and white photo of a photographer with a tripod."),
    "skimage/data/chelsea.png": ("The face of a ginger cat.", "A tabby cat looks past the camera."),
    "skimage/data/coffee.png": ("A cup of coffee on a wooden table.", "Espresso in a cup with a spoon on the saucer."),
    "skimage/data/motorcycle_left.png": ("A motorcycle stands in a garage.", "A red motorbike among tools and boxes."),
    "skimage/data/rocket.jpg": ("A rocket stands on its launch pad.", "A white rocket before the launch, under a dark sky."),
    "sklearn/datasets/images/china.jpg": ("A Chinese temple under a blue sky.", "People walk past a palace with curved roofs."),
    "sklearn/datasets/images/flower.jpg": ("A red and orange flower.", "A dahlia in full bloom, close up."),
}


def write(folder: Path) -> Path:
    """The pictures and their table. Raises SystemExit where a package is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, captions in SAID.items():
        package, _, inside = place.partition("/")
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise SystemExit(f"{package} is not installed: pip install scikit-image scikit-learn")
        shutil.copy(Path(found.origin).parent / inside, folder)
        lines.append(json.dumps({"image": Path(inside).name, "captions": captions}))
    table = folder / "captions.jsonl"
    table.write_text("\n".join(lines) + "\n", "utf-8")
    return table


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
