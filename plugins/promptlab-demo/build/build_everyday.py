"""Compute the features that `everyday` ships: half precision, with labels, names and keys. The pictures themselves do not ship.

    python build_everyday.py FOLDER

FOLDER: Caltech-101 pictures in one sub-folder a class (2,020 of them, 20 a class, were used). Needs promptlab with this plugin.
"""

import argparse
from pathlib import Path

import numpy as np

from promptlab import Lab

TARGET = Path(__file__).parents[1] / "promptlab_demo" / "everyday.npz"


def main() -> None:
    """Write everyday.npz beside the plugin's code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    lab = Lab()
    dataset = lab.open(parser.parse_args().folder)
    encoder = lab.encoder("mini")
    features = lab.features(dataset, encoder)[0]["all"]
    np.savez_compressed(
        TARGET,
        features=np.asarray(features.x[:], np.float16),
        labels=features.labels.astype(np.int16),
        keys=np.array(features.keys),
        ids=np.array(dataset.classes.ids),
        names=np.array(dataset.classes.titles),
        fingerprint=np.array(encoder.fingerprint),
    )
    print(f"{TARGET}: {len(features)} pictures, {len(dataset.classes)} classes, {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
