"""SQLAlchemy 2 over psycopg2 and psycopg 3: reflection, questions, transactions; pandas on top."""

import sys

import pandas
import sqlalchemy as sa

for dialect in ["psycopg2", "psycopg"]:
    engine = sa.create_engine(f"postgresql+{dialect}://drave@{sys.argv[1]}/drave", pool_pre_ping=True)
    found = sa.inspect(engine)
    assert found.default_schema_name == "public"
    assert set(found.get_schema_names()) == {"public", "drave", "information_schema"}, found.get_schema_names()
    assert found.get_table_names() == ["logs"], found.get_table_names()
    assert "streams" in found.get_table_names(schema="drave")
    assert found.get_view_names() == [] and found.get_materialized_view_names() == []
    assert found.has_table("logs") and not found.has_table("nope")
    columns = {column["name"]: column for column in found.get_columns("logs")}
    assert isinstance(columns["timestamp"]["type"], sa.TIMESTAMP) and columns["timestamp"]["type"].timezone
    assert isinstance(columns["stream_id"]["type"], sa.BIGINT) and isinstance(columns["app"]["type"], sa.TEXT)
    assert columns["line"]["nullable"] is False and columns["app"]["nullable"] is True
    assert columns["timestamp"]["comment"], columns["timestamp"]
    assert found.get_pk_constraint("logs")["constrained_columns"] == []
    for nothing in [found.get_foreign_keys, found.get_indexes, found.get_unique_constraints, found.get_check_constraints]:
        assert nothing("logs") == [], nothing
    assert found.get_table_comment("logs")["text"]
    assert found.get_enums() == [] and found.get_sequence_names() == []

    logs = sa.Table("logs", sa.MetaData(), autoload_with=engine)
    assert len(logs.c) == len(columns)
    everything = sa.MetaData()
    everything.reflect(engine, schema="drave")
    assert "drave.streams" in everything.tables
    with engine.begin() as db:
        question = sa.select(logs.c.app, sa.func.count()).where(logs.c.line.like("line 7%")).group_by(logs.c.app)
        assert db.execute(question).all() == [("web", 11)]
        newest = sa.select(logs.c.line).order_by(logs.c.timestamp.desc()).limit(2)
        assert db.scalars(newest).all() == ["line 99", "line 98"]
        assert db.scalars(sa.select(logs.c.line).where(logs.c.app.in_(["web"])).order_by(logs.c.timestamp).offset(98)).all() == ["line 98", "line 99"]
        with db.begin_nested():
            assert db.scalar(sa.text("select 1")) == 1
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        assert db.scalar(sa.text("select :x"), {"x": "y"}) == "y"
    with engine.connect().execution_options(stream_results=True) as db:  # A cursor of the server.
        assert [row.line for row in db.execute(sa.select(logs.c.line).order_by(logs.c.timestamp))][99] == "line 99"

    frame = pandas.read_sql("select timestamp, line, level from logs order by timestamp", engine)
    assert len(frame) == 100 and str(frame["timestamp"].dtype).startswith("datetime64"), frame.dtypes
    assert len(pandas.read_sql_table("logs", engine, columns=["timestamp", "line"])) == 100
    pieces = pandas.read_sql("select line from logs", engine, chunksize=30)
    assert [len(piece) for piece in pieces] == [30, 30, 30, 10]
print("ok")
