"""What can be asked, and how often the grammar asks it."""

from __future__ import annotations

from amounts import aggregate, extreme_value, per_group
from attributes import attribute, attribute_of_set, capital_city
from firsts import best, capitals, country_point, ranked
from lists import chosen, counting, everything, listing, names_in, others, owner_of, relation

ASKS = (
    (20, attribute),
    (17, attribute_of_set),
    (3, capital_city),
    (21, listing),
    (12, counting),
    (2.5, everything),
    (18, best),
    (1.5, ranked),
    (5, aggregate),
    (1, extreme_value),
    (4, country_point),
    (2.5, names_in),
    (2.5, capitals),
    (2.5, chosen),
    (4, relation),
    (1.5, per_group),
    (2.5, owner_of),
    (0.7, others),
)
