"""The codecs that come with Utan. Loaded by the extension when the first object of an unknown type is met."""

import sys
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum


def _encode_enum(member):
    return [type(member).__module__, type(member).__qualname__, member.name, member.value]


def _decode_enum(form):
    """The member, if the program has its class already; otherwise its plain value. Nothing is imported for it."""
    module, qualified_name, name, value = form
    found = sys.modules.get(module)
    for part in qualified_name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Enum):
        if name in found.__members__:
            return found[name]
        return found(value)  # a combination of flags has no name of its own
    return value


def add_all(register):
    """Registers them with a function that takes a type, a name, and how to encode and decode."""
    register(date, "date", date.isoformat, date.fromisoformat)
    register(time, "time", time.isoformat, time.fromisoformat)
    register(
        timedelta,
        "timedelta",
        lambda delta: [delta.days, delta.seconds, delta.microseconds],
        lambda form: timedelta(*form),
    )
    register(Decimal, "decimal", str, Decimal)
    register(complex, "complex", lambda number: [number.real, number.imag], lambda form: complex(*form))
    register(tuple, "tuple", tuple, tuple)
    register(set, "set", list, set)
    register(frozenset, "frozenset", list, frozenset)
    register(Enum, "enum", _encode_enum, _decode_enum)
