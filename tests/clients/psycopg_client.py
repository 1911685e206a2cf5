"""psycopg 3: parameters, server-side results, prepared statements, errors."""

import datetime
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

    # Binary results, parameters that are times and lists.
    row = db.execute("select 1::int8, 1.5::float8, 'x', timestamp from logs limit 1", binary=True).fetchone()
    assert row[:3] == (1, 1.5, "x") and row[3].tzinfo is not None, row
    (count,) = db.execute("select count(*) from logs where app = any(%s)", [["web", "nope"]]).fetchone()
    assert count == 100, count

    # A cursor of the server, rows in pieces.
    with db.transaction(), db.cursor(name="pieces") as cursor:
        cursor.itersize = 30
        cursor.execute("select line from logs where app = %s order by timestamp", ["web"])
        lines = [line for (line,) in cursor]
    assert lines == [f"line {n}" for n in range(100)], lines[:3]

    # A pipeline.
    with db.pipeline():
        answers = [db.execute("select %s::int8", [n]) for n in range(5)]
    assert [answer.fetchone()[0] for answer in answers] == list(range(5))

    # Rows in, by INSERT and COPY, and out again.
    at = datetime.datetime(2023, 11, 15, tzinfo=datetime.timezone.utc)
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into logs (timestamp, line, app) values (%s, %s, %s)",
            [(at, f"inserted {n}", "psycopg") for n in range(3)],
        )
        with cursor.copy("copy logs (timestamp, line, app) from stdin") as copy:
            for n in range(500):
                copy.write_row((at, f"copied\t{n}", "psycopg"))
        with cursor.copy("copy (select line from logs where app = 'psycopg') to stdout") as copy:
            lines = {line for (line,) in copy.rows()}
        assert len(lines) == 503 and "copied\t499" in lines, len(lines)
        with cursor.copy(
            "copy (select count(*) from logs where app = 'psycopg') to stdout (format binary)"
        ) as copy:
            copy.set_types(["int8"])
            assert list(copy.rows()) == [(503,)]
print("ok")
