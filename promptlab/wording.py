"""The prompts of a run: looked at, edited, undone, checked. Over sessions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptlab import runs
from promptlab.errors import UsageError
from promptlab.prompts import descriptions, edits, history
from promptlab.prompts import templates as template_sets
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange import reading, writing
from promptlab.prompts.exchange.imported import Asked
from promptlab.prompts.exchange.taking import How, Taken, taken
from promptlab.prompts.lint import lint, lint_templates
from promptlab.report import results
from promptlab.sessions import Sessions, reworded
from promptlab.store import written
from promptlab.types import Check, Classes, Edit, PromptGrid


class Wording(Sessions):
    """What a run says of its classes."""

    def prompts(self, run: str = "") -> tuple[runs.Run, Prompts, PromptGrid]:
        """A run, its prompts, and the grid that they make with its classes."""
        kept, prompts, grid, _ = self._worded(run)
        return kept, prompts, grid

    def _worded(self, run: str) -> tuple[runs.Run, Prompts, PromptGrid, Classes]:
        """What `prompts` gives, and the classes under the data's own names."""
        plan = self._planned("", run)
        assert plan.kept is not None
        if plan.prompts is None:
            raise _no_prompts(plan.kept)
        classes = plan.lab.classified(plan.where).classes
        return plan.kept, plan.prompts, plan.lab.grid(plan.prompts.apply(classes), plan.prompts), classes

    def history(self, run: str = "") -> tuple[runs.Run, Classes, history.History]:
        """A run, its classes under the names that its prompts give them, and what was done to its prompts: to do, undo and redo edits."""
        plan = self._planned("", run)
        assert plan.kept is not None
        if plan.prompts is None:
            raise _no_prompts(plan.kept)
        classes = plan.lab.classified(plan.where).classes
        found = history.History.open(plan.kept, classes)
        return plan.kept, found.prompts.apply(classes), found

    @staticmethod
    def told(edit: Edit) -> str:
        """An edit in a few words, as they are: whoever shows them makes them safe."""
        return history.told(edit)

    @staticmethod
    def families(run: runs.Run) -> list[str]:
        """The templates of a run as tables show them, in use and set aside; its data is not opened."""
        found = edits.load(edits.file_of(run.path))
        return [made.name for made in (*found.templates, *found.off)]

    @staticmethod
    def save_prompts(run: runs.Run, prompts: Prompts) -> Path:
        """Keep edited prompts in the run; what a finished run was made with stays beside them."""
        name, text = edits.FILE if run.result is None else edits.DRAFT, prompts.text()
        edits.read(text, name)  # what cannot be read back must not replace what can
        return run.save_text(name, text)

    def edit_prompts(self, run: str, editor: Callable[[Path], None]) -> Path | None:
        """Let `editor` change the file with a run's prompts, then keep them; None when it changed nothing."""
        found = runs.find(Path(self.settings.runs), run, runs.CLASSIFY)
        if not edits.file_of(found.path).is_file():
            raise _no_prompts(found)
        made = edits.edited(found.path, editor)
        return None if made is None else self.save_prompts(found, made)

    def reset_prompts(self, run: str = "") -> tuple[runs.Run, bool]:
        """Drop the edits of a run's prompts that no run has taken yet; the run, and whether there were any."""
        found = runs.find(Path(self.settings.runs), run, runs.CLASSIFY)
        return found, history.reset(found)

    def import_prompts(
        self, path: str, run: str = "", *, format_: str = "", key: str = "", class_names: str = "", dry: bool = False, **how: Any
    ) -> tuple[Taken, Path | None]:
        """What a file in the format of others makes of a run's prompts, and the file that says it now, None when nothing changed or for a
        dry run. One edit, which one undo takes back. how: fields of `exchange.taking.How`."""
        plan = self._planned("", run)
        assert plan.kept is not None
        if plan.prompts is None:
            raise _no_prompts(plan.kept)
        classes = plan.lab.classified(plan.where).classes
        found = history.History.open(plan.kept, classes)
        imported = reading.read(path, Asked(format_, key, class_names), found.prompts.apply(classes))
        of = f"{imported.format}, {Path(path).name}"
        made = taken(imported, found.prompts, classes, How(**how), of)
        return made, None if dry else found.commit(edits.imported(made.prompts, of))

    def export_prompts(
        self, format_: str, run: str = "", *, key: str = "", by_id: bool = False, output: Path | None = None
    ) -> tuple[str, list[str]]:
        """(the text of a file, what it does not say) of a run's prompts in the format of others, written to `output` if given. Raises
        UsageError for what that format cannot say."""
        kept, prompts, grid, classes = self._worded(run)
        named = key or results.named(str(kept.manifest["data"]))
        made = writing.written(format_, writing.Written(prompts, grid, named, by_id, self.settings.seed, classes))
        if output is not None:
            with written(output, "w") as file:
                file.write(made[0])
        return made

    @staticmethod
    def edits_wait(run: runs.Run) -> bool:
        """Whether a run's prompts were edited and no run has taken them yet."""
        return (run.path / edits.DRAFT).is_file() or reworded(run, descriptions.load(run.path))

    def lint(self, where: str = "", run: str = "") -> list[Check]:
        """What is likely wrong with the names of a dataset or of a run, and with its templates or those of the settings."""
        if where:
            dataset = self.classified(where)
            classes, own = dataset.classes, self._brings_templates(dataset)
            templates = self.prompts_for(dataset).templates if own else template_sets.listed(self.settings.templates)
        else:
            _, prompts, grid = self.prompts(run)
            classes, templates = grid.classes, prompts.templates
        return [*lint(classes), *lint_templates(templates, classes)]


def _no_prompts(run: runs.Run) -> UsageError:
    return UsageError(f"The run {run.name!r} has no prompts of its own: its text vectors came with the data.")
