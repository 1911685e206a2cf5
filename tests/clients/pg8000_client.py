"""pg8000, which is written in Python alone: parameters, lists, times."""

import sys

import pg8000.native

host, port = sys.argv[1].split(":")
db = pg8000.native.Connection("drave", host=host, port=int(port), database="drave")
assert db.run("select count(*) from logs where app = :app", app="web") == [[100]]
assert db.run("select count(*) from logs where app = any(cast(:apps as text[]))", apps=["web", "x"]) == [[100]]
((at, line),) = db.run("select timestamp, line from logs order by timestamp limit 1")
assert at.tzinfo is not None and line == "line 0", (at, line)
try:
    db.run("select nope from logs")
    raise AssertionError("an unknown column was accepted")
except pg8000.exceptions.DatabaseError as error:
    assert error.args[0]["C"] == "42703", error
assert db.run("select 1") == [[1]]
db.close()
print("ok")
