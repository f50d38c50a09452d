"""Fixed phrases: where, which way, when, compared with what.

Each is a regular expression over the words of a sentence, joined by single blanks and in lower
case, and what it means. The first that fits wins, so the longer stand before the shorter.
"""

# ruff: noqa: E501  (one phrase to a line)
from __future__ import annotations

import re
from dataclasses import dataclass

_FRAMES = "scene|frame|screen|picture|image|video|view|clip|shot|film|movie"
FRAME = f"(?:{_FRAMES})"
_OF_FRAME = rf"(?: of the {FRAME})?"
_SIDE = r"(?:-hand)?(?: side| corner| part| edge| end| half| one)?"
_DOWN = r"(?:upper|top|lower|bottom|middle|center|centre)"
_CORNER = rf"(?:(?:{_DOWN}[ -])?(?:left|right)|{_DOWN}(?:[ -](?:left|right|center|centre|middle))?)"
_PART = "(?:half|part|third)"
_PLACES = {
    "left": (0.2, None), "right": (0.8, None), "upper": (None, 0.25), "top": (None, 0.25),
    "lower": (None, 0.76), "bottom": (None, 0.76), "middle": (0.5, 0.5), "center": (0.5, 0.5),
    "centre": (0.5, 0.5),
}  # fmt: skip

Spot = tuple[float | None, float | None]


def spot(words: str) -> Spot:
    """The centre that "upper left" or "middle" speaks of; None where it leaves an axis open."""
    x: float | None = None
    y: float | None = None
    for word in re.findall(r"[a-z]+", words):
        across, down = _PLACES.get(word, (None, None))
        x = across if x is None else x
        y = down if y is None else y
    if re.search(r"\b(left|right)\b", words):  # "middle left" is at the left
        x = 0.2 if "left" in words else 0.8
    return x, y


@dataclass(frozen=True)
class Phrase:
    """What a phrase means: `kind` and `value`, and the words it took."""

    kind: str
    value: object
    length: int


def _compile(rows: list[tuple[str, object, str]]) -> list[tuple[str, object, re.Pattern[str]]]:
    return [
        (kind, value, re.compile(rf"(?:{pattern})(?![\w'-])", re.ASCII))
        for kind, value, pattern in rows
    ]


