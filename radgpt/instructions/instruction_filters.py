"""Tests of an instruction: that it asks for one thing, and for something that its report can give."""

import re

from radgpt.instructions.drafts import Draft
from radgpt.instructions.report_facts import numbers, numbers_in_either_unit, plain_words, sides
from radgpt.instructions.text_filters import QUOTED, REMOVED

FEWEST_QUOTED_WORDS = 3
"""Fewer words in quotation marks may be a term, an expression to use or an answer to choose."""

_QUESTION_WORD = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|could|should|would|will|may"
    r"|might|in|on|at|for|from|according|based|to|with|given)\b.*\?",
    re.IGNORECASE | re.DOTALL,
)
_QUESTION_WITHOUT_MARK = re.compile(
    r"(?:what|where|why|how|who|when) (?:is|are|was|were|does|do|did|has|have|can|could|should|would|large|big|many|much|long|wide)\b[^.]*"
    r"|(?:can|could|would|will) you\b.*|I(?:'d like| would like| need| want)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_IMPERATIVE = re.compile(
    r"(?:(?:and |but )?(?:(?:please|kindly|briefly|concisely|now|then|next)\b,?|(?:in|using|for|as|with|without|based on|from"
    r"|given|considering|looking at|referring to|according to|imagine|suppose|to)\b[^,:.?!]{0,80}[,:])\s*)*"
    r"(?:answer|abbreviate|analy[sz]e|assess|break|capture|change|characteri[sz]e|check|clarify|classify|combine|comment|communicate|compare"
    r"|compose|compress|condense|convert|convey|craft|create|decode|define|derive|describe|detail|determine|discuss|distil|draft|elaborate"
    r"|elucidate|enumerate|evaluate|expand|explain|express|extract|find|formulate|generate|give|help|highlight|identify|indicate|interpret"
    r"|itemi[sz]e|list|locate|make|mention|name|note|offer|outline|paraphrase|pick|pinpoint|point|prepare|present|produce|provide|put|quote"
    r"|recap|recast|recount|reduce|reformulate|relay|rephrase|report|restate|retell|review|reword|rewrite|rework|say|select|shorten|show"
    r"|simplify|specify|spell|state|sum|summari[sz]e|tell|transform|translate|trim|turn|unpack|use|write)\b"
    # «Note is made of …», «Report dictated by …» are sentences of reports.
    r"(?! (?:is|are|was|were|has|have|made|of|dictated|reviewed|in size)\b)",
    re.IGNORECASE,
)
_FREE_COUNT = re.compile(
    r"\b\d+(?:st|nd|rd|th)?(?:(?: ?[-–] ?| to | or )\d+)?[ -](?:(?:short|brief|key|main|simple|important|abnormal|normal|plain|most|clear"
    r"|concise)[ -])*"
    r"(?:words?|sentences?|bullets?|points?|lines?|items?|paragraphs?|characters?|letters?|steps?|parts?|years?|grade|graders?|facts?"
    r"|findings?|abnormalities|observations?|reasons?|things?|takeaways?|phrases?|terms?|level)\b|\bgrade[ -]\d+\b|\bnumber \d\b",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(
    r"(?<![\w/])(?:[A-Z][A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*|[A-Za-z]/[A-Za-z]?|[A-Z]{2,})(?![\w/])|(?<=[\"“'‘])[\w/.-]{1,12}(?=[\"”'’])"
)
_ABBREVIATION_ASKED = re.compile(
    r"(?:abbreviations?|acronyms?|initials|(?:form|meaning|expansion) of|spell out|write out|stands? for|does|short for|expand)"
    r" (?:the )?(?:term |abbreviation |acronym |letters )?[\"“'‘]?([\w/]{1,12})(?![\w/])",
    re.IGNORECASE,
)
_QUOTED_IN_SINGLES = re.compile(r"(?<![\w'])['‘](.+?)['’](?!\w)", re.DOTALL)
_AFTER_COLON = re.compile(
    r"\b(?:this|sentence|statement|phrase|passage|line|following|finding)\b[^:\"“«]{0,60}: ?([^\"“«]+)$", re.IGNORECASE
)
_SIDE = re.compile(
    r"\b(left|right)\b(?!-hand column| (?:away|now|after|answer|word|order|thing|one|choice|untreated|out|behind|over|off|alone|to)\b)"
    r"(?<!\bis right)(?<!, right)(?<!\bis left)(?<!\bbe left)",
    re.IGNORECASE,
)
_SECTION = re.compile(r"\b(findings|impression|indication|technique|comparison|history|examination) (?:section|part)\b", re.IGNORECASE)
_SECTION_BARE = re.compile(r"\bthe (?:report's |final |radiologist's )?(impression|indication|technique)\b", re.IGNORECASE)
_SAME_SECTION = {"indication": {"indication", "history"}, "history": {"indication", "history"}}


def about_removed_text(draft: Draft) -> bool:
    """It asks about what de-identification took out."""
    return bool(REMOVED.search(draft.text))


def not_an_instruction(draft: Draft) -> bool:
    """Neither a question nor an order."""
    return not (
        _QUESTION_WORD.match(draft.text)
        or _IMPERATIVE.match(draft.text)
        or draft.text.endswith("?")
        or _QUESTION_WITHOUT_MARK.fullmatch(draft.text)
    )


def several_questions(draft: Draft) -> bool:
    """More than one question; those within quotes do not count."""
    return QUOTED.sub("", draft.text).count("?") > 1


def invented_number(draft: Draft) -> bool:
    """A number that the report does not hold, in centimetres or millimetres; counts of words, sentences, findings and the like are free."""
    return not numbers(_FREE_COUNT.sub("", draft.text)) <= numbers_in_either_unit(draft.report)


def invented_side(draft: Draft) -> bool:
    """It speaks of the left or the right, and the report of neither that side nor of both; asked which of the two, either will do."""
    asked = {side.lower() for side in _SIDE.findall(draft.text)}
    return bool(asked) and not asked & sides(draft.report)


def invented_quote(draft: Draft) -> bool:
    """A passage in quotation marks, or one to reword behind a colon, that the report does not hold; case, white space and marks aside."""
    passages = [*QUOTED.findall(draft.text), *_QUOTED_IN_SINGLES.findall(draft.text), *_AFTER_COLON.findall(draft.text)]
    report = plain_words(draft.report)
    for passage in passages:
        for part in re.split(r"\.{3}|…", passage):
            if len((sought := plain_words(part)).split()) >= FEWEST_QUOTED_WORDS and sought not in report:
                return True
    return False


def unknown_section(draft: Draft) -> bool:
    """It asks about a section that the report does not have; indication and history pass for each other."""
    if draft.sections is None:
        return False
    text = QUOTED.sub("", draft.text)
    asked = {name.lower() for name in (*_SECTION.findall(text), *_SECTION_BARE.findall(text))}
    return any(not _SAME_SECTION.get(name, {name}) & set(draft.sections) for name in asked)


def unknown_abbreviation(draft: Draft) -> bool:
    """It asks for an abbreviation, and the report does not use the one asked for, or none of those that it names."""
    if draft.task != "abbreviation_expansion":
        return False
    asked = {name for name in _ABBREVIATION_ASKED.findall(draft.text) if not name.islower() or "/" in name}
    named = asked or {*_ABBREVIATION.findall(draft.text), *_ABBREVIATION_ASKED.findall(draft.text)}
    return not any(re.search(rf"(?<![A-Za-z/]){re.escape(name)}(?![A-Za-z])", draft.report) for name in named)
