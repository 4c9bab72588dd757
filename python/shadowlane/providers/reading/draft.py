"""An answer while it is put together: from one JSON body at once, or from the events of a stream, one by one.

Invariant: the same answer, sent whole or in pieces cut anywhere, makes the same :class:`~shadowlane.types.Answer`
(but for its note). Readers of provider shapes write into a :class:`Draft` only; none of them builds an answer itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from ...types import Answer, Citation, ToolCall
from .jsonlike import JsonMap, as_count, as_map, canonical, first_count, parse_json, whole
from .thinking import without_thinking

__all__ = ["MESSAGE_SHIFT", "NO_USAGE", "Draft", "UsageNames"]

MESSAGE_SHIFT = 16
"""A block's number holds its message above this bit: blocks of one message join seamlessly, messages do not."""

_CITATION_TEXTS = ("snippet_id", "section_id", "source_url", "index_hash", "analyzer", "text")


class UsageNames(NamedTuple):
    """The names of token counts, best first."""

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    total: tuple[str, ...] = ()
    cached: tuple[str, ...] = ()
    cache_write: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    """Objects beside the counts that hold counts of cached tokens."""


NO_USAGE = UsageNames()


@dataclass(slots=True)
class _Block:
    """A run of text, or where something stands that is not text (a tool call, reasoning)."""

    pieces: list[str] = field(default_factory=list)
    is_text: bool = False


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """What has been read so far. ``ended`` is true once the provider's own end mark was seen."""

    names: UsageNames
    """The names under which token counts are read."""
    kind: str = ""
    model: str = ""
    model_rev: str = ""
    index_hash: str = ""
    refusal: bool = False
    ended: bool = False
    events: int = 0
    usage: dict[str, int] = field(default_factory=dict)
    cached: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incomplete: Literal["", "cut", "error"] = ""
    _blocks: dict[tuple[int, int], _Block] = field(default_factory=dict)
    _parts: dict[str, int] = field(default_factory=dict)
    _calls: dict[tuple[int, ...], _Call] = field(default_factory=dict)
    _open_calls: dict[tuple[int, int | None], tuple[int, ...]] = field(default_factory=dict)
    """The call that a choice's index means now."""
    _finish: dict[int, str] = field(default_factory=dict)
    _citations: dict[Citation, None] = field(default_factory=dict)

    def add_text(self, piece: str, choice: int = 0, block: int = 0) -> None:
        """Adds a piece of visible text to a block of a choice."""
        found = self._block(choice, block)
        found.is_text = True
        found.pieces.append(piece)

    def part_number(self, name: str) -> int:
        """The number of a part of the answer that the service names: in the order in which they came."""
        return self._parts.setdefault(name, len(self._parts))

    def add_part(self, name: str, piece: str) -> None:
        """Adds to a part of the answer that the service names."""
        self.add_text(piece, 0, self.part_number(name) << MESSAGE_SHIFT)

    def replace(self, text: str, choice: int = 0, block: int = 0) -> None:
        """Sets a block's whole text, when an event repeats what its pieces already said."""
        found = self._block(choice, block)
        found.is_text = True
        found.pieces[:] = [text]

    def skip_block(self, choice: int = 0, block: int = 0) -> None:
        """Marks where a block stands that is not visible text, so that text around it is not glued together."""
        self._block(choice, block)

    def clear_text(self) -> None:
        """Forgets the text alone: the configuration says where it stands."""
        self._blocks.clear()

    def restart(self) -> None:
        """Forgets text, calls and citations: a last event repeats the whole answer."""
        self._blocks.clear()
        self._calls.clear()
        self._open_calls.clear()
        self._citations.clear()
        self._finish.clear()

    def add_call(self, key: tuple[int, ...], *, id: str = "", name: str = "", arguments: Any = None) -> None:
        """Adds to a tool call. ``arguments`` is a piece of JSON text, or a parsed value; ``None`` adds nothing."""
        call = self._calls.setdefault(key, _Call())
        call.id = call.id or id
        call.name = call.name or name
        if arguments is not None:
            call.arguments.append(arguments if isinstance(arguments, str) else canonical(arguments))

    def add_tool_call(
        self, choice: int, index: int | None, *, id: str = "", name: str = "", arguments: Any = None
    ) -> None:
        """Adds to the tool call of a choice that the index means, or begins one.

        Some services count every call as 0 or not at all: then another identifier with a name, or a name where the
        call's arguments are complete, begins the next call; a piece with neither goes on with the last one.
        """
        key = self._open_calls.get((choice, index))
        call = None if key is None else self._calls.get(key)
        if key is None or call is None or _begins_another(call, id, name):
            number = (choice, len(self._calls)) if index is None else (choice, index)
            key = number if number not in self._calls else (*number, len(self._calls))
            self._open_calls[choice, index] = key
        self.add_call(key, id=id, name=name, arguments=arguments)

    def call_key(self, id: str) -> tuple[int, ...]:
        """The key of the call with an identifier of the service's; the next free one when there is none yet."""
        return next((key for key, call in self._calls.items() if call.id == id), (0, len(self._calls)))

    def set_arguments(self, key: tuple[int, ...], arguments: str) -> None:
        """Sets a call's whole arguments, when an event repeats what its pieces already said."""
        self._calls.setdefault(key, _Call()).arguments[:] = [arguments]

    def calls(self) -> int:
        """How many tool calls there are so far: the next free key."""
        return len(self._calls)

    def has_call(self, key: tuple[int, ...]) -> bool:
        """Whether a tool call was begun under this key (a server-side tool's is not)."""
        return key in self._calls

    def cite(self, *citations: Citation) -> None:
        """Adds citations; one that is there already (streams repeat them) is kept once."""
        self._citations.update(dict.fromkeys(citations))

    def finish(self, reason: Any, choice: int = 0) -> None:
        """Notes why a choice ended; anything but a non-empty string is no end."""
        if isinstance(reason, str) and reason:
            self._finish[choice] = reason

    def all_finished(self) -> bool:
        """Whether every choice that was begun has a finish reason, and there is one."""
        begun = {choice for choice, _ in self._blocks} | {key[0] for key in self._calls}
        return bool(self._finish) and begun <= self._finish.keys()

    def count_tokens(
        self, usage: JsonMap, *, extra_input: tuple[str, ...] = (), extra_output: tuple[str, ...] = ()
    ) -> None:
        """Reads token counts under any provider's names; later counts replace earlier ones.

        ``extra_input`` and ``extra_output`` name counts that the provider keeps out of the plain ones (cached prompt
        tokens, reasoning tokens), so that the sums mean the same for every provider.
        """
        for target, names, extras in (
            ("input_tokens", self.names.input, extra_input),
            ("output_tokens", self.names.output, extra_output),
            ("total_tokens", self.names.total, ()),
        ):
            count = first_count(usage, *names)
            if count is not None:
                self.usage[target] = count + sum(as_count(usage.get(name)) or 0 for name in extras)
        counts = {name: count for part in self.names.details for name, count in as_map(usage.get(part)).items()}
        counts.update(usage)
        for kind, names in (("cached_tokens", self.names.cached), ("cache_write_tokens", self.names.cache_write)):
            count = first_count(counts, *names)
            if count:
                self.cached[kind] = count

    def note(self, text: str) -> None:
        """Adds a reason why the text is empty or not whole; said once."""
        if text and text not in self.notes:
            self.notes.append(text)

    def note_cut(self, text: str) -> None:
        """Notes that the answer would have gone on."""
        if text:
            self.incomplete = self.incomplete or "cut"
            self.note(text)

    def note_broken(self, text: str) -> None:
        """Notes an error after which the answer did not go on."""
        self.incomplete = "error"
        self.note(f"error in mid-stream: {text}".rstrip(": "))

    def text(self) -> str:
        """The visible text: adjoining blocks joined as they are, others by a blank line, choices by a blank line."""
        choices: dict[int, list[str]] = {}
        last: dict[int, int] = {}
        for (choice, position), block in sorted(self._blocks.items()):
            parts = choices.setdefault(choice, [])
            if not block.is_text:
                last.pop(choice, None)
                continue
            piece = "".join(block.pieces)
            if parts and last.get(choice) == position >> MESSAGE_SHIFT:
                parts[-1] += piece
            else:
                parts.append(piece)
            last[choice] = position >> MESSAGE_SHIFT
        texts = ("\n\n".join(part for part in parts if part) for _, parts in sorted(choices.items()))
        return whole("\n\n".join(text for text in map(without_thinking, texts) if text))

    def answer(self) -> Answer:
        """The answer as far as it was read. An empty one always says why."""
        text = self.text()
        calls = tuple(
            ToolCall(name=whole(call.name), arguments=whole("".join(call.arguments)), id=whole(call.id))
            for _, call in sorted(self._calls.items())
        )
        finish = ",".join(dict.fromkeys(reason for _, reason in sorted(self._finish.items())))
        if not text.strip() and not calls and not self.notes:
            self.note(f"the answer holds no text (finish reason {finish!r})" if finish else "the answer holds no text")
        citations = tuple(dict.fromkeys(map(_whole_citation, self._citations)))
        hashes = {citation.index_hash for citation in citations if citation.index_hash}
        usage = dict(self.usage)
        if "total_tokens" not in usage and {"input_tokens", "output_tokens"} <= usage.keys():
            usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        return Answer(
            text=text,
            citations=citations,
            tool_calls=calls,
            finish_reason=whole(finish),
            usage=usage,
            cached=dict(self.cached),
            refusal=self.refusal,
            model=whole(self.model),
            model_rev=whole(self.model_rev),
            index_hash=whole(self.index_hash) or (hashes.pop() if len(hashes) == 1 else ""),
            kind=self.kind,
            incomplete=self.incomplete,
            note=whole("; ".join(self.notes)),
        )

    def _block(self, choice: int, block: int) -> _Block:
        return self._blocks.setdefault((choice, block), _Block())


def _whole_citation(citation: Citation) -> Citation:
    texts = {name: value for name in _CITATION_TEXTS if not (value := getattr(citation, name)).isascii()}
    return msgspec.structs.replace(citation, **{name: whole(value) for name, value in texts.items()})


def _begins_another(call: _Call, id: str, name: str) -> bool:
    if not name or not call.name:
        return False
    if id and call.id:
        return id != call.id
    arguments = "".join(call.arguments)
    return bool(arguments) and not parse_json(arguments)[1]
