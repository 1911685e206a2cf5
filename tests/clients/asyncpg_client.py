"""asyncpg: typed parameters, a pool with its reset, cursors, COPY, time limits."""

import asyncio
import datetime
import io
import sys

import asyncpg

host, port = sys.argv[1].split(":")


async def main():
    options = dict(host=host, port=int(port), user="drave", database="drave")
    async with asyncpg.create_pool(min_size=1, max_size=2, **options) as pool:
        for _ in range(3):  # Each time the connection goes back, it is reset.
            async with pool.acquire() as db:
                assert await db.fetchval("select count(*) from logs where app = $1", "web") == 100
        async with pool.acquire() as db:
            rows = await db.fetch("select line from logs where app = any($1) order by timestamp limit $2", ["web"], 3)
            assert [row["line"] for row in rows] == ["line 0", "line 1", "line 2"], rows
            day = datetime.datetime(2023, 11, 15, tzinfo=datetime.timezone.utc)
            assert await db.fetchval("select count(*) from logs where timestamp < $1", day) == 100
            row = await db.fetchrow("select timestamp, stream_id, labels, 1.5::float8 as half, array[1, 2]::int8[] as list from logs limit 1")
            assert row["timestamp"].tzinfo and row["half"] == 1.5 and row["list"] == [1, 2], row
            async with db.transaction():
                lines = [row["line"] async for row in db.cursor("select line from logs where app = 'web' order by timestamp", prefetch=30)]
            assert lines == [f"line {n}" for n in range(100)]
            statement = await db.prepare("select count(*) from logs where line = $1")
            assert [await statement.fetchval(f"line {n}") for n in range(3)] == [1, 1, 1]
            assert statement.get_parameters()[0].name == "text", statement.get_parameters()
            await db.copy_records_to_table("logs", columns=["timestamp", "line", "app"], records=[(day, f"copied {n}", "asyncpg") for n in range(50)])
            out = io.BytesIO()
            await db.copy_from_query("select line from logs where app = $1", "asyncpg", output=out, format="csv")
            assert len(out.getvalue().split(b"\n")) == 51, out.getvalue()[:80]
            try:
                await db.fetchval("select pg_sleep(60)", timeout=0.2)
                raise AssertionError("the time limit did not end it")
            except asyncio.TimeoutError:
                pass
            assert await db.fetchval("select 1") == 1
            try:
                await db.fetchval("select nope from logs")
                raise AssertionError("an unknown column was accepted")
            except asyncpg.UndefinedColumnError:
                pass
    print("ok")


asyncio.run(main())
