"""What the command palette finds beside commands: classes, by name."""

from typing import Any

from textual.command import Hit, Hits, Provider
from textual.content import Content

from promptlab.display import safe


class ClassNames(Provider):
    """Any class of the open run."""

    async def search(self, query: str) -> Hits:
        """Classes whose names are like the query."""
        app: Any = self.app
        bench, matcher = app.bench, self.matcher(query)
        if bench is None:
            return
        for c, title in enumerate(bench.now.classes.titles):
            name = safe(title, 80)
            if (score := matcher.match(name)) > 0:
                # Not `matcher.highlight`, which reads the name as markup.
                yield Hit(score, Content(name), lambda c=c: app.open_class(c), text=name, help="Open this class")
