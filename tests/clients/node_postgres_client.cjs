// node-postgres: parameters, lists, names, a pool, cursors, a stream of rows, cancelling by time.
const assert = require("node:assert");
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");

const [host, port] = process.argv[2].split(":");
const options = { host, port: Number(port), user: "drave", database: "drave" };

async function main() {
  const db = new Client(options);
  await db.connect();
  const one = async (text, values) => (await db.query({ text, values, rowMode: "array" })).rows[0][0];
  assert.equal(await one("select count(*) from logs where app = $1", ["web"]), "100");
  assert.equal(await one("select count(*) from logs where app = any($1)", [["web", "nope"]]), "100");
  assert.equal(await one("select count(*) from logs where stream_id = any($1::int8[])", [["1"]]), "0");
  assert.equal(await one("select count(*) from logs where timestamp < $1", [new Date("2023-11-15")]), "100");
  const limited = await db.query("select line from logs order by timestamp limit $1", [2]);
  assert.deepEqual(limited.rows, [{ line: "line 0" }, { line: "line 1" }]);
  const row = (await db.query("select timestamp, labels, true as yes, 1.5::float8 as half, null as nothing from logs limit 1")).rows[0];
  assert(row.timestamp instanceof Date && row.yes === true && row.half === 1.5 && row.nothing === null);
  for (let n = 0; n < 3; n++) {
    const named = await db.query({ name: "by-line", text: "select count(*)::int4 as n from logs where line = $1", values: [`line ${n}`] });
    assert.equal(named.rows[0].n, 1);
  }
  await assert.rejects(db.query("select nope from logs"), { code: "42703" });
  await db.query("begin");
  await assert.rejects(db.query("select 1 / 0"), { code: "22012" });
  await db.query("rollback");

  const cursor = db.query(new Cursor("select line from logs where app = $1 order by timestamp", ["web"]));
  let lines = [];
  for (let rows; (rows = await cursor.read(30)).length > 0; ) lines.push(...rows.map((row) => row.line));
  await cursor.close();
  assert.equal(lines.length, 100);
  assert.equal(lines[99], "line 99");
  lines = 0;
  for await (const _ of db.query(new QueryStream("select line from logs", [], { batchSize: 7 }))) lines++;
  assert.equal(lines, 100);
  await db.query("insert into logs (line, app) values ($1, $2)", ["from node", "node-postgres"]);
  assert.equal(await one("select line from logs where app = 'node-postgres'"), "from node");
  await db.end();

  const pool = new Pool({ ...options, max: 3, statement_timeout: 300 });
  const counts = await Promise.all([1, 2, 3, 4, 5].map(() => pool.query("select count(*) as n from logs where app = 'web'")));
  assert(counts.every((count) => count.rows[0].n === "100"));
  await assert.rejects(pool.query("select pg_sleep(60)"), { code: "57014" });
  await pool.end();
  console.log("ok");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
