"""What every screen is made of: head, body, a line for long work, footer."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Footer

from promptlab.tui.commands import Command, bindings
from promptlab.tui.widgets.head import Head
from promptlab.tui.widgets.work import WorkLine

if TYPE_CHECKING:
    from promptlab.tui.app import PromptlabApp
    from promptlab.workbench import Workbench


class Page(Screen[None]):
    """A screen of the terminal UI. It shows what is on the workbench whenever that changed."""

    MODE: ClassVar[str] = ""
    """Its place in the head."""
    DOES: ClassVar[tuple[Command, ...]] = ()
    """What can be done here, beside what can be done everywhere."""
    ABOUT: ClassVar[str] = ""
    """A sentence or two for the help."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012

    def __init_subclass__(cls, **given: Any) -> None:
        cls.BINDINGS = bindings(cls.DOES)
        super().__init_subclass__(**given)

    def __init__(self) -> None:
        super().__init__()
        self._shown = -1

    @property
    def lab_app(self) -> "PromptlabApp":
        """The app, by its own type."""
        app: Any = self.app
        return app  # type: ignore[no-any-return]

    @property
    def bench(self) -> "Workbench | None":
        """The open run."""
        return self.lab_app.bench

    def compose(self) -> ComposeResult:
        """Head, body, work line, footer."""
        yield Head(self.MODE)
        with Container(id="body"):
            yield from self.body()
        yield WorkLine()
        yield Footer(compact=True, show_command_palette=False)

    def body(self) -> Iterable[Any]:
        """The widgets of this screen."""
        return ()

    def on_mount(self) -> None:
        """Show what there is."""
        self.renew()

    def on_screen_resume(self) -> None:
        """Show what changed while another screen was in front."""
        self.lab_app.attach(self.query_one(WorkLine))
        if self._shown != self.lab_app.version:
            self.renew()

    def renew(self) -> None:
        """Show everything as it is now."""
        self._shown = self.lab_app.version
        self.query_one(Head).show(self.bench, self.lab_app.opening)
        self.show()

    def show(self) -> None:
        """Show the body as it is now."""

    def beside(self, do: Callable[[], Awaitable[None]], group: str = "read") -> None:
        """Do something short in the background; what the group was at before is dropped."""

        async def guarded() -> None:
            try:
                await do()
            except Exception as error:  # models, image libraries, disks: what is read there may fail in any way, but not in silence
                if self.is_running:
                    self.lab_app.fault(error)

        work: Any = guarded  # not what it gives: a coroutine that is dropped before it began would complain
        self.run_worker(work, group=group, exclusive=True, exit_on_error=False)

    def on_resize(self) -> None:
        """The headline says more where there is more room."""
        self.query_one(Head).show(self.bench, self.lab_app.opening)
