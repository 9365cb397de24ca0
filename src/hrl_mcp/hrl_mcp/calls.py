"""Calls: checked, counted, bounded in time, done once, always answered."""

import asyncio
import json
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from hrl_core.config import ConfigError
from hrl_mcp.arguments import Acting, Arguments
from hrl_mcp.config import McpConfig
from hrl_mcp.limits import Rate
from hrl_mcp.results import Alternative, Result, ResultCode, quoted, result
from hrl_mcp.robot import Question, Robot, Unavailable
from hrl_mcp.tools import TOOLS, Call, Tool, forbidden, sentence_of

KEPT = 500  # answers of calls that did something, by their ids
SHOWN = 5  # of the mistakes in one call's arguments

Verdict = Literal["approved", "denied", "none"]
log = logging.getLogger(__name__)


@dataclass
class Flight:
    """A call that does something: goes on while nobody waits for it."""

    what: tuple[str, str]  # tool and arguments
    task: asyncio.Task[Result]
    known: set[str] = field(default_factory=set)  # questions that were put to its client
    told: str = ""  # why an answer to one did not count


@dataclass(frozen=True)
class Asked:
    """A person has to answer before a call can go on; its client can ask one."""

    question: Question
    request_id: str
    until: float  # s of the steady clock


@dataclass(frozen=True)
class Answered:
    result: Result
    pictures: tuple[bytes, ...] = ()


class Calls:
    """All calls of all clients of one server."""

    def __init__(self, robot: Robot, config: McpConfig):
        self._robot, self._config = robot, config
        self._flights: OrderedDict[tuple[str, str], Flight] = OrderedDict()
        clients = config.clients.items()
        self._calls = {name: Rate(client.calls_per_minute) for name, client in clients}
        self._acts = {name: Rate(client.acts_per_minute) for name, client in clients}

    async def close(self) -> None:
        for flight in self._flights.values():
            flight.task.cancel()
        await asyncio.gather(
            *(flight.task for flight in self._flights.values()), return_exceptions=True
        )

    async def call(
        self, client: str, name: str, arguments: Mapping[str, Any], may_ask: bool = False
    ) -> Answered | Asked:
        """Answer a call; raises nothing. `may_ask`: the client can put questions to a person."""
        rights = self._config.clients.get(client)
        if rights is None:
            told = f"no client {quoted(client)} is known"
            return Answered(result(ResultCode.FORBIDDEN, told))
        call = Call(self._robot, client, rights)
        if refusal := self._gate(call, name):
            return Answered(refusal)
        tool = TOOLS[name]
        try:
            wanted = tool.arguments.model_validate(dict(arguments))
        except (ValidationError, TypeError, ValueError, RecursionError) as error:
            return Answered(_invalid(tool, error))
        if not isinstance(wanted, Acting) or wanted.dry_run:
            pictures: list[bytes] = []
            identity = wanted.request_id if isinstance(wanted, Acting) else ""
            call = Call(self._robot, client, rights, identity or "dry", pictures)
            running = _answer(tool.run(call, wanted))
            try:
                ended = await asyncio.wait_for(running, rights.patience)
            except asyncio.TimeoutError:
                told = f"no answer within {rights.patience:.0f} s"
                ended = result(ResultCode.UNAVAILABLE, told, {}, _later(tool, wanted))
            return Answered(ended, tuple(pictures))
        identity = wanted.request_id or uuid.uuid4().hex[:12]
        what = (name, json.dumps(wanted.model_dump(exclude={"request_id"}), sort_keys=True))
        flight = self._flights.get((client, identity))
        if flight is None:
            now = time.monotonic()
            if wait := self._acts[client].wait(now):
                return Answered(_too_many("acts_per_minute", rights.acts_per_minute, wait))
            self._acts[client].count(now)
            run = _answer(tool.run(Call(self._robot, client, rights, identity), wanted))
            flight = Flight(what, asyncio.create_task(run))
            self._keep((client, identity), flight)
        elif flight.what != what:
            told = f"request_id {quoted(identity)} belongs to another call: {flight.what[0]}"
            other = [Alternative(tool=name, about={"request_id": "another, or none"})]
            return Answered(result(ResultCode.INVALID, told, {}, other))
        until = time.monotonic() + rights.patience
        return await self._wait(client, identity, until, may_ask)

    async def answer(
        self, client: str, request_id: str, question: str, verdict: Verdict, until: float | None
    ) -> Answered | Asked:
        """Go on with a call after its client was asked; `until`: s, None: as a call of its own."""
        flight = self._flights.get((client, request_id))
        rights = self._config.clients.get(client)
        if rights is None or flight is None or question not in flight.known:
            told = f"no call {quoted(request_id)} waits for an answer"
            return Answered(result(ResultCode.INVALID, told, {}, [Alternative(tool="look")]))
        if verdict != "none":
            try:
                taken = await asyncio.wait_for(
                    self._robot.answer(
                        question, verdict == "approved", f"mcp:{client}", rights.approver_key
                    ),
                    rights.patience,
                )
                flight.told = "" if taken.ok else taken.detail
            except (Unavailable, ConfigError, asyncio.TimeoutError) as error:
                flight.told = str(error)
        until = time.monotonic() + rights.patience if until is None else until
        return await self._wait(client, request_id, until, may_ask=True)

    # The parts

    def _gate(self, call: Call, name: str) -> Result | None:
        """Why a call is refused before anything is done; None: it is not."""
        now = time.monotonic()
        if wait := self._calls[call.client].wait(now):
            return _too_many("calls_per_minute", call.rights.calls_per_minute, wait)
        self._calls[call.client].count(now)
        if name not in TOOLS or not call.rights.may_call(name):
            return forbidden(call, f"the tool {quoted(name)}", "tool", call.rights.tools)
        return None

    async def _wait(
        self, client: str, request_id: str, until: float, may_ask: bool
    ) -> Answered | Asked:
        flight = self._flights[client, request_id]
        rights = self._config.clients[client]
        asks = None
        if may_ask and rights.approves:
            asks = asyncio.create_task(self._robot.question(frozenset(flight.known)))
        waiting = {flight.task, *([asks] if asks else [])}
        while waiting and not flight.task.done() and (left := until - time.monotonic()) > 0:
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            if asks and asks in done and not flight.task.done() and not asks.exception():
                question = asks.result()
                flight.known.add(question.id)
                return Asked(question, request_id, until)
        if asks is not None and not asks.done():
            asks.cancel()
            await asyncio.wait({asks})
        if flight.task.done():
            ended = flight.task.result()
            if ended.code is ResultCode.UNAVAILABLE:
                self._flights.pop((client, request_id), None)  # another try may find it there
        else:
            told = f"it still runs after {rights.patience:.0f} s"
            evidence = {}
            if flight.told:
                told += f"; the answer of the client's person does not count: {quoted(flight.told)}"
                evidence["approvals"] = "./hrl approvals"
            same = Alternative(
                tool=flight.what[0],
                arguments={**json.loads(flight.what[1]), "request_id": request_id},
            )
            ended = result(ResultCode.RUNNING, told, evidence, [same, Alternative(tool="stop")])
        return Answered(ended.model_copy(update={"request_id": request_id}))

    def _keep(self, key: tuple[str, str], flight: Flight) -> None:
        self._flights[key] = flight
        for old in list(self._flights):
            if len(self._flights) <= KEPT:
                break
            if self._flights[old].task.done():
                del self._flights[old]


