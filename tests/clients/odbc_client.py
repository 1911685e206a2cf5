"""psqlODBC through unixODBC: metadata as BI tools ask for it, parameters, pieces."""

import glob
import sys

import pyodbc

host, port = sys.argv[1].split(":")
driver = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")[0]
db = pyodbc.connect(
    f"DRIVER={driver};SERVER={host};PORT={port};UID=drave;DATABASE=drave;UseDeclareFetch=1;Fetch=30;BoolsAsChar=0",
    autocommit=True,
)
cursor = db.cursor()
tables = [(row.table_schem, row.table_name, row.table_type) for row in cursor.tables(tableType="TABLE")]
assert ("public", "logs", "TABLE") in tables, tables
columns = {row.column_name: row.type_name for row in cursor.columns(table="logs", schema="public")}
assert columns["timestamp"] == "timestamptz" and columns["stream_id"] == "int8", columns
assert list(cursor.primaryKeys(table="logs", schema="public")) == []
assert list(cursor.foreignKeys(table="logs", schema="public")) == []
assert list(cursor.statistics("logs", schema="public")) is not None
assert any(row.type_name == "text" for row in cursor.getTypeInfo())
assert cursor.procedures() is not None
assert cursor.execute("select count(*) from logs where app = ? and line like ?", "web", "%7%").fetchone()[0] == 19
lines = [line for (line,) in cursor.execute("select line from logs where app = 'web' order by timestamp")]
assert lines == [f"line {n}" for n in range(100)], lines[:3]
row = cursor.execute("select timestamp, stream_id, 1.5::float8, true, null from logs limit 1").fetchone()
assert row[0].year == 2023 and row[2] == 1.5 and row[4] is None, row
try:
    cursor.execute("select nope from logs").fetchall()
    raise AssertionError("an unknown column was accepted")
except pyodbc.Error as error:
    assert error.args[0] in ("42S22", "42703"), error
assert cursor.execute("select 1").fetchone()[0] == 1
print("ok")
