"""Maps a detector's labels to the vehicle classes of national schemes.

Schemes distinguish vehicles by axles, trailers and weight, a detector by their looks. So the classes that one
label covers share a column, such as `2+3`, and are never split by a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from frametally.errors import Misconfigured

Kind = Literal["motorcycle", "car", "van", "bus", "truck", "bicycle", "pedestrian", "other"]
"""Road users that detectors can distinguish; `van`: light goods vehicles and pickups."""

MOTOR: tuple[Kind, ...] = ("motorcycle", "car", "van", "bus", "truck")
HEAVY: tuple[Kind, ...] = ("bus", "truck")
"""Kinds of `MOTOR` that count as heavy: those of the Highway Capacity Manual that detectors see."""

LABEL_KINDS: dict[str, Kind] = {
    "motorbike": "motorcycle",
    "motorcycle": "motorcycle",
    "car": "car",
    "van": "van",
    "pickup": "van",
    "bus": "bus",
    "truck": "truck",
    "lorry": "truck",
    "bicycle": "bicycle",
    "person": "pedestrian",
    "pedestrian": "pedestrian",
}

COCO_TRUCKS = (
    "A network trained on COCO labels pickups and large vans as trucks, too: some of them are counted "
    "as heavy."
)
_SEEN_AS: dict[Kind, Kind] = {"van": "car"}
"""What a detector takes a kind for if it has no label for it."""


class VehicleClass(NamedTuple):
    """A class of a scheme: its code, its name, and the kind of road user that it looks like."""

    code: str
    name: str
    kind: Kind


class Scheme(NamedTuple):
    """A scheme with its classes in order; `name` is its name in requests, `title` includes its publisher."""

    name: str
    title: str
    classes: tuple[VehicleClass, ...]


class Group(NamedTuple):
    """A column of a report, with the detector's `labels` that it counts.

    Attributes:
        name: Short name, unique in a report.
        title: Title with the names of all classes that it covers.
        codes: The scheme's classes that it covers; if there are several, they are counted together.
    """

    name: str
    title: str
    kind: Kind
    labels: tuple[str, ...]
    codes: tuple[str, ...] = ()


SCHEMES = (
    Scheme(
        "fhwa",
        "FHWA 13-category scheme (Traffic Monitoring Guide)",
        (
            VehicleClass("1", "motorcycles", "motorcycle"),
            VehicleClass("2", "passenger cars", "car"),
            VehicleClass("3", "other two-axle, four-tire single units", "van"),
            VehicleClass("4", "buses", "bus"),
            VehicleClass("5", "two-axle, six-tire single units", "truck"),
            VehicleClass("6", "three-axle single units", "truck"),
            VehicleClass("7", "single units of four or more axles", "truck"),
            VehicleClass("8", "single trailers of up to four axles", "truck"),
            VehicleClass("9", "five-axle single trailers", "truck"),
            VehicleClass("10", "single trailers of six or more axles", "truck"),
            VehicleClass("11", "multi-trailers of up to five axles", "truck"),
            VehicleClass("12", "six-axle multi-trailers", "truck"),
            VehicleClass("13", "multi-trailers of seven or more axles", "truck"),
        ),
    ),
    Scheme(
        "coba",
        "COBA (United Kingdom, Design Manual for Roads and Bridges)",
        (
            VehicleClass("MCL", "motorcycles", "motorcycle"),
            VehicleClass("CAR", "cars", "car"),
            VehicleClass("LGV", "light goods vehicles up to 3.5 t", "van"),
            VehicleClass("OGV1", "rigid goods vehicles of two or three axles", "truck"),
            VehicleClass("OGV2", "rigid ones of four or more axles, and articulated ones", "truck"),
            VehicleClass("PSV", "buses and coaches", "bus"),
        ),
    ),
    Scheme(
        "swiss10",
        "SWISS10 (Switzerland, ASTRA)",
        (
            VehicleClass("1", "Bus, Car", "bus"),
            VehicleClass("2", "Motorrad", "motorcycle"),
            VehicleClass("3", "Personenwagen", "car"),
            VehicleClass("4", "Personenwagen mit Anhänger", "car"),
            VehicleClass("5", "Lieferwagen", "van"),
            VehicleClass("6", "Lieferwagen mit Anhänger", "van"),
            VehicleClass("7", "Lieferwagen mit Auflieger", "van"),
            VehicleClass("8", "Lastwagen", "truck"),
            VehicleClass("9", "Lastenzug", "truck"),
            VehicleClass("10", "Sattelzug", "truck"),
        ),
    ),
    Scheme(
        "tls",
        "TLS 8+1 (Germany, BASt)",
        (
            VehicleClass("Krad", "Motorräder", "motorcycle"),
            VehicleClass("Pkw", "Personenkraftwagen", "car"),
            VehicleClass("PkwA", "Personenkraftwagen mit Anhänger", "car"),
            VehicleClass("Lfw", "Lieferwagen", "van"),
            VehicleClass("Bus", "Busse", "bus"),
            VehicleClass("Lkw", "Lastkraftwagen", "truck"),
            VehicleClass("LkwA", "Lastkraftwagen mit Anhänger", "truck"),
            VehicleClass("Sattel-Kfz", "Sattelkraftfahrzeuge", "truck"),
            VehicleClass("nk Kfz", "nicht klassifizierbar", "other"),
        ),
    ),
)
"""The class `nk Kfz`, for vehicles in no other class, is empty: labels without a kind are kept apart."""

LABELS = "labels"
"""Requests the detector's own labels."""
SCHEME_NAMES = (LABELS, *(scheme.name for scheme in SCHEMES))