async def _answer(run: Coroutine[Any, Any, Result] | Any) -> Result:
    """The result of a tool; whatever goes wrong is one, too."""
    try:
        return await run
    except Unavailable as error:
        instead = [Alternative(tool="read_ledger"), Alternative(tool="look")]
        return result(ResultCode.UNAVAILABLE, quoted(error), {}, instead)
    except ConfigError as error:
        return sentence_of(error)
    except Exception:
        log.exception("a tool has failed")
        told = "a fault of this server; its log says more"
        return result(ResultCode.FAULT, told, {}, [Alternative(tool="stop")])


def _invalid(tool: Tool, error: Exception) -> Result:
    """What is wrong with a call's arguments."""
    wrong = [str(error)]
    if isinstance(error, ValidationError):
        wrong = [
            f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)[:SHOWN]
        ]
    allowed = list(tool.arguments.model_json_schema()["properties"]) if TOOLS else []
    told = f"{tool.name}: {quoted('; '.join(wrong))}"
    return result(
        ResultCode.INVALID, told, {"wrong": wrong, "allowed": allowed}, [Alternative(tool="look")]
    )


def _too_many(what: str, most: int, wait: float) -> Result:
    told = f"more than {most} within a minute ({what}); the next may come in {wait:.0f} s"
    later = Alternative(tool="", about={"wait_s": round(wait, 1)})
    return result(ResultCode.TOO_MANY, told, {"limit": most, "wait_s": round(wait, 1)}, [later])


def _later(tool: Tool, wanted: Arguments) -> list[Alternative]:
    return [Alternative(tool=tool.name, arguments=wanted.model_dump())]
