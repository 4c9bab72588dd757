"""A small retrieval service that may be asked as a shadow: it answers copies, and writes nothing while it does.

``RAG_DATABASE`` is its database (SQLAlchemy URL). ``LANE_KEY`` is the key that the lane signs with: a request that says
it is a copy and is not signed by it is answered 403. Without the variable every request with the tag is a copy.
"""

from __future__ import annotations

import os
import re

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from shadowlane.guard import ShadowGuard, is_shadow, writes
from shadowlane.guard.sqlalchemy import fence

SECTIONS = {
    "payments/deposits": "A new account leaves a deposit of 30 euros. It comes back with the last bill.",
    "payments/refunds": "A ride that was charged twice is refunded within 5 working days.",
    "riding/parking": "Park at a station. Parking elsewhere in the city costs 2 euros.",
}

engine = create_engine(os.environ.get("RAG_DATABASE", "sqlite:///rag.db"))
with engine.begin() as connection:
    connection.execute(text("CREATE TABLE IF NOT EXISTS asked (question TEXT NOT NULL)"))
fence(engine)  # from here on: statements that write are refused while a copy is answered


class Question(BaseModel):
    question: str


def words(of: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", of.lower()))


def nothing(question: str) -> None:
    """What is done for a copy in place of remembering its question."""


@writes(instead=nothing)
def remember(question: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO asked VALUES (:question)"), {"question": question})


service = FastAPI()


@service.post("/ask")
def ask(asked: Question) -> dict[str, object]:
    """The section that shares most words with the question, and where it stands."""
    section, found = max(SECTIONS.items(), key=lambda entry: len(words(entry[1]) & words(asked.question)))
    remember(asked.question)
    return {"answer": found, "citations": [{"section": section}], "shadow": is_shadow()}


@service.get("/asked")
def how_many() -> dict[str, int]:
    with engine.connect() as connection:
        return {"questions": int(connection.execute(text("SELECT count(*) FROM asked")).scalar_one())}


keys = [os.environ["LANE_KEY"]] if os.environ.get("LANE_KEY") else []
app = ShadowGuard(service, keys=keys)  # outermost
