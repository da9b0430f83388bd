"""SnapGene files (.dna): packets that are checked and bounded here before Biopython reads any of them.

A file is a row of packets: one byte that tells the kind, four that tell the length, the content. Of the
kinds only the cookie, the bases, the features, the primers and the notes are read; histories, traces and
alignments are passed over. XML goes through ``file_kinds.scan_xml`` first: no DOCTYPE, bounded elements.

Source of the layout: https://incenp.org/dvlpt/docs/binary-sequence-formats/
"""

import html
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

from labhub.errors import Invalid
from labhub.file_kinds import MAX_SNAPGENE_PACKETS, scan_xml, shown
from labhub.i18n import Message, _

COOKIE, BASES, PRIMERS, NOTES, FEATURES, PROTEIN = 0x09, 0x00, 0x05, 0x06, 0x0A, 0x15
MAX_XML_BYTES = 16 << 20
"""Bytes of one packet of features, primers or notes."""
MAX_ELEMENTS = 150_000
"""XML elements of one packet: 10,000 features have about 80,000. The reader holds them all in memory."""
_DNA = 1
_CIRCULAR = 1
_RANGE = re.compile(r"(\d{1,11})-(\d{1,11})")


class Unreadable(Exception):
    """A file that cannot be read, and why."""

    def __init__(self, problem: Message) -> None:
        super().__init__()
        self.problem = problem


@dataclass
class Document:
    """The checked packets of a file."""

    packets: dict[int, bytes] = field(default_factory=dict)

    @property
    def circular(self) -> bool:
        """Whether the molecule is closed."""
        return bool(self.packets[BASES][0] & _CIRCULAR)

    @property
    def bases(self) -> str:
        """The letters as written; what is no ASCII comes as a letter that no alphabet has."""
        return self.packets[BASES][1:].decode("latin-1")

    def notes(self) -> Mapping[str, str]:
        """Return what the file says of itself, by the name of the entry, marks of HTML left out."""
        found: dict[str, str] = {}
        stack: list[str] = []

        def on_text(text: str) -> None:
            if len(stack) == 2 and len(found.get(stack[1], "")) < 100_000:
                found[stack[1]] = found.get(stack[1], "") + text

        def on_start(name: str, _attributes: dict[str, str]) -> None:
            stack.append(name)

        if NOTES in self.packets:
            self._scan(NOTES, on_start=on_start, on_end=lambda _name: stack.pop(), on_text=on_text)
        return {name: _plain(text) for name, text in found.items()}

    def features(self, most_features: int, most_segments: int) -> tuple[list[Any], list[Message]]:
        """Return the features and binding sites of primers as Biopython reads them, and remarks."""
        for kind in (FEATURES, PRIMERS):
            if kind in self.packets:
                self._check_places(kind, most_features, most_segments)
        try:
            read = self._read()
        except (ValueError, AttributeError, IndexError, KeyError, TypeError):
            raise Unreadable(_("the feature table cannot be read.")) from None
        remarks = []
        kept = [each for each in read.features if each.location is not None]
        if PRIMERS in self.packets:
            sites = self.packets[PRIMERS].count(b"<BindingSite")
            shown_sites = sum(each.type == "primer_bind" for each in kept)
            if sites > shown_sites:
                remarks.append(
                    _("Binding sites of primers that SnapGene does not show, or twice, were left out.")
                )
        return kept, remarks

    def _check_places(self, kind: int, most_features: int, most_segments: int) -> None:
        """Refuse places outside the molecule; a place over the origin needs a circle."""
        length = len(self.packets[BASES]) - 1
        first = 1 if kind == FEATURES else 0  # binding sites are counted from 0
        counts = {"all": 0, "segments": 0}

        def on_start(name: str, attributes: dict[str, str]) -> None:
            if name in ("Feature", "Primer"):
                counts["segments"] = 0
            if name == ("Feature" if kind == FEATURES else "BindingSite"):
                counts["all"] += 1
            if counts["all"] > most_features:
                raise Unreadable(_("a record may have %(most)s features.", most=most_features))
            place = (
                attributes.get("range")
                if name == "Segment"
                else attributes.get("location")
                if name == "BindingSite"
                else None
            )
            if place is None:
                return
            counts["segments"] += 1
            if counts["segments"] > most_segments:
                raise Unreadable(
                    _("the location is too long; it may have %(most)s parts.", most=most_segments)
                )
            known = _RANGE.fullmatch(place)
            if known is None:
                raise Unreadable(_("the location %(location)s cannot be read.", location=shown(place)))
            start, end = int(known[1]) + 1 - first, int(known[2]) + 1 - first
            if not (1 <= start <= length and 1 <= end <= length):
                raise Unreadable(
                    _(
                        "the location %(location)s lies outside the record of %(length)s bases.",
                        location=shown(place),
                        length=length,
                    )
                )
            if start > end and not self.circular:
                raise Unreadable(
                    _(
                        "the location %(location)s ends before it begins, but the record is not circular.",
                        location=shown(place),
                    )
                )

        self._scan(kind, on_start=on_start)

    def _scan(self, kind: int, **callbacks: Any) -> None:
        try:
            scan = scan_xml([self.packets[kind]], **callbacks)
        except Invalid as refusal:
            said = refusal.message
            raise Unreadable(_("its XML is refused: %(reason)s", reason=said)) from None
        if scan.elements > MAX_ELEMENTS:
            raise Unreadable(_("its XML has more than %(most)s elements.", most=MAX_ELEMENTS))

    def _read(self) -> Any:
        from Bio import SeqIO

        whole = b"".join(
            bytes([kind]) + len(content).to_bytes(4, "big") + content
            for kind, content in self.packets.items()
            if kind in (COOKIE, BASES, FEATURES, PRIMERS)
        )
        reader: Any = SeqIO  # only partly typed
        try:
            return reader.read(io.BytesIO(whole), "snapgene")
        except ExpatError:
            raise Unreadable(_("the feature table cannot be read.")) from None


