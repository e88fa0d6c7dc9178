"""Why `cmm-top` misranks families where most names do not occur: its mean over classes that occur, and over those that do not.

    python bench/absent_classes.py FOLDER

FOLDER: features with labels and text vectors. Prints, per family, accuracy on tune, the two means and the mean of the ten lowest, in cosine
units, the spread of an image's cosines over classes, and the rank correlation of each column with accuracy.
"""

import argparse
import sys

import numpy as np

from promptlab import Lab
from promptlab.config import Settings
from promptlab.events import ignore
from promptlab.score.evidence import Evidence
from promptlab.score.health import spearman
from promptlab.types import LabelSource


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    lab = Lab(Settings.load({}))
    material = lab.encode(parser.parse_args().folder)
    tune, bank = material.tune, material.bank
    assert tune.labels is not None
    evidence = Evidence(tune, bank, lab.rules, lab.device, ignore)
    top = evidence.board("cmm-top/worst-10", LabelSource.TRUE)
    accuracy = evidence.board("accuracy", LabelSource.TRUE).value
    occurs = np.bincount(tune.labels, minlength=len(bank.grid.classes)) > 0
    spread = [(tune.x[:] @ z.T).std(1).mean() for z in bank.z]
    columns = np.stack([top.per_class[:, occurs].mean(1), top.per_class[:, ~occurs].mean(1), top.value, spread], 1)
    print(f"{int(occurs.sum())} of {len(occurs)} classes occur; {len(tune)} pictures: each class's list holds {int(top.count[0, 0])}")
    print(f"{'family':24s} {'accuracy':>9s} {'occur':>9s} {'absent':>9s} {'worst-10':>9s} {'spread':>9s}")
    for name, share, row in zip(bank.grid.families, accuracy, columns, strict=True):
        print(f"{name[:24]:24s} {share:9.3f} " + " ".join(f"{v:+9.4f}" for v in row))
    print(f"{'rank correlation':24s} {'':9s} " + " ".join(f"{spearman(column, accuracy):+9.2f}" for column in columns.T))
    return 0


if __name__ == "__main__":
    sys.exit(main())
