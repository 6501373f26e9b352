"""The pages of the console, a module for each thing they are about."""

from app.console.pages import (
    access,
    activity,
    assets,
    connect,
    connections,
    drift,
    events,
    issues,
    keys,
    look_up,
    overview,
    quotes,
    replay,
    settings,
    sign_in,
)

PAGES = (
    assets.router,
    sign_in.router,
    keys.router,
    connections.router,
    connect.router,
    overview.router,
    settings.router,
    quotes.router,
    replay.router,
    events.router,
    issues.router,
    access.router,
    activity.router,
    drift.router,
    look_up.router,
)
