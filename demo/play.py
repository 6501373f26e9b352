"""Plays a story scene by scene, and finds out what is not as it should be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from demo.checks import Held, Outcome, State
from demo.quotes import Quote
from demo.stage import Answer, Stage
from demo.story import NAMES, Scene, Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scene that was played, and a sentence for each check that failed."""

    scene: Scene
    outcome: Outcome
    faults: tuple[str, ...]


def play(stage: Stage, scene: Scene) -> Played:
    """Play one scene and check it."""
    stage.bms("DELETE", "/calls")
    answer = scene.play(stage)
    outcome = _outcome(stage, scene.quote, answer)
    faults = (check.fault(outcome) for check in scene.checks)
    where = f"Quote {scene.quote.number}, {scene.title}"
    return Played(scene=scene, outcome=outcome, faults=tuple(f"{where}: {fault}" for fault in faults if fault))


def made_since(before: State, after: State) -> Mapping[str, tuple[str, ...]]:
    """The names of all records that BMS did not hold before, by collection."""
    return {collection: tuple(_new(before, after, collection, name)) for collection, name in NAMES.items()}


def look_back(stage: Stage, story: Story, before: State) -> tuple[str, ...]:
    """What is wrong at the end: records too many or too few, broken contracts, ordered faults that never came."""
    made = made_since(before, stage.bms("GET", "/state"))
    faults = [
        f"At the end, BMS's new {collection} should be {_listed(wanted)}, but are {_listed(made[collection])}."
        for collection, wanted in story.made.items()
        if sorted(wanted) != sorted(made[collection])
    ]
    broken = [f"BMS's contract was broken: {each['message']}" for each in stage.bms("GET", "/violations")]
    spared = [f"The fault {each['kind']} was ordered and never happened." for each in stage.bms("GET", "/faults")]
    return (*faults, *broken, *spared)


def _outcome(stage: Stage, quote: Quote, answer: Answer | None) -> Outcome:
    calls = stage.bms("GET", "/calls/count")
    held = Held.read(stage.bms("GET", "/state"), quote)
    if answer is not None and not answer.is_accepted:
        return Outcome(answer=answer, state=None, warnings=(), issues=(), calls=calls, held=held)
    shown = stage.quote(quote)
    issues = tuple(each["code"] for each in stage.open_issues() if each["quote_id"] == quote.quote_id)
    warnings = tuple(each["code"] for each in shown["warnings"])
    return Outcome(answer=answer, state=shown["state"], warnings=warnings, issues=issues, calls=calls, held=held)


def _new(before: State, after: State, collection: str, name: Callable[[Mapping[str, object]], str]) -> Iterator[str]:
    known = {each["id"] for each in before[collection]}
    return (name(each) for each in after[collection] if each["id"] not in known)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"
