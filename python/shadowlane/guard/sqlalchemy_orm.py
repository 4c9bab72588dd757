"""The unit of work of a fenced engine: what a shadow changed is never flushed, by the shadow or after it.

Invariant: an object that was changed, added or deleted while a copy was answered cannot be flushed later, outside, by
whoever holds its session; expiring or refreshing it (a rollback does) takes that back. SQLAlchemy has no event for "an
object was modified", so every mapped attribute gets a listener: outside a shadow it costs one look at a context
variable.
"""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, object_mapper

from .context import ShadowWriteError, is_shadow

__all__ = ["watch_sessions"]

Guards = Callable[[Any], bool]
_touched: weakref.WeakSet[Any] = weakref.WeakSet()
"""The states of objects that a shadow changed."""
_watched: weakref.WeakSet[Any] = weakref.WeakSet()
"""The mappers whose attributes have listeners."""
_guards: list[Guards] = []


def watch_sessions(guards: Guards) -> None:
    """Refuse flushes to what ``guards`` names (a function of an engine or connection). Sessions and mappers are
    SQLAlchemy's own, so this is done once for the process, for those that exist and those to come."""
    if _guards:
        return
    _guards.append(guards)
    event.listen(Session, "before_flush", _before_flush)
    event.listen(Session, "do_orm_execute", _do_orm_execute)
    event.listen(Session, "transient_to_pending", lambda _, instance: _changed(inspect(instance)))
    event.listen(Mapper, "mapper_configured", lambda mapper, _: _watch(mapper))
    event.listen(Mapper, "expire", lambda state, _: _touched.discard(state), raw=True)
    event.listen(Mapper, "refresh", lambda state, *_: _touched.discard(state), raw=True)
    for mapper in [one for one in gc.get_objects() if isinstance(one, Mapper)]:
        if mapper.configured:
            _watch(mapper)
    Session.delete = _deleting(Session.delete)  # type: ignore[method-assign,assignment]


def _watch(mapper: Mapper[Any]) -> None:
    if mapper in _watched:
        return
    _watched.add(mapper)
    for attribute in (*mapper.column_attrs, *mapper.relationships):
        for name in ("set", "append", "remove", "bulk_replace", "modified"):
            event.listen(attribute.class_attribute, name, _changed, raw=True)


def _changed(state: Any, *_: Any, **__: Any) -> None:
    if is_shadow():
        _touched.add(state)


def _deleting(delete: Callable[[Session, object], None]) -> Callable[[Session, object], None]:
    """``Session.delete`` raises no event before the flush, so it notes itself who deleted."""

    @functools.wraps(delete)
    def noted(session: Session, instance: object) -> None:
        delete(session, instance)
        _changed(inspect(instance))

    return noted


def _before_flush(session: Session, flush_context: Any, instances: Any) -> None:
    shadow = is_shadow()
    if not shadow and not _touched:
        return
    changed = [*session.new, *session.deleted, *(one for one in session.dirty if session.is_modified(one))]
    for one in changed:
        if (shadow or inspect(one) in _touched) and _guarded(session.get_bind(object_mapper(one))):
            name = type(one).__name__
            after = f"a flush, after it, with a {name} that it changed; refresh the object, or roll back"
            raise ShadowWriteError(f"a flush with a changed {name}" if shadow else after)


def _do_orm_execute(state: ORMExecuteState) -> None:
    writes = state.is_insert or state.is_update or state.is_delete
    if writes and is_shadow() and _guarded(state.session.get_bind(**state.bind_arguments)):
        raise ShadowWriteError("a bulk operation of the ORM")


def _guarded(bind: Any) -> bool:
    return any(guards(bind) for guards in _guards)
