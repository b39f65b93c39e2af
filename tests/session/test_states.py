"""The life of a connection is the transition table and nothing else."""

from __future__ import annotations

import pytest

from broker._session.states import TRANSITIONS, Happening, State, advance
from broker.errors import ProtocolError


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Happening)
def test_every_pair_is_allowed_or_an_error(state: State, happening: Happening) -> None:
    following = TRANSITIONS.get((state, happening))
    if following is None:
        with pytest.raises(ProtocolError, match=happening.name):
            advance(state, happening)
    else:
        assert advance(state, happening) is following


def test_the_end_is_reached_from_everywhere_and_left_for_nowhere() -> None:
    assert all(advance(state, Happening.LOST) is State.CLOSED for state in State)
    assert {to for (origin, _), to in TRANSITIONS.items() if origin is State.CLOSED} == {State.CLOSED}
