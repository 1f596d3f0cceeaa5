"""Find measurements, dates, times and other numbers in a text, in comparable units."""

import re
from dataclasses import dataclass

MONTHS = {
    name: number
    for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1)
}
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)\.?"
)
SPELT = {
    word: number
    for number, words in enumerate(
        [
            "zero/zeroth",
            "one/first",
            "two/second/twice",
            "three/third",
            "four/fourth",
            "five/fifth",
            "six/sixth",
            "seven/seventh",
            "eight/eighth",
            "nine/ninth",
            "ten/tenth",
            "eleven/eleventh",
            "twelve/twelfth",
        ]
    )
    for word in words.split("/")
}
ORDINAL = frozenset({"first", "third", "fourth", "fifth"})
"""Words that number what is said, where they begin a sentence, as in «First, …»."""
_COUNTED = re.compile(r"\s+(?:\w+\s+)?(?:findings|abnormalities|problems|points|things|bones|issues|reasons|sides|lungs|parts|items)\b")
"""What an answer counts up where the report only lists it."""
_LISTS = re.compile(r"(?:^|[.!?:*\n])\s*[a-z]+,$")
UNCOUNTED = frozenset({"zero", "one", "second"})
"""Words that seldom count: «no large one», «a second»."""

SCALE = {"mm": 1.0, "millimet": 1.0, "cm": 10.0, "centimet": 10.0, "inch": 25.4}
_UNIT = r"(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|inch(?:es)?)"
_NUMBER = r"(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
_DATE = re.compile(
    rf"\b(?P<month>{_MONTH}) (?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? ?(?P<year>\d{{4}}))?\b"
    rf"|\b(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month2>{_MONTH}),?(?: (?P<year2>\d{{4}}))?\b"
    rf"|\b(?P<a>\d{{1,4}})[/.-](?P<b>\d{{1,2}})[/.-](?P<c>\d{{2,4}})\b"
    rf"|\b(?P<month3>{_MONTH}) (?:of )?(?P<year3>\d{{4}})\b"
)
_TIME = re.compile(
    r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2})? ?(?P<half>[ap]\.?m\b\.?)?|\b(?P<hour2>\d{1,2}) ?(?P<half2>[ap]\.?m\b\.?)"
)
_PLAIN_NUMBER = re.compile(rf"(?<![\d.]){_NUMBER}|\b(?:{'|'.join(SPELT)})\b")
_WITH_UNIT = re.compile(rf"{_NUMBER}(?:(?: ?-?{_UNIT})?(?: ?x ?| by | to | ?- ?){_NUMBER}){{0,3}} ?-? ?(?P<unit>{_UNIT})(?![a-z])")
DAYS = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0, "hour": 1 / 24}
_DURATION = re.compile(
    rf"(?<![\d.])(?P<number>{_NUMBER}|\b(?:{'|'.join(SPELT)})\b)(?:[ -]?(?:to|-) ?{_NUMBER})?"
    r"[ -]?(?P<unit>day|week|month|year|hour|yr|mo)s?\b"
)
_ONE_NUMBER = re.compile(_NUMBER)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its meaning."""

    kind: str
    """`measurement`, `date`, `time`, `duration` or `number`."""
    values: tuple[float, ...]
    """Millimetres, largest first; (year, month, day), 0 where not said; minutes since midnight; days; the number."""
    start: int
    end: int


def quantities(text: str, start: int, end: int) -> list[Quantity]:
    """The quantities in a stretch of text in lower case, in order, none within another."""
    found: list[Quantity] = []
    taken: list[tuple[int, int]] = []

    def free(match: re.Match[str]) -> bool:
        return all(match.end() <= first or match.start() >= last for first, last in taken)

    readers = ((_WITH_UNIT, _measurement), (_DATE, _date), (_TIME, _time), (_DURATION, _duration), (_PLAIN_NUMBER, _number))
    for pattern, read in readers:
        for match in pattern.finditer(text, start, end):
            if free(match) and (quantity := read(match)) is not None:
                found.append(quantity)
                taken.append(match.span())
    return sorted(found, key=lambda quantity: quantity.start)


def _measurement(match: re.Match[str]) -> Quantity:
    scale = next(factor for unit, factor in SCALE.items() if match.group("unit").startswith(unit))
    values = sorted((round(float(number) * scale, 3) for number in _ONE_NUMBER.findall(match.group())), reverse=True)
    return Quantity("measurement", tuple(values), match.start(), match.end())


def _date(match: re.Match[str]) -> Quantity | None:
    part = match.groupdict()
    month = part["month"] or part["month2"] or part["month3"]
    if month:
        year = int(part["year"] or part["year2"] or part["year3"] or 0)
        return Quantity("date", (year, MONTHS[month[:3]], int(part["day"] or part["day2"] or 0)), match.start(), match.end())
    first, second, third = int(part["a"]), int(part["b"]), int(part["c"])
    if len(part["a"]) == 4:
        year, month_number, day = first, second, third
    else:
        year, month_number, day = third + (2000 if len(part["c"]) == 2 else 0), first, second
    if month_number > 12 >= day:
        month_number, day = day, month_number
    return Quantity("date", (year, month_number, day), match.start(), match.end()) if 1 <= month_number <= 12 and day <= 31 else None


def _time(match: re.Match[str]) -> Quantity | None:
    half = (match.group("half") or match.group("half2") or "")[:1]
    hour, minute = int(match.group("hour") or match.group("hour2")), int(match.group("minute") or 0)
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    return Quantity("time", (hour * 60 + minute,), match.start(), match.end()) if hour < 25 and minute < 60 else None


def _duration(match: re.Match[str]) -> Quantity:
    unit = {"yr": "year", "mo": "month"}.get(match.group("unit"), match.group("unit"))
    return Quantity("duration", (round(_value(match.group("number")) * DAYS[unit], 2),), match.start(), match.end())


def _value(word: str) -> float:
    return float(SPELT[word]) if word in SPELT else float(word)


def _number(match: re.Match[str]) -> Quantity | None:
    if match.group() in UNCOUNTED or (
        match.group() in ORDINAL and _LISTS.search(match.string[max(0, match.start() - 6) : match.end() + 1])
    ):
        return None
    if match.group() in SPELT and _COUNTED.match(match.string, match.end()):
        return None
    return Quantity("number", (_value(match.group()),), match.start(), match.end())
