"""Reads XML from devices that are not added yet, and returns safe plain text."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from frametally_live.cameras.camera_access import CameraAway

_MOST_CHARS = 100


def read_xml(data: bytes) -> Element:
    """Return the root of a document. A document type is refused, so that no entities can be defined.

    Raises:
        CameraAway: The document is not such XML.
    """
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise CameraAway("sends XML that cannot be read") from None
    return root


def plain_text(text: str | None) -> str:
    """Return a device's text as one line without control characters."""
    words = " ".join((text or "").split())
    return "".join(character for character in words if character.isprintable())[:_MOST_CHARS].strip()


def text_at(element: Element, path: str) -> str:
    """Return the whole text of an element's first descendant on an ElementTree path, or an empty text."""
    return (element.findtext(path) or "").strip()