def kind_of(label: str) -> Kind:
    """Return the kind of a label."""
    return LABEL_KINDS.get(label, "other")


def groups_of(labels: Iterable[str], scheme_name: str = LABELS) -> tuple[Group, ...]:
    """Return the columns of a report whose objects have these labels: motor vehicles, then the others.

    Labels of other road users have their own columns in every scheme.

    Raises:
        Misconfigured: The scheme does not exist; the message lists the existing ones.
    """
    labels = sorted(set(labels))
    scheme = find_scheme(scheme_name)
    of_kind: dict[Kind, list[str]] = {}
    for label in labels:
        of_kind.setdefault(kind_of(label), []).append(label)
    groups = []
    for kind in (*MOTOR, "bicycle", "pedestrian", "other"):
        if kind not in of_kind:
            continue
        covered = (
            [
                vehicle_class
                for vehicle_class in scheme.classes
                if _shown_as(vehicle_class.kind, of_kind) == kind
            ]
            if scheme
            else []
        )
        if kind in MOTOR and covered:
            codes = tuple(vehicle_class.code for vehicle_class in covered)
            title = ", ".join(vehicle_class.name for vehicle_class in covered)
            groups.append(Group(_short(codes), title, kind, tuple(of_kind[kind]), codes))
        else:
            groups += [Group(label, label, kind, (label,)) for label in of_kind[kind]]
    return tuple(groups)


def find_scheme(name: str) -> Scheme | None:
    """Return the scheme with a name; None for `LABELS`. Raises `Misconfigured` if it does not exist."""
    if name not in SCHEME_NAMES:
        raise Misconfigured(f"the scheme {name!r} does not exist; choose one of: {', '.join(SCHEME_NAMES)}")
    return next((scheme for scheme in SCHEMES if scheme.name == name), None)


def not_told_apart(groups: Iterable[Group]) -> list[str]:
    """Return a sentence for each column that covers several classes of its scheme, and one about trucks."""
    groups = list(groups)
    notes = [
        f"{' and '.join((', '.join(group.codes[:-1]), group.codes[-1]))} are counted together: "
        f"this model labels all of them {' or '.join(group.labels)}."
        for group in groups
        if len(group.codes) > 1
    ]
    return [*notes, COCO_TRUCKS] if any("truck" in group.labels for group in groups) else notes


def _shown_as(kind: Kind, kinds: Iterable[Kind]) -> Kind:
    return kind if kind in kinds else _SEEN_AS.get(kind, kind)


def _short(codes: tuple[str, ...]) -> str:
    """Join codes: consecutive numbers as `5-13`, others with a plus."""
    numbers = [int(code) for code in codes if code.isdecimal()]
    if len(numbers) == len(codes) > 2 and numbers == [*range(numbers[0], numbers[-1] + 1)]:
        return f"{codes[0]}-{codes[-1]}"
    return "+".join(codes)
