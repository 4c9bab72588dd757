"""What the judge knows of English: function words, negators, modals, opposites, and the stems that make them match.

Invariant: general vocabulary only, looked up and never learnt, so that every flag can be traced to a line in this file.
Written by hand, with contradictions of SICK's training part and the swapped facts of ``benches/judge`` at hand, so a
figure measured on those two flatters it.
"""

from __future__ import annotations

__all__ = [
    "AUXILIARIES",
    "CONJUNCTIONS",
    "DETERMINERS",
    "FUNCTION_WORDS",
    "HEDGES",
    "MODALITY",
    "NEGATORS",
    "OPPOSITES",
    "OTHER_LANGUAGES",
    "PRONOUNS",
    "WEAK_NEGATORS",
    "negated_form",
    "stem",
    "words",
]


def words(text: str) -> frozenset[str]:
    """A set of words, written as a line of text."""
    return frozenset(text.split())


DETERMINERS = words("a an the this that these those some any each every another either such its his her their")

PRONOUNS = words(
    "i you he she it we they me him us them my your our mine yours hers ours theirs who whom whose which what "
    "one someone somebody something anyone anybody anything everyone everybody everything itself himself "
    "herself themselves myself yourself there here"
)

AUXILIARIES = words(
    "is are was were be been being am do does did done has have had having 's 're 've 'm 'll 'd will would "
    "could can may might shall should must"
)

CONJUNCTIONS = words("but although though while whereas because however unless if since so yet")

_PREPOSITIONS = words(
    "of in on at by for with from to into onto over under above below up down off out through across about "
    "between among against during before after around behind beside along within without upon toward towards as "
    "than like via per until till"
)

FUNCTION_WORDS = (
    DETERMINERS
    | PRONOUNS
    | AUXILIARIES
    | CONJUNCTIONS
    | _PREPOSITIONS
    | words(
        "and or nor also too very just only more most less least much many few other same then when where how why "
        "again even still already quite rather really please let lot bit kind sort all both"
    )
)

NEGATORS = words(
    "no non not n't never none nobody nothing nowhere neither nor without cannot noone hardly scarcely dont "
    "doesnt didnt isnt wasnt arent werent wont cant couldnt wouldnt shouldnt hasnt havent hadnt"
)
"""Words that turn what follows them, up to the end of the clause, into its opposite."""

OTHER_LANGUAGES = words(
    "der die das und ist nicht ein eine mit auf den dem von zu sich auch wird sind im für le la les des est et "
    "une un dans pour que qui sur pas avec ne du au el los las del es en por para con una como su al il lo gli "
    "di che per non sono della nel è o os da em não uma um mais het een van en niet op te dat zijn och att det "
    "som på är ikke og jest nie się na"
) - words("die van den non in on an no me do to at as is so he we be us by or of a i en es as des")
"""Function words of other languages written in Latin letters that are no English words."""

HEDGES = words("about around roughly approximately nearly almost some circa approx over under least most than")

MODALITY: dict[str, str] = {
    **dict.fromkeys(words("must shall required mandatory obligatory obliged compulsory"), "must"),
    **dict.fromkeys(words("may optional optionally permitted allowed"), "may"),
    **dict.fromkeys(words("never forbidden prohibited disallowed banned"), "never"),
    **dict.fromkeys(words("always invariably"), "always"),
}

# One group a line: every word excludes, said of the same thing at the same time, each word beyond the bar.
_EXCLUSIVE = """
hot warm | cold cool icy freezing
wet soaked | dry
full crowded | empty deserted
open | closed close shut
big large huge giant enormous tall | small little tiny short
long | short brief
high | low
fast quick rapid quickly rapidly | slow slowly
old elderly ancient | young new
light bright | dark dim
thick fat | thin slim skinny
strong | weak
rich wealthy | poor
hard difficult | easy simple
hard | soft
heavy | light
loud noisy | quiet silent
clean | dirty filthy
good great excellent | bad poor terrible
best | worst
better | worse
right correct true accurate valid | wrong incorrect false inaccurate invalid
safe | dangerous unsafe
happy glad cheerful | sad unhappy upset
alive living | dead
early earlier | late later
first | last second third fourth fifth
second | third fourth fifth
third | fourth fifth
minute | hour day week month year second
hour | day week month year second
day | week month year
week | month year
month | year
daily | weekly monthly yearly annually
weekly | monthly yearly annually
monthly | yearly annually
kilometer km kilometre | mile
left | right
public | private
internal | external
indoor indoors inside | outdoor outdoors outside
near close nearby | far distant
front | back
top | bottom
upper | lower
north northern | south southern
east eastern | west western
day daytime | night nighttime
morning | evening
summer | winter
male man boy gentleman | female woman girl lady
father dad | mother mom
son | daughter
brother | sister
husband | wife
king | queen
he | she
him | her
adult | child kid baby
black | white red yellow green blue
up upward | down downward
in | out
on onto | off
before until within | after
above over | below under beneath underneath
into | out
inside | outside
more | less fewer
most | least
maximum max | minimum min
many | few
always | never sometimes
everybody everyone | nobody
all every | none
both | neither
increase rise grow climb gain soar jump surge expand | decrease fall drop decline shrink lose plunge sink reduce
raise lift | lower drop
add put | remove
give | take
buy purchase | sell
lend | borrow
send | receive
push | pull
win | lose
start begin launch | stop end finish quit halt
open | close
enter arrive come | leave exit depart
accept approve | reject deny refuse decline
allow permit | forbid prohibit ban disallow prevent block
enable | disable
include contain | exclude
succeed pass | fail
love like enjoy | hate dislike
remember | forget
agree | disagree
admit confirm | deny
support favor | oppose
build create make construct | destroy demolish
lock | unlock
tie | untie
wrap | unwrap
fold | unfold
dress | undress
load | unload
install | uninstall
connect | disconnect
attach | detach
appear | disappear vanish
encrypt | decrypt
upload | download
import | export
push | drag
throw | catch
catch hit | miss
fill | empty drain
clean wash | dirty soil
freeze | melt thaw boil
heat | cool
attack | defend
laugh smile cheer | cry weep frown
talk speak shout sing say chat | silent quiet
sleep rest | wake work run play jump dance
sit | stand run walk jump swim dance climb
lie lay | stand run walk jump swim dance climb
stand | run walk jump swim lie sit
run | walk sit lie stand rest stop
walk | run sit lie drive
float | sink
eat | fast starve
wear | naked nude
follow chase | flee shun ignore
pick | drop
hold grab | drop release
majority | minority
guilty | innocent
legal lawful | illegal unlawful
profit | loss
credit | debit
refundable | nonrefundable
free | paid
active | inactive
online | offline
present | absent
same identical equal | different
single | married
sunny | rainy cloudy
asleep | awake
"""

