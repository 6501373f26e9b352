"""What routes ask for, under the name it had before pages shared it."""

from app.deps import HouseDep, SessionDep

__all__ = ["HouseDep", "SessionDep"]
