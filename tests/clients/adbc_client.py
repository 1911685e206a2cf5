"""ADBC: Arrow by COPY in binary, with the catalog's types."""

import sys

import adbc_driver_postgresql.dbapi
import pyarrow

with adbc_driver_postgresql.dbapi.connect(f"postgresql://drave@{sys.argv[1]}/drave") as db:
    with db.cursor() as cursor:
        cursor.execute("select timestamp, line, stream_id, 1.5::float8 as half, null::text as nothing from logs order by timestamp")
        table = cursor.fetch_arrow_table()
        assert table.num_rows == 100 and table["line"][7].as_py() == "line 7", table
        assert pyarrow.types.is_timestamp(table.schema.field("timestamp").type), table.schema
        assert table.schema.field("stream_id").type == pyarrow.int64()
        assert table["half"][0].as_py() == 1.5 and table["nothing"][0].as_py() is None
        cursor.execute("select count(*) from logs where app = $1", ["web"])
        assert cursor.fetchone() == (100,)
    tables = db.adbc_get_objects(depth="tables", db_schema_filter="public").read_all().to_pylist()
    schemas = [schema for catalog in tables for schema in catalog["catalog_db_schemas"] or []]
    names = [table["table_name"] for schema in schemas for table in schema["db_schema_tables"] or []]
    assert names == ["logs"], tables
    schema = db.adbc_get_table_schema("logs", db_schema_filter="public")
    assert schema.field("line").type == pyarrow.string(), schema
print("ok")
