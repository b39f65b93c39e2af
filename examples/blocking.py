"""A server in a thread, and a client that waits: no reactor to be seen, no Deferreds."""

from __future__ import annotations

from broker.blocking import AsyncResult, async_, connect, deadline, serve


class Shop:
    """What is served: an ordinary object."""

    def __init__(self) -> None:
        self.prices = {"duck": 3, "pond": 250}

    def price(self, name: str, count: int = 1) -> int:
        """Return what some of the goods cost."""
        return self.prices[name] * count

    def sell(self, name: str, agree: object) -> str:
        """Ask the customer, who is somewhere else, and sell."""
        return "sold" if agree(self.price(name)) else "not sold"  # type: ignore[operator]


def main() -> None:
    """Serve a shop, and buy there."""
    with serve(Shop()) as server, connect(server.endpoint) as connection:
        shop = connection.root
        print("ducks:", shop.price("duck", count=4))
        print("goods:", sorted(shop.prices))
        print("pond:", shop.sell("pond", lambda price: price < 100))
        try:
            shop.price("swan")
        except KeyError as error:
            print("no", error.args[0])
        results: list[AsyncResult] = [async_(shop.price)("duck", count) for count in range(3)]
        with deadline(10):
            print("several:", [result.value for result in results])


if __name__ == "__main__":
    main()
