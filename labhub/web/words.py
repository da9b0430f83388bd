"""marshmallow's own messages, in the words and the language of the hub."""

import re

from labhub.i18n import N_, Text, _

FIXED = {
    "Missing data for required field.": N_("This field is needed."),
    "Field may not be null.": N_("This field may not be empty."),
    "Unknown field.": N_("This field is not known here, or may not be set."),
    "Not a valid string.": N_("This must be a text."),
    "Not a valid integer.": N_("This must be a whole number."),
    "Not a valid number.": N_("This must be a number, with a point before the decimals."),
    "Not a valid boolean.": N_("This must be true or false."),
    "Not a valid datetime.": N_("This must be an instant such as 2026-03-02T10:00:00Z."),
    "Not a valid aware datetime.": N_("This must be an instant with its zone, such as 2026-03-02T10:00:00Z."),
    "Not a valid date.": N_("This must be a day such as 2026-03-02."),
    "Not a valid list.": N_("This must be a list."),
    "Not a valid mapping type.": N_("This must be an object."),
    "Not a valid email address.": N_("This is not an e-mail address."),
    "Not a valid URL.": N_("This must be an address that begins with https:// or http://."),
    "Invalid input type.": N_("This has the wrong form."),
    "Invalid value.": N_("This value is not allowed."),
    "String does not match expected pattern.": N_("This value does not have the expected form."),
    "Special numeric values (nan or infinity) are not permitted.": N_("This must be a number."),
}

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Must be one of: (?P<names>.*)\.", re.S), N_("Choose one of: %(names)s.")),
    (
        re.compile(r"Longer than maximum length (?P<most>\d+)\."),
        N_("At most %(most)s characters or entries."),
    ),
    (
        re.compile(r"Shorter than minimum length (?P<least>\d+)\."),
        N_("At least %(least)s characters or entries."),
    ),
    (
        re.compile(r"Length must be between (?P<least>\d+) and (?P<most>\d+)\."),
        N_("Between %(least)s and %(most)s characters or entries."),
    ),
    (
        re.compile(
            r"Must be greater than (?:or equal to )?(?P<least>[\d.e+-]+) "
            r"and less than (?:or equal to )?(?P<most>[\d.e+-]+)\."
        ),
        N_("This must lie between %(least)s and %(most)s."),
    ),
    (
        re.compile(r"Must be greater than or equal to (?P<least>[\d.e+-]+)\."),
        N_("This must be at least %(least)s."),
    ),
    (re.compile(r"Must be greater than (?P<least>[\d.e+-]+)\."), N_("This must be more than %(least)s.")),
    (
        re.compile(r"Must be less than or equal to (?P<most>[\d.e+-]+)\."),
        N_("This must be at most %(most)s."),
    ),
)


def in_our_words(text: str) -> Text:
    """Return a message of marshmallow as one of ours; any other text is returned as it is."""
    if text in FIXED:
        return _(FIXED[text])
    for pattern, msgid in PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            return _(msgid, **match.groupdict())
    return text
