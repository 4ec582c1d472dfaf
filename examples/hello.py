"""The smallest useful program: nested data that several processes edit in place, a range, a snapshot."""

import multiprocessing

import utan


def watch(place: str) -> None:  # runs in several processes at once
    with utan.open("hello.utan") as db:
        auk = db["birds"]["auk"]
        auk["seen"].append(place)  # edited in place: one commit, and every process sees it now
        auk.incr("eggs")  # exact, whoever else adds to it at the same time


if __name__ == "__main__":
    with utan.open("hello.utan", "n") as db:  # a new store; without "n", the one that is there
        db["birds"] = {"emu": {"eggs": 11}, "auk": {"eggs": 1, "seen": []}}  # stored deeply, in one commit
        before = db.snapshot()  # the whole store at this instant
        with multiprocessing.Pool(3) as pool:
            pool.map(watch, ["Eldey", "Papey", "St Kilda"])

        auk = db["birds"]["auk"]
        print(auk["eggs"], sorted(auk["seen"]))  # 4 ['Eldey', 'Papey', 'St Kilda']
        print(list(db["birds"]))  # ['auk', 'emu']: a Dict is in the order of its keys
        print(list(db["birds"].range("b", "f")))  # [('emu', {'eggs': 11})]
        print(before["birds"]["auk"])  # {'eggs': 1, 'seen': []}