def open_document(data: bytes) -> Document:
    """Return the packets of a file that labhub reads, after a walk over all of them."""
    document = Document()
    position = number = 0
    while position < len(data):
        number += 1
        kind, length = data[position], int.from_bytes(data[position + 1 : position + 5], "big")
        end = position + 5 + length
        if position + 5 > len(data) or end > len(data):
            raise Unreadable(_("the packet at byte %(place)s is cut off.", place=position))
        if number > MAX_SNAPGENE_PACKETS:
            raise Unreadable(_("it has more than %(most)s packets.", most=MAX_SNAPGENE_PACKETS))
        if (number == 1) != (kind == COOKIE):
            raise Unreadable(_("this is no SnapGene file: its first packet, and no other, names the format."))
        if kind in (COOKIE, BASES, PRIMERS, NOTES, FEATURES, PROTEIN):
            if kind in document.packets:
                raise Unreadable(_("the packet at byte %(place)s stands there twice.", place=position))
            if kind in (PRIMERS, NOTES, FEATURES) and length > MAX_XML_BYTES:
                raise Unreadable(
                    _("the packet at byte %(place)s has more than %(most)s MiB.", place=position, most=16)
                )
            document.packets[kind] = data[position + 5 : end]
        position = end
    _check_cookie(document)
    return document


def _check_cookie(document: Document) -> None:
    cookie = document.packets.get(COOKIE, b"")
    if len(cookie) != 14 or not cookie.startswith(b"SnapGene"):
        raise Unreadable(_("this is no SnapGene file: its first packet, and no other, names the format."))
    if PROTEIN in document.packets:
        raise Unreadable(_("a protein is not taken here."))
    if int.from_bytes(cookie[8:10], "big") != _DNA or not document.packets.get(BASES):
        raise Unreadable(_("the file holds no DNA."))


def _plain(text: str) -> str:
    """Return a text without the HTML that SnapGene writes into it.

    >>> _plain("<html><body>Sample &amp; <i>D</i></body></html>")
    'Sample & D'
    """
    return html.unescape(re.sub(r"<[^<>]*>", "", text)).strip()
