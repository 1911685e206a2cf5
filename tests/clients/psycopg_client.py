"""psycopg 3: parameters, server-side results, prepared statements, errors."""

import sys

import psycopg

host, port = sys.argv[1].split(":")
with psycopg.connect(host=host, port=port, user="drave", dbname="drave", autocommit=True) as db:
    count = db.execute("select count(*) from logs where app = %s", ["web"]).fetchone()[0]
    assert count == 100, count
    lines = [line for (line,) in db.execute(
        "select line from logs where app = %s and line like %s order by timestamp",
        ["web", "%7%"],
    )]
    assert lines == [f"line {n}" for n in range(100) if "7" in str(n)], lines
    row = db.execute("select timestamp, stream_id, level from logs limit 1").fetchone()
    assert row[0].year == 2023 and isinstance(row[1], int), row
    for n in range(20):  # More often than it takes psycopg to prepare a statement.
        (found,) = db.execute("select count(*) from logs where line = %s", [f"line {n}"]).fetchone()
        assert found == 1, (n, found)
    try:
        db.execute("select nope from logs")
        raise AssertionError("an unknown column was accepted")
    except psycopg.errors.UndefinedColumn:
        pass
    assert db.execute("select 1").fetchone() == (1,)
print("ok")
