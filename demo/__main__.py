"""`python -m demo`: plays the life of a few quotes, shows what became of them, and says whether all is right."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from demo import children
from demo.children import Child, ChildError, Secrets
from demo.invitation import invitation
from demo.play import Played, look_back, play
from demo.show import Show, console
from demo.stage import Stage, StageError
from demo.story import Story, tell
from local.postgres import LocalPostgresError

INTERRUPTED = 130
LOOK_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None, *, tell: Callable[[str], Story] = tell) -> int:
    """Run the demo; returns 0 if BMS holds exactly what it should, 1 if not."""
    options = _options(arguments)
    show = Show(console())
    # A shell that starts us in the background has us ignore Ctrl-C; whoever sends it means it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        return _run(show, tell(options.contract), options)
    except (ChildError, StageError, LocalPostgresError) as error:
        show.say(f"The demo could not go on. {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quotebridge demo", description="The life of a few quotes, in half a minute.")
    parser.add_argument("--once", action="store_true", help="end with a verdict: exit code 0 if all was right, else 1")
    parser.add_argument(
        "--contract",
        choices=["extended", "published"],
        default="extended",
        help="published: BMS as it is documented; extended (the default): it also makes quotations and products",
    )
    parser.add_argument("--port", type=int, default=0, help="where the service listens; a free port by default")
    return parser.parse_args(arguments)


def _run(show: Show, story: Story, options: argparse.Namespace) -> int:
    started = time.monotonic()
    with ExitStack() as stack:
        given = Secrets.generate()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quotebridge-demo-")))
        bms, service = _start(show, stack, folder, given, options)
        stage = Stage(service.url, given.operator_key, bms.url)
        stack.callback(stage.close)
        faults = _perform(show, stage, story, service, started=started)
        if options.once:
            return 1 if faults else 0
        show.say(invitation(stage, operator_key=given.operator_key, bms_url=bms.url))
        _stay_up(service, bms)
    return 1 if faults else 0


def _start(
    show: Show, stack: ExitStack, folder: Path, given: Secrets, options: argparse.Namespace
) -> tuple[Child, Child]:
    with show.doing("Starting PostgreSQL, the BMS sandbox and the service"):
        database_url = stack.enter_context(children.demo_database())
        children.migrate(database_url, given)
        bms = stack.enter_context(children.sandbox(folder, contract=options.contract))
        run = children.service(folder, database_url, given, bms_url=bms.url, port=options.port)
        service = stack.enter_context(run)
    show.say(f"PostgreSQL, a BMS sandbox ({options.contract}) at {bms.url} and the service at {service.url} are up.")
    return bms, service


def _perform(show: Show, stage: Stage, story: Story, service: Child, *, started: float) -> list[str]:
    """Play all scenes and return a sentence for each thing that is not as it should be."""
    with show.doing("Connecting to BMS and saving settings"):
        capabilities = stage.connect()
    show.say(f"Connected; beyond the published API this BMS offers: {', '.join(capabilities) or 'nothing'}.")
    before = stage.bms("GET", "/state")
    played: list[Played] = []
    faults: list[str] = []
    try:
        for scene in story.scenes:
            begun = time.monotonic()
            with show.doing(f"{scene.quote.number} {scene.title}"):
                played.append(play(stage, scene))
            faults += played[-1].faults
            show.played(played[-1], seconds=time.monotonic() - begun)
        faults += look_back(stage, story, before)
    except StageError as error:
        scene = story.scenes[len(played)]
        faults.append(
            f"Quote {scene.quote.number}, {scene.title}: {error} The service's last words:\n{service.last_words()}"
        )
    show.table(played)
    show.verdict(faults, seconds=time.monotonic() - started)
    return faults


def _stay_up(*running: Child) -> None:
    """Wait for Ctrl-C; a child that ends before that ends the demo."""
    try:
        while True:
            for child in running:
                if child.has_ended:
                    raise ChildError(f"The {child.name} has ended: {child.last_words()}")
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
