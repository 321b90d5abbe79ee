"""Seeds and hashes that hold across processes, machines and versions: a change here changes every recorded run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veriloop.core.seeds import derive, fingerprint


def test_known_values_never_change():
    assert derive() == 8238016292129134938
    assert derive(0, "0.0") == 20211630838494284
    assert derive(0, "0.1") == 3440779152537761697
    assert derive(7, "", 3, "label") == 7630896982465192321
    assert fingerprint(b"").hex() == "e4a6a0577479b2b4"
    assert fingerprint(b"veriloop").hex() == "c7ae58f003a1f1f2"


@given(st.lists(st.text() | st.integers(), max_size=4))
def test_a_seed_fits_a_signed_integer_of_64_bits(parts: list[object]):
    assert 0 <= derive(*parts) < 2**63
    assert derive(*parts) == derive(*parts)


def test_parts_do_not_run_together():
    assert len({derive("a", "b"), derive("ab"), derive("a b"), derive("b", "a"), derive("a", "b", "")}) == 5