_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non")

_IRREGULAR: dict[str, str] = {
    word: base
    for line in """
    be is are was were been being am
    man men
    woman women
    child children
    person people persons
    foot feet
    tooth teeth
    mouse mice
    life lives
    knife knives
    leaf leaves
    wolf wolves
    run ran running
    sit sat sitting
    stand stood
    lie lying lies lain
    lay laid laying
    go went gone goes
    come came
    give gave given
    take took taken
    make made making
    get got gotten getting
    say said
    tell told
    see saw seen
    know knew known
    think thought
    find found
    leave left
    lose lost losing
    win won winning
    buy bought
    sell sold
    send sent
    bring brought
    catch caught
    teach taught
    hold held
    keep kept
    rise rose risen rising
    fall fell fallen
    grow grew grown
    speak spoke spoken
    write wrote written writing
    drive drove driven driving
    ride rode ridden riding
    eat ate eaten
    swim swam swum swimming
    sing sang sung
    begin began begun beginning
    throw threw thrown
    wear wore worn
    build built
    meet met
    pay paid
    put putting
    cut cutting
    hit hitting
    shut shutting
    set setting
    sink sank sunk
    forbid forbade forbidden
    forget forgot forgotten
    freeze froze frozen
    wake woke woken
    sleep slept
    feed fed
    fight fought
    use used uses using
    close closed closing
    die died dying
    tie tied tying
    """.splitlines()
    for base, *forms in [line.split() or [""]]
    for word in (base, *forms)
    if word
}

_STEMS: dict[str, str] = dict(_IRREGULAR)
_MAX_STEMS = 50_000
_VOWELS = frozenset("aeiouy")


def stem(word: str) -> str:
    """The base form of a lower-case English word, near enough to match its inflections; the same object each time."""
    found = _STEMS.get(word)
    if found is None:
        found = _cut(word)
        if len(_STEMS) < _MAX_STEMS:
            _STEMS[word] = found
    return found


def _cut(word: str) -> str:
    if len(word) <= 3:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("ily"):
        return word[:-3] + "y"
    if word.endswith("ly") and len(word) > 5:
        return _bare(word[:-2])
    if word.endswith(("sses", "shes", "ches", "xes", "zes", "oes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return _bare(word[:-1])
    for ending in ("ing", "ed"):
        root = word[: -len(ending)]
        if word.endswith(ending) and len(root) >= 2 and not _VOWELS.isdisjoint(root):
            return _verb(root)
    return _bare(word)


def _bare(word: str) -> str:
    """Without a final ``e``, so that ``decline`` and ``declining`` meet; short words keep theirs."""
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _verb(root: str) -> str:
    """``hopp`` to ``hop``, ``hop`` (of hoping) to ``hope``, ``carri`` to ``carry``; else as it is."""
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "aelosz":
        return root[:-1]
    if root.endswith("i"):
        return root[:-1] + "y"
    if len(root) == 3 and root[0] not in _VOWELS and root[1] in "aeiou" and root[2] not in "aeiouwxy":
        return root + "e"
    return root


def _opposites() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _EXCLUSIVE.strip().splitlines():
        left, right = ([stem(word) for word in side.split()] for side in line.split("|"))
        for one in left:
            table.setdefault(one, set()).update(right)
        for other in right:
            table.setdefault(other, set()).update(left)
    return {word: frozenset(others - {word}) for word, others in table.items()}


OPPOSITES: dict[str, frozenset[str]] = _opposites()
"""For each stem the stems that exclude it."""


def negated_form(one: str, other: str) -> bool:
    """Whether one stem is the other with a negating prefix: ``able`` and ``unable``, ``correct`` and ``incorrect``."""
    if len(one) < len(other):
        one, other = other, one
    other = other.removesuffix("e")
    one = one.removesuffix("e")
    return len(other) > 2 and one.endswith(other) and one[: len(one) - len(other)] in _PREFIXES


WEAK_NEGATORS = frozenset(
    stem(word)
    for word in words(
        "fail refuse deny lack avoid prevent stop cease decline reject unable absent miss free exclude forbid "
        "prohibit ban disallow empty few little rule unlike"
    )
)
"""Stems that may say a negation in another way: beside one of them a difference in negation is no contradiction."""