_TABLE = _compile(
    [
        # Words about the film itself.
        ("skip", None, r"there(?: is| are| was| were|'s| stands| lives?| lived)"),
        ("skip", None, rf"(?:(?:a|an|the|this|some) )?(?:[a-z]+ ){{0,3}}?{FRAME}s?"
         r"(?: scene)? (?:of|with|showing|shows|in which|where|about|that shows|featuring|has|have)"),
        ("skip", None, rf"of a {FRAME} (?:with|in which|where)"),
        ("skip", None, r"(?:we|you) (?:can )?see|imagine|show me|here (?:is|are)|once upon a time"),
        ("skip", None, r"one (?:sunny |fine |warm |cold )?(?:day|morning|evening|afternoon)"),
        ("skip", None, r"(?:in the (?:morning|afternoon)|for a (?:while|moment)|all day(?: long)?|"
         r"at first|as well|for (?:fun|joy|dinner|lunch|breakfast)|to (?:their|its|his|her) home|"
         r"at the same time|in peace|with joy|of course|a lot|a little(?= bit)?|by accident|at all)"),
        # The part of the clip in which something is there.
        ("when", "first", rf"(?:only )?(?:in|for|during|throughout) the first {_PART}(?: of the [a-z]+)?"),
        ("when", "second", rf"(?:only )?(?:in|for|during|throughout) the (?:second|last|latter|final) {_PART}(?: of the [a-z]+)?"),
        ("when", "first", rf"(?:only )?(?:at|in) the (?:beginning|start)(?: of the {FRAME})?"),
        ("when", "second", rf"(?:only )?(?:at|towards?) the end(?: of the {FRAME})?"),
        ("when", "second", rf"(?:half ?-?|mid ?-?)way(?: (?:through|into)(?: the {FRAME})?)?"),
        ("when", "second", rf"(?:near|by) the (?:very )?end(?: of the {FRAME})?|later on(?! the)|eventually|"
         r"after (?:some|several|a few) (?:seconds|moments)(?: of nothing)?|after a (?:while|moment|time)"),
        ("skip", None, r"out of nowhere|from there|is where|in that order|"
         r"(?:(?:to|in|at|through|via) )?(?:the )?(?:two|three|four) corners"),
        ("when", "second", r"(?:only )?(?:after|from) the first half(?: of the [a-z]+)?(?: on)?"),
        # Sizes compared.
        ("compare", "bigger", r"(?:is |are )?(?:much |far |a lot |way )?(?:bigger|larger|taller|greater|huger) than"),
        ("compare", "smaller", r"(?:is |are )?(?:much |far |a lot |way )?(?:smaller|shorter|tinier|littler) than"),
        ("compare", "bigger", r"(?:is |are )?(?:twice|three times) as (?:big|large|tall) as"),
        ("compare", "same", r"(?:(?:of|in) )?(?:the )?same size as|(?:just )?as (?:big|large|tall|small) as"),
        ("alike", None, r"(?:is |are )?(?:both )?(?:of|in) (?:(?:about |exactly )?the |one )?same size"),
        ("alike", None, r"(?:are )?equally (?:big|large|tall|small|tiny)(?! as)|as (?:big|large|tall|small) as each other"),
        # Across the frame.
        ("across", None, rf"(?:moving |going )?from (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME} (?:over |across |down |up |along |back )?(?:in)?to(?:wards?)? "
         rf"(?:the )?(?P<b>{_CORNER}){_SIDE}(?P<of> of(?! the {FRAME}))?{_OF_FRAME}"),
        ("across", None, rf"(?P<a>left) to (?P<b>right){_OF_FRAME}|(?P<c>right) to (?P<d>left){_OF_FRAME}"),
        ("from spot", None, rf"(?:starting|beginning|coming)(?: out)? (?:from|in|on|at) (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("goal", None, rf"(?:reach(?:es|ed|ing)?|(?:arriv|finish|end)(?:e?[sd]|ing)?(?: up)? (?:in|on|at)) (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("from spot", None, rf"leav(?:es?|ing) (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("via", None, rf"(?:via|by way of) (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("goal", None, rf"(?:(?:for|through|on to|over to)(?: the)?) (?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("heading", "in", rf"(?:(?:in|on)?to|in) (?:the )?(?:{FRAME}|view|sight)"),
        # One thing relative to another.
        ("prep", "left", rf"(?:(?:(?:over |back |across |around )?to|on|at) )?(?:the )?(?:immediate |far )?left(?:-hand)?(?: side)? of(?! the {FRAME}| a {FRAME})"),
        ("prep", "right", rf"(?:(?:(?:over |back |across |around )?to|on|at) )?(?:the )?(?:immediate |far )?right(?:-hand)?(?: side)? of(?! the {FRAME}| a {FRAME})"),
        ("prep", "front", r"in front of|at the front of"),
        ("prep", "behind", r"behind|in back of|at the back of"),
        ("prep", "on", r"(?:up )?on top of|on to|onto|atop|upon|on the (?:back|roof|top) of"),
        ("prep", "below", r"underneath|beneath|below|under|at the bottom of|in the shade of"),
        ("prep", "above", r"(?:high |right |just |directly )?above|high over"),
        ("prep", "beside", r"next to|right by|beside|near(?: to)?|alongside|close to|adjacent to|"
         r"(?:by|at) the side of|(?:at|by) the (?:foot|edge|front door|door) of|across from|close by"),
        ("prep", "between", rf"in between|between|in the middle of(?! the {FRAME})|among(?:st)?"),
        ("prep", "in", r"(?:deep )?(?:inside(?: of)?|within)"),
        ("prep", "out", rf"out of(?! (?:the )?(?:{_FRAMES}|sight))"),
        ("prep", "away", r"away from"),
        ("prep", "around", r"(?:all )?(?:around|round)(?= (?:a|an|the|his|her|its|their|two|three)\b)"),
        # Where in the frame.
        ("spot", (None, 0.24), r"(?:up )?(?:high )?(?:up )?in the (?:[a-z]+ )?(?:sky|air)|high up|up high|up there|at the top(?![ -](?:left|right))" + _OF_FRAME),
        ("spot", (None, 0.78), r"(?:down )?on the (?:ground|floor)|at the bottom(?![ -](?:left|right))" + _OF_FRAME),
        ("far", None, r"(?:far )?in(?:to)? the (?:far )?(?:background|distance)|far away|on the horizon|far off"),
        ("near", None, r"in the foreground|up close|in close-?up|close to the camera|close up"),
        ("goal", None, rf"(?:to|towards?|into) (?:the )?(?P<a>{_DOWN}[ -](?:left|right)|{_DOWN}){_SIDE}{_OF_FRAME}(?! of)"),
        ("goal", None, rf"(?:to|towards?|into) the (?P<a>left|right)(?: side| corner| edge| part){_OF_FRAME}(?! of)"),
        ("from spot", None, rf"from (?:the )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("spot", None, rf"(?:in|on|at) (?:the )?(?:far )?(?P<a>{_CORNER}){_SIDE}{_OF_FRAME}(?! of)"),
        ("spot", None, rf"(?:the )?(?P<a>{_DOWN}[ -](?:left|right)){_SIDE}{_OF_FRAME}(?! of)"),
        ("together", None, r"side by side|in a (?:row|line)|next to each other|beside each other"),
        # Which way.
        ("heading", "bounce", r"up and down"),
        ("heading", "sway", r"back and forth|from side to side|to and fro|left and right"),
        ("heading", "circle", r"(?:around )?in (?:a )?(?:big |small |wide )?circles?|round and round|around and around|in (?:a )?loops?"),
        ("heading", "away", r"off-?(?: ?screen)|into the (?:distance|sunset)|far away"),
        ("heading", "up", r"(?:high )?(?:up )?(?:in)?to(?:wards?)? the (?:sky|air|clouds|stars|moon|sun|top|ceiling)|(?:up)?wards? to the sky"),
        ("heading", "up", r"upwards?|skywards?|up (?:in)?to space|straight up|up high|into (?:outer )?space"),
        ("heading", "down", r"downwards?|to(?:wards?)? the (?:ground|floor|bottom|earth)|from the (?:sky|clouds|top|air|ceiling)|from above|straight down"),
        ("heading", "up from", r"from (?:the ground|below|the bottom|the floor)"),
        ("heading", "left", rf"(?:to|towards?) (?:the )?left{_OF_FRAME}|leftwards?"),
        ("heading", "right", rf"(?:to|towards?) (?:the )?right{_OF_FRAME}|rightwards?|forwards?"),
        ("heading", "across", rf"across(?: the {FRAME})?(?! (?:a|an|the|his|her|its|their)\b)|all the way across"),
        ("heading", "across", rf"across the {FRAME}|from one side to the other|by(?! (?:a|an|the|his|her|its|their|[a-z]+)\b)"),
        # Several words that stand for somebody.
        ("pronoun", "each other", r"each other|one another"),
        ("pronoun", "other", r"the other(?: one)?(?! [a-z]+s?\b(?<!is))"),
        ("pronoun", "they", r"(?:all|both) of them|the (?:two|three|four)(?: (?:friends|animals|of them))?|"
         r"the (?:friends|animals|others|pair|couple|trio|group|gang)|all (?:three|four)|"
         r"everyone|everybody|everything"),
        ("skip", None, rf"(?:of|in) the {FRAME}"),
        # The little words of place and way.
        ("heading", "in", r"in(?=$| ,| from (?:the )?(?:left|right|top|bottom)| on the (?:left|right))"),
        ("prep", "along", r"(?:down|up) the(?= (?:[a-z]+ )?(?:road|street|path|highway|lane|beach|mountains?|hills?|slope)\b)"),
        ("prep", "to", r"(?:up |back |over |down )?(?:towards?|to)(?= (?:a|an|the|his|her|its|their|another|two|three|some)\b)"),
        ("prep", "to", r"(?:up|over|back) to"),
        ("prep", "into", r"into"),
        ("prep", "from", r"from"),
        ("prep", "without", r"without"),
        ("prep", "with", r"(?:together |along )?with"),
        ("prep", "past", r"past"),
        ("prep", "through", r"through"),
        ("prep", "across", r"across"),
        ("prep", "along", r"along"),
        ("prep", "over", r"over(?= (?:a|an|the|his|her|its|their|it|them|two|three|some|[a-z]+)\b)"),
        ("prep", "off", r"off(?= (?:a|an|the|of)\b)"),
        ("prep", "by", r"by"),
        ("prep", "at", r"at"),
        ("prep", "on", r"on"),
        ("prep", "in", r"in"),
        ("prep", "of", r"of"),
        ("prep", "for", r"for"),
        ("prep", "like", r"like(?= (?:a|an|the)\b)"),
        ("heading", "left", r"left"),
        ("heading", "right", r"right"),
        ("heading", "up", r"up"),
        ("heading", "down", r"down"),
        ("heading", "away", r"away|off"),
        ("heading", "over", r"over"),
        ("heading", "circle", r"around|round"),
        ("link", "clause", r"while|as|whereas|but|when|where|whilst|so that|because|until|before"),
        ("link", "who", r"that|which|who"),
        ("link", "and", r"and|or|plus|as well as|along with"),
        ("link", ",", r","),
    ]
)  # fmt: skip


def match(rest: str) -> Phrase | None:
    """The phrase at the beginning of `rest` (words joined by blanks), or None."""
    for kind, value, pattern in _TABLE:
        found = pattern.match(rest)
        if not found:
            continue
        groups = {name: text for name, text in found.groupdict().items() if text}
        if kind == "across":
            start, end = groups.get("a") or groups["c"], groups.get("b") or groups["d"]
            value = (spot(start), spot(end), "of" in groups)
        elif "a" in groups:
            value = spot(groups["a"])
        return Phrase(kind, value, len(found[0].split()))
    return None
