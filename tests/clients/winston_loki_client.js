// winston-loki: protobuf with snappy, in batches, as Node services send their logs.
const winston = require("winston");
const LokiTransport = require("winston-loki");

const errors = [];
const transport = new LokiTransport({
  host: `http://${process.argv[2]}`,
  labels: { app: "node" },
  json: process.argv[3] === "json",
  interval: 1,
  onConnectionError: (error) => errors.push(error),
});
const logger = winston.createLogger({ transports: [transport] });
for (let n = 0; n < 10; n++) {
  logger.warn({ message: `from node ${n}`, labels: { part: process.argv[3] } });
}
transport.flush().then(() => {
  if (errors.length > 0) {
    console.error(errors);
    process.exit(1);
  }
  console.log("ok");
  process.exit(0);
});
