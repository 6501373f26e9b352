"""The one way in to the pretended BMS: every call is noted, limited, checked, applied and answered here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Scope

from sandbox import reading, rendering
from sandbox.contract import Kind, Operation, Operations, Request
from sandbox.errors import ConnectionDroppedError, RefusedError, SignInError
from sandbox.faults import Fault, FaultKind
from sandbox.shapes import Record
from sandbox.world import Call, World

HangUp = Callable[[Scope], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

_BEFORE = frozenset({FaultKind.DROP_BEFORE, FaultKind.ERROR_BEFORE, FaultKind.SUCCESS_FALSE, FaultKind.THROTTLE})


class Door:
    """Answers calls from the table of operations, or lets them go wrong as ordered."""

    def __init__(self, world: World, operations: Operations, *, hang_up: HangUp, sleep: Sleep) -> None:
        self._world = world
        self._operations = operations
        self._hang_up = hang_up
        self._sleep = sleep
        self._late: set[asyncio.Task[None]] = set()

    def forget_late(self) -> None:
        """Never apply what was still to be applied late."""
        for task in self._late:
            task.cancel()
        self._late.clear()

    async def answer(self, http: HttpRequest) -> Response:
        """Answer one call."""
        call = Call(self._world.now(), http.method, http.url.path, query=_query_shown(http))
        found, raw_path, is_known_path = self._operations.match(http.method, call.path, self._world.settings.contract)
        call.template = found.template if found else None
        self._world.remember(call)
        if self._world.is_down:
            call.fault = "down"
            return await self._drop(http)
        body = await reading.read_body(http)
        call.body = reading.blanked(body)
        if found is None:
            return self._unknown(call, is_known_path=is_known_path)
        response = await self._answer_known(http, call, found, raw_path, body)
        call.status = response.status_code
        return response

    async def _answer_known(
        self,
        http: HttpRequest,
        call: Call,
        operation: Operation,
        raw_path: dict[str, str],
        body: Any,  # noqa: ANN401 - as sent
    ) -> Response:
        fault = self._world.faults.take(operation.method, operation.template)
        call.fault = fault.kind if fault else None
        pause = self._over_limit(call, operation)
        if pause is not None:
            return rendering.problem(429, "Too many requests.", {"Retry-After": str(pause)})
        if fault and fault.kind in _BEFORE:
            return await self._fail_before(http, fault)
        if fault and fault.kind is FaultKind.EXPIRED_TOKEN and not operation.is_anonymous:
            self._world.security.revoke(_bearer(http))

        def apply() -> Response:
            hidden = timedelta(seconds=fault.seconds) if fault and fault.kind is FaultKind.STALE_LIST else None
            return self._apply(http, call, operation, raw_path, body, hidden=hidden)

        if fault and fault.kind is FaultKind.LATE_APPLY:
            self._apply_late(apply, fault.seconds)
            return await self._drop(http)
        response = apply()
        return await self._fail_after(http, fault, response) if fault else response

    def _apply(
        self,
        http: HttpRequest,
        call: Call,
        operation: Operation,
        raw_path: dict[str, str],
        body: Any,  # noqa: ANN401 - as sent
        *,
        hidden: timedelta | None,
    ) -> Response:
        settings = self._world.settings
        try:
            request = self._read(http, operation, raw_path, body)
            page = _page(operation, request)
            result = operation.handler(self._world, request)
        except SignInError as error:
            return rendering.unauthorised(error, settings)
        except RefusedError as error:
            if error.is_violation:
                self._world.violate(call, error.message, [asdict(problem) for problem in error.problems])
            return rendering.refused(error, settings)
        call.applied = operation.writes
        if hidden is not None and operation.answer.kind.is_list:
            result = self._without_young(result, hidden)
        return rendering.answered(operation.answer, result, settings, page=page)

    def _read(
        self,
        http: HttpRequest,
        operation: Operation,
        raw_path: dict[str, str],
        body: Any,  # noqa: ANN401 - as sent
    ) -> Request:
        token = _bearer(http)
        user_id = None if operation.is_anonymous else self._world.security.recognise(token)
        is_form = http.headers.get("content-type", "").startswith(("multipart/", "application/x-www-form-urlencoded"))
        return Request(
            path=reading.read_path(operation, raw_path),
            query=reading.read_query(operation, http.query_params.multi_items()),
            body=reading.check_body(operation.body, body, is_form=is_form),
            token=token,
            user_id=user_id,
        )

    def _over_limit(self, call: Call, operation: Operation) -> int | None:
        settings = self._world.settings
        window = timedelta(seconds=settings.call_window_seconds)
        pause = self._world.limits.admit(operation.key, limit=settings.call_limit, window=window)
        if pause is not None:
            self._world.violate(call, f"More than {settings.call_limit} calls in {window} to {operation.key}.")
        return pause

    def _unknown(self, call: Call, *, is_known_path: bool) -> Response:
        status, title = (405, "Method not allowed.") if is_known_path else (404, "Not found.")
        self._world.violate(call, f"The contract has no {call.method} {call.path}.")
        call.status = status
        return rendering.problem(status, title)

    async def _fail_before(self, http: HttpRequest, fault: Fault) -> Response:
        match fault.kind:
            case FaultKind.ERROR_BEFORE:
                return rendering.problem(fault.status, "The server could not answer.")
            case FaultKind.SUCCESS_FALSE:
                return rendering.failure("The operation failed.", self._world.settings)
            case FaultKind.THROTTLE:
                return rendering.problem(429, "Too many requests.", {"Retry-After": str(max(1, round(fault.seconds)))})
            case _:
                return await self._drop(http)

    async def _fail_after(self, http: HttpRequest, fault: Fault, response: Response) -> Response:
        match fault.kind:
            case FaultKind.DROP_AFTER:
                return await self._drop(http)
            case FaultKind.ERROR_AFTER:
                return rendering.problem(fault.status, "The server could not answer.")
            case FaultKind.SLOW:
                await self._sleep(fault.seconds)
            case FaultKind.MISSING_ID if _is_json(response):
                return rendering.without_id(response)
            case FaultKind.TRUNCATED_BODY:
                return rendering.truncated(response)
            case _:
                pass
        return response

    def _apply_late(self, apply: Callable[[], Response], seconds: float) -> None:
        async def later() -> None:
            await self._sleep(seconds)
            apply()

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _drop(self, http: HttpRequest) -> Response:
        await self._hang_up(http.scope)
        raise ConnectionDroppedError("The connection was dropped.")

    def _without_young(self, records: list[Record], hidden: timedelta) -> list[Record]:
        youngest = self._world.now() - hidden
        return [record for record in records if record.get("CreatedOn") is None or record["CreatedOn"] <= youngest]


def _page(operation: Operation, request: Request) -> tuple[int, int] | None:
    if not operation.answer.kind.is_list or not operation.answer.paginated:
        return None
    is_search = operation.body is not None and operation.answer.kind is Kind.PAGED
    number, size = reading.page_asked_for(request.body if is_search else request.query)
    return number, min(size or rendering.DEFAULT_PAGE_SIZE, rendering.MAXIMUM_PAGE_SIZE)


def _bearer(http: HttpRequest) -> str | None:
    scheme, _, token = http.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _query_shown(http: HttpRequest) -> Record:
    return {name: ",".join(http.query_params.getlist(name)) for name in http.query_params}


def _is_json(response: Response) -> bool:
    try:
        json.loads(bytes(response.body))
    except ValueError:
        return False
    return True
