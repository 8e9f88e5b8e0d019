"""The wizard's screen: asks the engine, tells the steps, starts the run."""

import asyncio
from contextlib import suppress
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.events import DescendantFocus
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.api import Engine
from engine.definitions import Definitions
from engine.errors import EngineError
from engine.planning import Plan, QuickTestRequest
from engine.text import safe_line
from tui.actions import bindings
from tui.link import Asking, Link
from tui.look import WARNING, Look
from tui.messages import DefinitionsChanged
from tui.screens.confirm import Confirm
from tui.screens.wizard.blame import field_of, problems_of, warnings_of
from tui.screens.wizard.draft import STEP_ONE, Checked, check
from tui.screens.wizard.entries import first_choice
from tui.screens.wizard.forecast import Forecast
from tui.screens.wizard.form import Form
from tui.screens.wizard.frame import State, summary, title
from tui.screens.wizard.hints import HINTS
from tui.screens.wizard.one_of import OneOf
from tui.screens.wizard.own_keys import typed
from tui.screens.wizard.pick_list import PickList
from tui.screens.wizard.previews import Previews
from tui.widgets.key_bar import KeyBar

_NOTICED_SECONDS = 1.0
_STEPS = ("continue", "step_back", "start", "back")


class WizardScreen(Asking, ModalScreen[int | None]):
    """Makes a new experiment; leaves with its number, or None.

    It begins with feature and model config of the newest experiment.

    Args:
        link: asks the engine.
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    WizardScreen { background: $background; }
    WizardScreen #title { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    WizardScreen #hint { height: 1; padding: 0 1; margin-top: 1; color: $muted;
        text-wrap: nowrap; text-overflow: ellipsis; }
    WizardScreen #summary { height: auto; max-height: 4; padding: 0 1; background: $surface; }
    """
    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar = [
        # With priority: what is typed right after them must find the focus moved already.
        *bindings(*_STEPS, priority=_STEPS),
        Binding("enter", "enter", show=False, priority=True),
        Binding("tab", "move(1)", show=False, priority=True),
        Binding("shift+tab", "move(-1)", show=False, priority=True),
        *bindings("page_down", "page_up", "help"),
    ]

    def __init__(self, link: Link, look: Look) -> None:
        super().__init__()
        self.link = link
        self.look = look
        self.form = Form(look)
        self.what, self.how = self.form.what, self.form.how
        self._definitions: Definitions | None = None
        self._checked = Checked()
        self._forecast = Forecast(link, self._show_all, self.run_worker)
        self._previews = Previews(link, self.what.meaning, self.run_worker)
        self._insisted = False
        self._starting = False
        self._trouble: EngineError | None = None
        self._ready = asyncio.Event()

    async def until_ready(self) -> None:
        """Wait until there is something to choose from, or for as long as nobody would notice.

        For who opens the wizard, so that keys that are typed at once find it as it will be.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), _NOTICED_SECONDS)

    def compose(self) -> ComposeResult:
        """Put title, the two steps, hint, summary and keys one below the other."""
        yield Static("", id="title")
        yield self.form
        yield Static("", id="hint")
        yield Static("", id="summary")
        yield KeyBar(self.look, readonly=self.link.readonly)

    def on_mount(self) -> None:
        """Read the definitions, and let the person choose."""
        self.query_one("#title", Static).update(title(self.form.step, self.look))
        self._changed()
        self._load()
        self.set_focus(self.what.features)

    def on_definitions_changed(self, message: DefinitionsChanged) -> None:
        """Read the definitions again; what is chosen stays where it still exists."""
        del message
        self._load()

    @on(Input.Changed)
    @on(OneOf.Changed)
    @on(PickList.Moved)
    def field_changed(self, event: Input.Changed | OneOf.Changed | PickList.Moved) -> None:
        """Check everything again and ask the engine what it means."""
        event.stop()
        if isinstance(event, OneOf.Changed) and event.choice is self.what.model_type:
            self.what.refill()
        self._trouble = None
        self._changed()
        self._show_hint()

    def on_one_of_refused(self, message: OneOf.Refused) -> None:
        """Say why an option can't be chosen."""
        message.stop()
        self.app.bell()
        self.query_one("#hint", Static).update(Content.styled(message.reason, WARNING))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Explain the field that has the focus."""
        if event.widget is self.what.features or event.widget is self.what.models:
            self.what.meaning.lead_with(model=event.widget is self.what.models)
            self.form.meaning.scroll_home(animate=False)
        self._show_hint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only the steps that there are."""
        del parameters
        if action in ("continue", "step_back"):
            return self.is_mounted and self.form.step == ("what" if action == "continue" else "how")
        return True

    async def action_enter(self) -> None:
        """Go to the next field, from the last of step 1 to step 2."""
        await self._catch_up()
        following = self.form.neighbour(1, around=False)
        chosen = not isinstance(self.focused, PickList) or self.focused.choice
        if not chosen and self._definitions is not None:
            self.app.bell()
        elif following is not None:
            self._focus_field(following)
        elif self.form.step == "what":
            self._continue()

    async def action_move(self, by: int) -> None:
        """Go to the field after (1) or before (-1) this one."""
        await self._catch_up()
        if following := self.form.neighbour(by, around=True):
            self._focus_field(following)

    async def action_continue(self) -> None:
        """Go to step 2, if there is something to run."""
        await self._catch_up()
        self._continue()

    def _continue(self) -> None:
        wrong = next(iter(self._checked.problems), None)
        if wrong in STEP_ONE:
            self._refuse(wrong)
        else:
            self._focus_field("sample_percent")

    async def action_step_back(self) -> None:
        """Go to step 1."""
        await self._catch_up()
        self._focus_field("feature_config")

    async def action_back(self) -> None:
        """Go back to step 1, or leave; asks when that would lose what was typed."""
        await self._catch_up()
        if self._starting:
            return
        if self.form.step == "how":
            self._focus_field("feature_config")
        elif self.form.has_typing:
            question = Confirm(
                "Leave without starting?", "What you typed is lost.", verb="leave", otherwise="stay"
            )
            self.app.push_screen(question, self._leave)
        else:
            self.dismiss(None)

    async def action_start(self) -> None:
        """Start the run, unless something is wrong; then say what, and go there."""
        await self._catch_up()
        request = self._checked.request
        if self._starting or self._definitions is None:
            self.app.bell()
        elif request is None:
            self._insisted = True
            self._show_all()
            self._refuse(next(iter(self._checked.problems)))
        elif isinstance(self._forecast.answer, EngineError):
            self._refuse(field_of(self._forecast.answer.message))
            self._ask_again()  # the data may have been put right meanwhile
        else:
            self._starting = True
            self._trouble = None
            self._show_summary()
            self._create(request)

    def action_page_down(self) -> None:
        """Scroll what the choices mean."""
        self.form.meaning.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll what the choices mean back."""
        self.form.meaning.scroll_page_up(animate=False)

    async def action_help(self) -> None:
        """Explain the keys."""
        await self.app.run_action("app.help")

    @work(group="definitions", exclusive=True)
    async def _load(self) -> None:
        begun = self._definitions is not None
        try:
            definitions, newest, unavailable = await self.link.ask(
                lambda engine: (
                    engine.definitions(),
                    None if begun else _newest(engine),
                    engine.unavailable_backends(),
                )
            )
        except EngineError as error:
            self._trouble = error
            self._changed()
            self._ready.set()
            return
        before = [picker.choice for picker in self.what.pickers]
        features, model = (
            picker.entry.name if picker.entry else "" for picker in self.what.pickers
        )
        if not begun:
            features, model = first_choice(definitions, newest)
        self._definitions = definitions
        self._trouble = None
        self.how.offer_backends(unavailable)
        self.what.show(definitions, features, model)
        for chosen, picker in zip(before, self.what.pickers, strict=True):
            if chosen and picker.choice != chosen:
                self._tell_gone(chosen, picker.choice)
        self._ask_again()
        self._ready.set()

    @work(group="start")
    async def _create(self, request: QuickTestRequest) -> None:
        try:
            created = await self.link.order(lambda engine: engine.create(request))
        except EngineError as error:
            self._starting = False
            self._trouble = error
            self._changed()
            self._refuse(field_of(error.message))
        else:
            self.dismiss(created.number)

    async def _catch_up(self) -> None:
        """See to it that what was typed before counts."""
        await typed(self)
        self._changed()

    def _ask_again(self) -> None:
        self._previews.forget()
        self._forecast.again()
        self._changed()

    def _changed(self) -> None:
        """Check what is filled in, and ask what isn't known of it yet."""
        self._checked = check(self.form.texts)
        self.how.adapt()
        self.what.propose()
        self._previews.look_at(self.what.features.entry, self.what.models.entry)
        self._forecast.want(self._checked.request)
        self._show_all()

    def _show_all(self) -> None:
        answer = self._forecast.answer
        self._show_notes()
        if not self._forecast.pending:
            model = self._definitions and self._definitions.models.get(self.what.models.choice)
            plan = answer if isinstance(answer, Plan) else None
            self.how.propose(plan, model.batch_size if model else None)
        self.how.meaning.show(answer, self._forecast.transfer, awaited=self._forecast.pending)
        self._show_summary()

    def _show_notes(self) -> None:
        """Put what is wrong and what is unusual beneath the fields that cause it."""
        answer = self._forecast.answer
        problems = problems_of(self._checked, (answer, self._trouble), also_open=self._insisted)
        warnings = warnings_of(self._checked, answer)
        fields = self.form.fields
        news = [f.tell(problems.get(n, ""), warnings.get(n, "")) for n, f in fields.items()]
        if any(news):  # what is told further up moves the field in hand out of view
            for field in fields.values():
                if field.has_focus_within:
                    field.reveal()

    def _show_hint(self) -> None:
        name = getattr(self.focused, "field", "")
        key = f"split:{self.how.split.value}" if name == "split" else name
        self.query_one("#hint", Static).update(Content(self.look.draw(HINTS.get(key, ""))))

    def _show_summary(self) -> None:
        state = State(
            loaded=self._definitions is not None,
            starting=self._starting,
            trouble=self._trouble,
            checked=self._checked,
            answer=self._forecast.answer,
        )
        self.query_one("#summary", Static).update(summary(state, self.look))

    def _tell_gone(self, chosen: str, instead: str) -> None:
        told = f"{safe_line(chosen, limit=60)} can't be used any more."
        if instead:
            told += f" Chosen instead: {safe_line(instead, limit=60)}."
        self.notify(told, severity="warning", markup=False)

    def _refuse(self, field: str | None) -> None:
        """Ring, and go to the field that is to be mended, where that is known."""
        self.app.bell()
        if field is not None:
            self._focus_field(field)

    def _focus_field(self, name: str) -> None:
        self.form.go(name)
        self.query_one("#title", Static).update(title(self.form.step, self.look))
        self.refresh_bindings()

    def _leave(self, answer: str | None) -> None:
        if answer is not None:
            self.dismiss(None)


def _newest(engine: Engine) -> tuple[str, str] | None:
    """Return feature and model config of the newest experiment."""
    items = engine.list_experiments(limit=1).items
    return (items[0].feature_config, items[0].model_config_name) if items else None
