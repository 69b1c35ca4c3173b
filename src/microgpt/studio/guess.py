"""The routes of the Guess view: games of all pages, each with a text that the page must not see.

In: a run and a seed; bets. Out: a `GameShown`.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route

from microgpt.errors import UsageError
from microgpt.studio.answers import answering
from microgpt.studio.bets import Bet
from microgpt.studio.game import Game, GameShown
from microgpt.studio.library import Library
from microgpt.studio.recent import Recent

_KEPT = 64
"""The most games in memory."""


@dataclass(frozen=True)
class GameAsked:
    """A request for a game.

    Attributes:
        run: whose texts.
        seed: chooses the text.
        game: the id of one that goes on, if it is still kept; "": a new one.
    """

    run: str
    seed: int
    game: str = ""


@dataclass(frozen=True)
class BetAsked:
    """A bet on the next token.

    Attributes:
        game: its id.
        at: the position, so that no token is bet on twice.
        bet: how.
    """

    game: str
    at: int
    bet: Bet


class Games:
    """The games of all pages; the least recently played go first.

    Args:
        library: the runs.
    """

    def __init__(self, library: Library) -> None:
        self._library, self._games = library, Recent[str, Game](_KEPT)

    def begin(self, asked: GameAsked) -> GameShown:
        """Return a game that goes on, or a new one."""
        run, game = self._library.run(asked.run), self._games.get(asked.game)
        # A run whose checkpoint has changed is another, and so are its losses.
        if not game or game.run is not run or game.seed != asked.seed:
            game = Game.of(run, asked.seed)
            self._games.put(game.id, game)
        return game.shown

    def bet(self, asked: BetAsked) -> GameShown:
        """Bet on the next token of a game.

        Raises:
            UsageError: the game is not kept any more, or the bet is none.
        """
        game = self._games.get(asked.game)
        if not game:
            raise UsageError("This game is not kept any more. Choose another text.")
        game.bet(asked.at, asked.bet)
        return game.shown


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    games = Games(library)
    return [
        answering("/api/guess", GameAsked, games.begin),
        answering("/api/guess/bet", BetAsked, games.bet),
    ]
