"""psycopg2: parameters, lists, a named cursor, transactions, rows in and out by COPY."""

import io
import sys

import psycopg2
import psycopg2.errors
import psycopg2.extras

host, port = sys.argv[1].split(":")
db = psycopg2.connect(host=host, port=port, user="drave", dbname="drave")
with db, db.cursor() as cursor:
    cursor.execute("select count(*) from logs where app = %s and line like %s", ["web", "%7%"])
    assert cursor.fetchone() == (19,), cursor.fetchone()
    cursor.execute("select count(*) from logs where app = any(%s)", [["web", "nope"]])
    assert cursor.fetchone() == (100,)
    cursor.execute("select timestamp, stream_id, level, 1.5::float8, null from logs limit 1")
    at, stream, _, half, nothing = cursor.fetchone()
    assert at.tzinfo is not None and isinstance(stream, int) and half == 1.5 and nothing is None

with db, db.cursor(name="pieces") as cursor:
    cursor.itersize = 30
    cursor.execute("select line from logs where app = 'web' order by timestamp")
    lines = [line for (line,) in cursor]
    assert lines == [f"line {n}" for n in range(100)], lines[:3]

with db.cursor() as cursor:
    try:
        cursor.execute("select nope from logs")
        raise AssertionError("an unknown column was accepted")
    except psycopg2.errors.UndefinedColumn as error:
        assert error.pgcode == "42703", error.pgcode
    try:
        cursor.execute("select 1")
        raise AssertionError("a failed transaction went on")
    except psycopg2.errors.InFailedSqlTransaction:
        db.rollback()
    cursor.execute("select 1")
    assert cursor.fetchone() == (1,)
    db.commit()

    rows = io.StringIO("".join(f"2023-11-15 00:00:00+00\tcopied {n}\tpsycopg2\n" for n in range(50)))
    cursor.copy_expert("copy logs (timestamp, line, app) from stdin", rows)
    psycopg2.extras.execute_values(
        cursor,
        "insert into logs (timestamp, line, app) values %s",
        [("2023-11-15 00:00:00+00", f"inserted {n}", "psycopg2") for n in range(5)],
    )
    db.commit()
    out = io.StringIO()
    cursor.copy_expert("copy (select line from logs where app = 'psycopg2' order by line) to stdout with csv header", out)
    lines = out.getvalue().split("\n")
    assert lines[0] == "line" and lines[1] == "copied 0" and len(lines) == 57, lines[:3]
db.close()
print("ok")
