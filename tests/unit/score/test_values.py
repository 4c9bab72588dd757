"""Values in six languages: equal quantities are equal however they are written, others are flips with both spans."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.score.anchored import anchor

# Two ways to say one thing: (language, one, other).
EQUAL = [
    ("en", "The link works for 15 minutes.", "The link works for a quarter of an hour."),
    ("en", "Take 4 g of salt.", "Take 4,000 mg of salt."),
    ("en", "Wait half an hour before you eat.", "Wait 30 minutes before you eat."),
    ("en", "The pass is valid for twenty-four hours.", "The pass is valid for one day."),
    ("en", "The pass costs $1.5 million in all.", "The pass costs 1,500,000 dollars in all."),
    ("en", "The repository holds 10k files.", "The repository holds 10,000 files."),
    ("en", "The office closes at 3 PM.", "The office closes at 15:00."),
    ("en", "The office closes at 3:30 p.m. today.", "The office closes at 15:30 today."),
    ("en", "It began on March 3, 2024.", "It began on 3 March 2024."),
    ("en", "A quarter of the budget is spent.", "25% of the budget is spent."),
    ("en", "You need no less than 8 GB of memory.", "You need at least 8 GB of memory."),
    ("en", "You need 8 GB of memory or more.", "You need at least 8 GB of memory."),
    ("en", "Take it three times a day.", "Take it every 8 hours."),
    ("en", "Sales were USD 12.4m in Q3 2024.", "Sales were $12.4 million in the third quarter of 2024."),
    ("en", "The notice period is two hundred and ten days.", "The notice period is 210 days."),
    ("en", "It takes 1 hour and 30 minutes.", "It takes 90 minutes."),
    ("en", "Keep three to six months of expenses.", "Keep 3-6 months' expenses."),
    ("en", "The fee fell from 21 to 18 percent.", "The fee fell to 18% from 21%."),
    ("en", "Store it below 25 °C.", "Store it below 77 °F."),
    ("en", "Ring +49 30 1234567.", "Ring +49 (30) 123-4567."),
    ("en", "The 2013-14 season was short.", "The season of 2013/2014 was short."),
    ("en", "It is 5 km to the lake.", "It is 5,000 metres to the lake."),
    ("de", "Der Link gilt eine Viertelstunde.", "Der Link gilt 15 Minuten."),
    ("de", "Der Umsatz lag bei 12,4 Mio. Euro.", "Der Umsatz lag bei 12.400.000 €."),
    ("de", "Die Frist beträgt vierzehn Tage.", "Die Frist beträgt 14 Tage."),
    ("de", "Die Frist beträgt zwei Wochen.", "Die Frist beträgt 14 Tage."),
    ("de", "Der Zug fährt um 15 Uhr.", "Der Zug fährt um 15:00 Uhr."),
    ("de", "Der Zug fährt um halb vier.", "Der Zug fährt um 3:30 Uhr."),
    ("de", "Sie endet am 3. März 2024.", "Sie endet am 3.3.2024."),
    ("de", "Es kostet 1.000 Euro.", "Es kostet 1000 €."),
    ("de", "Sie brauchen mindestens fünfundzwanzig Punkte.", "Sie brauchen 25 Punkte oder mehr."),
    ("de", "Ein Viertel der Kunden kündigt.", "25 Prozent der Kunden kündigen."),
    ("de", "Die Prüfung findet wöchentlich statt.", "Die Prüfung findet jede Woche statt."),
    ("de", "Von 9 bis 17 Uhr ist geöffnet.", "Geöffnet ist von 9:00 bis 17:00 Uhr."),
    ("fr", "Le lien est valable un quart d'heure.", "Le lien est valable 15 minutes."),
    ("fr", "Le train part à 15 h 10.", "Le train part à 15:10."),
    ("fr", "Il faut quatre-vingt-dix jours.", "Il faut 90 jours."),
    ("fr", "Le chiffre d'affaires est de 12,4 millions d'euros.", "Le chiffre d'affaires est de 12 400 000 €."),
    ("fr", "La remise est de vingt pour cent.", "La remise est de 20 %."),
    ("fr", "Le préavis est d'au moins trois mois.", "Le préavis est de 3 mois ou plus."),
    ("fr", "Le contrat prend fin le 1er mars 2024.", "Le contrat prend fin le 01/03/2024."),
    ("fr", "La facture est mensuelle.", "La facture arrive chaque mois."),
    ("es", "El enlace es válido durante un cuarto de hora.", "El enlace es válido durante 15 minutos."),
    ("es", "El tren sale a las 15.10 h.", "El tren sale a las 15:10."),
    ("es", "El tren sale a las 3 de la tarde.", "El tren sale a las 15:00."),
    ("es", "El plazo es de treinta y cinco días.", "El plazo es de 35 días."),
    ("es", "Cuesta dos mil cuatrocientos euros.", "Cuesta 2.400 €."),
    ("es", "Hay un descuento del veinte por ciento.", "Hay un descuento del 20 %."),
    ("es", "Empieza el 3 de marzo de 2024.", "Empieza el 03/03/2024."),
    ("es", "Se necesitan al menos 8 GB.", "Se necesitan 8 GB o más."),
    ("zh", "链接有效期为一刻钟。", "链接有效期为15分钟。"),
    ("zh", "租期结束前三个月通知。", "租期结束前3个月通知。"),
    ("zh", "会议于2024年3月3日举行。", "会议于二〇二四年三月三日举行。"),
    ("zh", "会议下午3点开始。", "会议15:00开始。"),
    ("zh", "收入为1240万元。", "收入为12,400,000元。"),
    ("zh", "增长了百分之三十。", "增长了30%。"),
    ("zh", "每天服用三次。", "一天服用3次。"),
    ("ja", "リンクは15分間有効です。", "リンクは15分有効です。"),
    ("ja", "会議は午後3時に始まります。", "会議は15時に始まります。"),
    ("ja", "会議は2024年3月3日です。", "会議は2024/3/3です。"),
    ("ja", "料金は3万5千円です。", "料金は35,000円です。"),
    ("ja", "30日以内に返品できます。", "返品は30日以内です。"),
    ("ja", "1日3回服用します。", "毎日3回服用します。"),
]

# One thing with two values: (language, kind, one, other, span of one, span of other).
OTHER = [
    ("en", "number", "It comes to 17 × 23 = 391.", "Sure: 17 * 23 = 394.", "391", "394"),
    ("en", "number", "The service listens on port 8080.", "It listens on port 8081 only.", "8080", "8081"),
    (
        "en",
        "number",
        "The link works for 15 minutes.",
        "You have 50 minutes to use the link.",
        "15 minutes",
        "50 minutes",
    ),
    ("en", "number", "The deposit is EUR 2,400.", "You leave a deposit of $2400.", "EUR 2,400", "$2400"),
    ("en", "number", "Sales were $12.4 million.", "Sales came to USD 12.4bn.", "$12.4 million", "USD 12.4bn"),
    ("en", "date", "It opens on 3 March 2024.", "The opening is on March 13, 2024.", "3 March 2024", "March 13, 2024"),
    ("en", "number", "The office closes at 3 PM.", "Closing time of the office is 16:00.", "3 PM", "16:00"),
    ("en", "number", "Billing is done every 2 weeks.", "It is billed every 6 weeks.", "2 weeks", "6 weeks"),
    ("en", "code", "Your order ORD-48213 was sent.", "We sent order ORD-48231 to you.", "ORD-48213", "ORD-48231"),
    (
        "en",
        "code",
        "Write to help@example.com.",
        "The address to write to is help@example.org.",
        "help@example.com",
        "help@example.org",
    ),
    ("en", "date", "Revenue grew in Q3 2024.", "In Q2 2024 revenue grew.", "Q3", "Q2"),
    ("en", "number", "Set the timeout to 30 s.", "The timeout should be set to 300 s.", "30 s", "300 s"),
    (
        "de",
        "number",
        "Die Rückgabe ist 30 Tage lang möglich.",
        "Sie haben 14 Tage für die Rückgabe.",
        "30 Tage",
        "14 Tage",
    ),
    ("de", "number", "Das Ticket kostet 54 Euro.", "Der Preis des Tickets beträgt 45 €.", "54 Euro", "45 €"),
    ("de", "date", "Der Vertrag endet am 3. März.", "Ende des Vertrags ist der 13. März.", "3. März", "13. März"),
    (
        "de",
        "number",
        "Mindestens 3 Personen sind nötig.",
        "Höchstens 3 Personen sind nötig.",
        "Mindestens 3",
        "Höchstens 3",
    ),
    ("fr", "number", "Le billet coûte 54 euros.", "Comptez 45 € pour le billet.", "54 euros", "45 €"),
    ("fr", "number", "Le train part à 15 h 10.", "Départ du train à 16h10.", "15 h 10", "16h10"),
    ("fr", "number", "Il faut au moins 3 jours.", "Il faut au plus 3 jours.", "au moins 3 jours", "au plus 3 jours"),
    ("es", "number", "El billete cuesta 54 euros.", "El precio del billete es de 45 €.", "54 euros", "45 €"),
    ("es", "number", "El tren llega a las 17:45.", "La llegada del tren es a las 18.45 h.", "17:45", "18.45 h"),
    (
        "es",
        "number",
        "Tiene 30 días para devolverlo.",
        "La devolución se admite durante 14 días.",
        "30 días",
        "14 días",
    ),
    ("zh", "number", "押金2400元将在60天内退还。", "60天之内会退回2,800元押金。", "2400元", "2,800元"),
    ("zh", "number", "必须提前三个月通知。", "须提前两个月通知。", "三个月", "两个月"),
    ("zh", "number", "18岁以上可以购买。", "18岁以下可以购买。", "18岁以上", "18岁以下"),
    ("ja", "number", "お届けから30日以内に返品できます。", "返品はお届け後14日以内です。", "30日", "14日"),
    ("ja", "number", "料金は5,000円です。", "料金は五万円です。", "5,000円", "五万円"),
    ("ja", "date", "会議は3月3日です。", "会議は3月13日に開かれます。", "3月3日", "3月13日"),
]

# Something is left out, added, said of another thing or in another order: no flip.
NO_FLIP = [
    ("en", "The fee is $20. It is due within 30 days.", "The fee is $20."),
    ("en", "The fee is $20, and parking costs $5.", "Parking costs $5; the fee is $20."),
    ("en", "See https://a.example/x for more.", "More is said at https://b.example/y."),
    ("en", "1. Open the file.\n2. Save it.", "- Open the file.\n- Save it."),
    ("en", "Give notice no later than 3 months before the end.", "Give notice at least 3 months before the end."),
    ("en", "Bake it for 20 minutes.", "It is a popular dish with 3 layers."),
    ("de", "Die Miete beträgt 800 Euro, die Kaution 1.600 Euro.", "Kaution: 1600 €. Miete: 800 €."),
    ("fr", "Le loyer est de 800 euros par mois.", "Le loyer mensuel est de 800 €."),
    ("es", "Abre de 9:00 a 17:00.", "El horario es de 9 a 17 h."),
    ("zh", "租金每月3000元，押金6000元。", "押金6000元，每月租金3000元。"),
    ("ja", "料金は5,000円、送料は500円です。", "送料500円、料金5,000円です。"),
]

# Two values that changed places.
EXCHANGED = [
    ("en", "The margin fell from 21 to 18 percent last year.", "Last year the margin went to 21% from 18%."),
    ("de", "Die Miete beträgt 800 Euro, die Kaution 1600 Euro.", "Die Kaution beträgt 800 Euro, die Miete 1600 Euro."),
    (
        "fr",
        "Le loyer est de 800 euros, la caution de 1600 euros.",
        "La caution est de 800 euros, le loyer de 1600 euros.",
    ),
    (
        "es",
        "El alquiler es de 800 euros, la fianza de 1600 euros.",
        "La fianza es de 800 euros, el alquiler de 1600 euros.",
    ),
    ("zh", "租金3000元，押金6000元。", "押金3000元，租金6000元。"),
    ("ja", "料金は5,000円、送料は500円です。", "送料は5,000円、料金は500円です。"),
]


@pytest.mark.parametrize(("lang", "a", "b"), EQUAL + NO_FLIP, ids=[f"{lang}: {a}" for lang, a, _ in EQUAL + NO_FLIP])
def test_one_value_in_two_forms_is_no_flip(lang: str, a: str, b: str) -> None:
    assert lang
    for left, right in ((a, b), (b, a)):
        assert anchor(left, right, 0.1).evidence == ()


@pytest.mark.parametrize(
    ("lang", "kind", "a", "b", "span_a", "span_b"), OTHER, ids=[f"{lang}: {a}" for lang, _, a, *_ in OTHER]
)
def test_another_value_of_the_same_thing_is_a_flip(
    lang: str, kind: str, a: str, b: str, span_a: str, span_b: str
) -> None:
    assert lang
    for left, right, one, other in ((a, b, span_a, span_b), (b, a, span_b, span_a)):
        found = [(item.kind, item.text_a, item.text_b) for item in anchor(left, right, 0.1).evidence]
        assert [item for item in found if item[0] == kind and one in item[1] and other in item[2]], found


@pytest.mark.parametrize(("lang", "a", "b"), EXCHANGED, ids=[f"{lang}: {a}" for lang, a, _ in EXCHANGED])
def test_values_that_changed_places_are_a_flip(lang: str, a: str, b: str) -> None:
    assert lang
    assert anchor(a, b, 0.1).fact_flip
    assert anchor(b, a, 0.1).fact_flip


@pytest.mark.parametrize(("lang", "a", "b"), EQUAL, ids=[f"{lang}: {a}" for lang, a, _ in EQUAL])
def test_both_forms_are_read(lang: str, a: str, b: str) -> None:
    """Else two forms would be no flip for the wrong reason: another amount of one of them is seen as another one."""
    found = re.search(r"[0-9]+", b)
    if lang and found:
        place = found.end() - 1
        changed = b[:place] + str((int(b[place]) + 4) % 9 + 1) + b[place + 1 :]
        assert anchor(b, changed, 0.1).fact_flip, changed


WORDS = [
    "30",
    "Tage",
    "3 PM",
    "%",
    "€",
    "1.000",
    "12,4 Mio.",
    "三个月",
    "15時10分",
    "at least",
    "or",
    "to",
    "March",
    "5",
    "half an hour",
    "Q3",
    "2024",
    "+49 30 1234567",
    "a@b.example",
    "v1.2",
    "以上",
    "every",
    "-",
    "\n",
    ". ",
    "fünf",
]
text = st.text(max_size=120) | st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text, text)
def test_laws_of_values(a: str, b: str) -> None:
    there = anchor(a, b, 0.2)
    assert anchor(a, a + " ", 0.2).evidence == ()
    for item in there.evidence:
        assert a[slice(*item.a)] == item.text_a != ""
        assert b[slice(*item.b)] == item.text_b != ""


UNITS = [
    ("mg", "g", 1000),
    ("g", "kg", 1000),
    ("m", "km", 1000),
    ("minutes", "hours", 60),
    ("hours", "days", 24),
    ("days", "weeks", 7),
    ("ml", "l", 1000),
    ("kb", "MB", 1000),
    ("cents", "dollars", 100),
]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 500), st.sampled_from(UNITS))
def test_equal_quantities_in_other_units_are_no_flip(count: int, units: tuple[str, str, int]) -> None:
    small, large, factor = units
    one, other = f"The limit is {count * factor} {small} in all.", f"The limit is {count} {large} in all."
    assert anchor(one, other, 0.1).evidence == ()
    assert anchor(one, other.replace(str(count), str(count + 7)), 0.1).fact_flip
