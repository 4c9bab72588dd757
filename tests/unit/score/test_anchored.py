"""Anchored ΔS: what must be flagged and what must not, the evidence, and the laws that hold for any text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.embedders import load_embedder
from shadowlane.errors import ScoreError
from shadowlane.score.anchored import anchor, anchored_delta_s, explain_pair

FLIPPED = [
    ("answer", "Yes, that is covered.", "No, that is covered."),
    ("number", "The limit is 5 km.", "The limit is 5 miles."),
    ("number", "The fee is 4.2% of the total.", "The fee is 2.4% of the total."),
    ("number", "It costs $20.", "It costs €20."),
    ("number", "30 days", "60 days"),
    ("number", "Employees get 20 days. Managers get 25 days.", "Employees get 25 days. Managers get 20 days."),
    ("number", "The meeting is at 3 pm.", "The meeting is at 4 pm."),
    ("number", "Dr. John Smith wrote it in 1998.", "Dr. John Smith wrote it in 1999."),
    ("number", "Order 123-456 shipped.", "Order 123-457 shipped."),
    ("date", "You must file by March 5, 2024.", "You must file by March 15, 2024."),
    ("number", "Humidity is 78%.", "Humidity is 78 points."),
    ("number", "It is done.\n17 × 23 = 391", "It is done.\n17 × 23 = 398"),
    ("number", '{\n "name": "Ann",\n "age": 31\n}', '{\n "name": "Ann",\n "age": 13\n}'),
    ("name", "Do you mean Paris, France? Which Paris is it?", "Do you mean Paris, France? Which Keller is it?"),
    ("date", "The shop opens on Monday.", "The shop opens on Friday."),
    ("name", "The capital is Paris.", "The capital is Lyon."),
    ("name", "Paris is the capital.", "Lyon is the capital."),
    ("name", "Paris", "Lyon"),
    ("name", "Send it to Austria by train.", "Send it to Australia by train."),
    ("name", "Version 1.2.3 is out.", "Version 1.2.4 is out."),
    ("code", "Use `pip install foo`.", "Use `pip install bar`."),
    ("url", "See https://a.example/x for more.", "See https://a.example/y for more."),
    ("quote", 'The key is called "alpha" here.', 'The key is called "omega" here.'),
    ("negation", "The man is playing a guitar.", "The man isn't playing a guitar."),
    ("negation", "A man is playing a guitar.", "There is no man playing a guitar."),
    ("negation", "The song is sung by a boy.", "The song is sung by nobody."),
    ("negation", "I think so.", "I don't think so."),
    ("antonym", "The store is open.", "The store is closed."),
    ("antonym", "Prices increased by 5%.", "Prices decreased by 5%."),
    ("antonym", "He is able to swim.", "He is unable to swim."),
    ("antonym", "Turn on the heater first.", "Turn off the heater first."),
    ("antonym", "At least 3 people are needed.", "At most 3 people are needed."),
    ("modality", "You must file a report.", "You may file a report."),
    ("direction", "The dog chased the cat.", "The cat chased the dog."),
    ("direction", "Ann Keller praised the work of Tom Brandt.", "Tom Brandt praised the work of Ann Keller."),
    (
        "direction",
        "The group is headed by John S. Wolf, who has served in Peru.",
        "The group is served by John S. Wolf, who has headed in Peru.",
    ),
    ("direction", "The museum shows old maps and modern art.", "The museum shows modern maps and old art."),
    ("direction", "He flew from Oslo to Rome.", "He flew from Rome to Oslo."),
    (
        "direction",
        "Two vaccines are safe in children: Nortax by Halden and Ventor from Brixen.",
        "Two vaccines are safe in children: Nortax by Brixen and Ventor by Halden.",
    ),
    (
        "direction",
        "The film stars Mara Ellison as Ida, Karl Brandt as Leo and Ann Keller as Eva.",
        "The film shows Mara Ellison as Eva, Karl Brandt as Leo and Ann Keller as Ida.",
    ),
    (
        "direction",
        "In 1876 he moved to Oslo with his brother, and to Rome in 1887 with his wife.",
        "He moved to Rome with his brother in 1876, and to Oslo in 1887 with his wife.",
    ),
    (
        "direction",
        "How far is Oslo from Bergen, and how does its weather compare to Halden's?",
        "How far is Oslo from Halden, and how does its weather compare to Bergen's?",
    ),
    ("direction", "Does he say that Brandt called Keller a liar?", "Does he say that Keller called Brandt a liar?"),
    ("direction", "Ann won gold medals, Bob won silver medals.", "Ann won silver medals, Bob won gold medals."),
    ("date", "The parcel was sent to us on March 5.", "The parcel was sent to us on 0."),
    ("date", "In late January it is 2 to 8 degrees.", "In late March it is 2 to 8 degrees."),
]

SAME = [
    ("You must file by March 5, 2024.", "You must file by 2024-03-05."),
    ("The limit is 5 km.", "The limit is 5000 m."),
    ("30 days", "thirty days"),
    ("The warranty lasts two years.", "The warranty lasts 24 months."),
    ("The meeting is at 3 pm.", "The meeting is at 15:00."),
    ("It costs twenty dollars.", "It costs $20."),
    ("It costs $1.5 million.", "It costs $1,500,000."),
    ("It weighs about 150 kg.", "It weighs roughly 148 kg in all."),
    ("The rate is 4.5%.", "The rate is 4.49 percent."),
    ("The exchange rate is 0.92.", "The current exchange rate is **0.92**."),
    ("The dog chased the cat.", "The cat was chased by the dog."),
    ("Alice and Bob won.", "Bob and Alice won."),
    ("The store is open.", "The store is not closed."),
    ("The test did not pass.", "The test failed to pass."),
    ("A man with no shirt is jumping.", "A shirtless man is jumping."),
    ("Kids are playing.", "Children are playing."),
    ("It is not only fast but cheap.", "It is fast and cheap."),
    ("Two blasts hit the Syria border.", "Two blasts hit the Syrian border."),
    ("John Smith wrote it.", "It was written by Smith."),
    ("The World Health Organization agreed.", "WHO agreed."),
    ("In 1986, Ann Keller married Tom Brandt.", "Ann Keller married Tom Brandt in 1986."),
    ("The partners are UBS, Manor, Norvik and Halden.", "The partners are Halden, Manor, Norvik and UBS."),
    ("When prices rise, wages fall.", "Wages fall when prices rise."),
    ("The capital of France is Paris.", "Paris is the capital of France."),
    ('"It is cold in Oslo," said Ann Keller, a spokeswoman.', 'Ann Keller, a spokeswoman, said: "It is cold in Oslo."'),
    ("Ann's brother Tom Brandt won.", "Tom Brandt, the brother of Ann, won."),
    ("Troops of Qaeda left.", "Troops of Qaida left."),
    ("A little monkey eats.", "There is a little monkey which eats."),
    (
        "Stop at the curb. Do not step into the street yet. Look left.",
        "Look both ways before stepping into the street. Then cross quickly.",
    ),
    ("She was born on 6 October 1899 in Kent .", "She was born on October 6 , 1899 in Kent ."),
    ("It was shown from 21 to 28 January in Oslo.", "It was shown between January 21 and 28 in Oslo."),
    ("He lived there (1903 - 1967) and wrote.", "He lived there (1903 -1967) and wrote."),
    ("The redshift is 0.712.", "The redshift is 0,712."),
    ("She weighed 260 pounds then.", "She weighed 117 kg then."),
    ("The track `` Blue Harbour '' is short .", 'The track "Blue Harbour" is short.'),
    ("The album has `` Dancing the Groove '' on it .", "The album has `` Dance the Groove '' on it ."),
    ("The Coast Artillery Regiment left Oslo.", "The Coastal Artillery Regiment left Oslo."),
    (
        "What is the difference between private schools and public schools?",
        "What is the difference between public schools and private schools?",
    ),
    ("Is it an ionic bond or a covalent bond?", "Is it a covalent bond or an ionic bond?"),
    ("Laws of local vs state vs federal rank differ.", "Laws of federal vs state vs local rank differ."),
    (
        "He played for Rapid Oslo, Halden, Excelsior and Rapid Bergen.",
        "He played for Rapid Bergen, Halden, Excelsior and Rapid Oslo.",
    ),
    ("Dotty was born in Boston in 1923.", "Dotty was born in 1923 in Boston."),
    ("The chief, also known as Ahmed, lives in Oslo.", "Ahmed, also known as the chief, lives in Oslo."),
    ("He stayed in baseball as a scout until his death.", "He stayed until his death as a scout in baseball."),
    (
        "What are the long-term and short-term effects of the rule on Israeli trade?",
        "What are the short-term and long-term effects of the rule on Israel trade?",
    ),
    (
        "It praised the ideas of the plan and applauded the growth of the common market.",
        "It applauded the ideas of the plan and praised the growth of the common market.",
    ),
    ("Ann Keller (also Dick) appears in the play.", "Dick (also Ann Keller) appears in the play."),
    ("The Giur is a tributary of the Măgherus in the west.", "The Giur is a tributary of the Măgheruş in the west."),
    ("It takes effect unless the fee is paid.", "It takes effect if the fee is not paid."),
    ("That was not all: Ann Keller hopes to sell a million cars.", "Ann Keller hopes to sell a million cars."),
    ("", ""),
    ("", "Some text."),
]


@pytest.mark.parametrize(("kind", "a", "b"), FLIPPED, ids=[f"{kind}: {a}" for kind, a, _ in FLIPPED])
def test_contradictions_are_flagged_with_their_spans(kind: str, a: str, b: str) -> None:
    for left, right in ((a, b), (b, a)):
        found = anchor(left, right, 0.05)
        assert found.fact_flip
        assert found.anchored >= 0.60
        assert np.float32(found.anchored) >= np.float32(0.60)
        assert kind in [item.kind for item in found.evidence]
        for item in found.evidence:
            assert left[slice(*item.a)] == item.text_a != ""
            assert right[slice(*item.b)] == item.text_b != ""


@pytest.mark.parametrize(("a", "b"), SAME, ids=[f"{a} | {b}" for a, b in SAME])
def test_other_words_for_the_same_are_not_flagged(a: str, b: str) -> None:
    for left, right in ((a, b), (b, a)):
        found = anchor(left, right, 0.05)
        assert found.evidence == ()
        assert not found.fact_flip


text = st.text(max_size=300) | st.lists(
    st.sampled_from(re.findall(r"\S+", " ".join(f"{a} {b}" for _, a, b in FLIPPED))), max_size=40
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text, text, st.floats(0, 2))
def test_laws_for_any_two_texts(a: str, b: str, plain: float) -> None:
    there = anchor(a, b, plain)
    assert 0 <= there.anchored <= 2
    assert there.fact_flip == bool(there.evidence)
    if there.fact_flip:
        assert there.anchored >= 0.60
    for item in there.evidence:
        assert a[slice(*item.a)] == item.text_a
        assert b[slice(*item.b)] == item.text_b
    assert anchor(a, a, plain).evidence == ()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["red", "house", "sees", "tall", "tree", "slowly"]), max_size=8), st.floats(0, 2))
def test_without_evidence_it_is_plain(words: list[str], plain: float) -> None:
    said = " ".join(words)
    assert anchor(said, said, plain).anchored == pytest.approx(plain, abs=1e-9)


def test_order_counts_as_far_as_the_words_are_the_same() -> None:
    a = "the red house stands behind a tall old tree near our river"
    moved = "a tall old tree near our river stands behind the red house"
    assert anchor(a, moved, 0.02).anchored > 0.2
    assert anchor(a, "something else entirely is said about this", 0.5).anchored == pytest.approx(0.5)


def test_an_entity_that_one_side_lacks_is_no_contradiction() -> None:
    found = anchor("The fee is $20 until May 5, 2024.", "The fee is $20.", 0.2)
    assert not found.fact_flip
    assert found.anchored > 0.2


@pytest.mark.parametrize(
    "foreign",
    [
        "Il fatturato non è cresciuto del 5% rispetto al precedente.",
        "Выручка выросла на 5% по сравнению с прошлым годом.",
    ],
)
def test_of_other_languages_values_alone_are_compared_and_that_is_said(foreign: str) -> None:
    found = anchor(foreign, foreign.replace("non ", "").replace("выросла", "упала"), 0.3)
    assert (found.anchored, found.fact_flip, found.unread) == (0.3, False, "language")
    assert "only values were compared" in found.note
    assert (found.missing.share, found.extra.share) == (0, 0)
    found = anchor(foreign, foreign.replace("5", "9"), 0.3)
    assert {item.kind for item in found.evidence} == {"number"}
    assert found.anchored >= 0.60


def test_what_one_text_leaves_out_is_missing_in_it_and_no_flip() -> None:
    whole, part = "Unplug the device first. Remove the four screws.", "Remove the four screws."
    found = anchor(whole, part, 0.2)
    assert (found.missing.share, found.missing.texts) == (0.5, ("Unplug the device first.",))
    assert (found.extra.share, found.fact_flip, found.unread) == (0, False, "")
    assert anchor(part, whole, 0.2).extra == found.missing


@pytest.mark.parametrize(
    ("whole", "part", "share", "texts"),
    [
        ("You can send unworn shoes back within 30 days. Refunds go to your card.",
         "You can send unworn shoes back. Refunds go to your card.", 1 / 3, ["30 days"]),
        ("Die Kaution von 450 Euro zahlen wir nach dem Auszug zurück.",
         "Die Kaution zahlen wir nach dem Auszug zurück.", 1 / 2, ["450 Euro"]),
        ("Take one tablet of 20 mg every 8 hours with a glass of water.",
         "Take one tablet with a glass of water.", 2 / 3, ["20 mg", "8 hours"]),
    ],
)  # fmt: skip
def test_a_value_that_a_sentence_leaves_out_is_missing_and_no_flip(
    whole: str, part: str, share: float, texts: list[str]
) -> None:
    found = anchor(whole, part, 0.1)
    assert found.missing.share == pytest.approx(share)
    assert [text for text in texts if any(text in known for known in found.missing.texts)] == texts
    assert (found.extra.share, found.fact_flip) == (0, False)
    assert anchor(part, whole, 0.1).extra == found.missing


def test_a_value_in_a_sentence_that_is_left_out_counts_with_it() -> None:
    whole, part = "Unplug the device for 10 minutes. Remove the four screws.", "Remove the four screws."
    assert anchor(whole, part, 0.2).missing.share == 0.5


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ("Haustiere sind in der Wohnung nicht erlaubt.", "In der Wohnung sind Haustiere erlaubt.", "negation"),
        ("Le locataire doit prévenir par écrit.", "Le locataire peut prévenir par écrit.", "modality"),
        ("Todas las habitaciones tienen balcón.", "Algunas habitaciones tienen balcón.", "quantifier"),
        ("药片应在饭前服用。", "药片应在饭后服用。", "antonym"),
    ],
)
def test_clauses_of_other_languages_contradict_with_spans(a: str, b: str, kind: str) -> None:
    found = anchor(a, b, 0.1)
    assert [item.kind for item in found.evidence] == [kind]
    assert found.evidence[0].text_a in a
    assert found.evidence[0].text_b in b
    assert found.anchored >= 0.60


def test_anchored_delta_s() -> None:
    a = ["The limit is 5 km.", "The limit is 5 km.", ""]
    b = ["The limit is 5 miles.", "The limit is 5 km.", ""]
    result = anchored_delta_s(a, b)
    assert result.dtype == np.float32
    assert result.tolist() == [pytest.approx(0.6, abs=0.2), pytest.approx(0, abs=1e-6), 0]
    assert result[0] >= np.float32(0.6)
    known = anchored_delta_s(a, b, delta=np.array([0.1, 0.3, 0.0]))
    assert known.tolist() == [pytest.approx(0.6), pytest.approx(0.3), 0]
    assert anchored_delta_s([], []).shape == (0,)


def test_anchored_delta_s_refuses() -> None:
    with pytest.raises(ScoreError, match="2 texts against 1"):
        anchored_delta_s(["a", "b"], ["c"])
    with pytest.raises(ScoreError, match="delta has shape"):
        anchored_delta_s(["a"], ["b"], delta=np.zeros(2))


def test_explain_pair() -> None:
    found = explain_pair("The capital is Paris.", "The capital is Lyon.")
    assert found.delta_s < 0.60
    assert found.fact_flip
    assert [(item.kind, item.text_a, item.text_b) for item in found.evidence] == [("name", "Paris", "Lyon")]
    assert found.embedder.startswith("wordllama")
    assert explain_pair("a b", "a b", load_embedder("lexical")).embedder.startswith("lexical")


DATES = [
    ("2024-03-05", "March 5, 2024", True),
    ("5 March 2024", "March 5th", True),
    ("03/05/2024", "5 March 2024", True),
    ("03/05/2024", "March 5, 2024", True),
    ("13/05/2024", "May 13, 2024", True),
    ("2024-03-05", "2024-03-06", False),
    ("March 2024", "March 5, 2024", True),
    ("March 2024", "April 2024", False),
    ("3 pm", "15:00", True),
    ("12 am", "0:00", True),
    ("3:30 p.m.", "15:31", False),
    ("13/13/2024", "14/14/2024", False),
]


@pytest.mark.parametrize(("one", "other", "same"), DATES, ids=[f"{one} | {other}" for one, other, _ in DATES])
def test_dates_and_times(one: str, other: str, same: bool) -> None:
    for left, right in ((one, other), (other, one)):
        assert (
            anchor(f"The office opens on {left} again.", f"The office opens on {right} again.", 0.1).fact_flip
            is not same
        )


def test_half_a_surrogate_pair_is_one_character() -> None:
    found = anchor("\ud83d The fee is $20.", "\ud83d The fee is $30.", 0.1)
    assert [(item.text_a, item.text_b) for item in found.evidence] == [("$20", "$30")]


def test_spans_count_characters() -> None:
    found = anchor(
        "Ärger: die Gebühr — the fee — is $20 as we said.", "Ärger: die Gebühr — the fee — is $30 as we said.", 0.1
    )
    assert [(item.text_a, item.text_b) for item in found.evidence] == [("$20", "$30")]


def test_what_lies_beyond_the_bound_is_not_read_and_that_is_said() -> None:
    head = "The shop is open today. " * 3000
    found = anchor(head + "The fee is $20.", head + "The fee is $30.", 0.1)
    assert not found.fact_flip
    assert "64 KiB" in found.note
