// Which of the queries on stdin (a JSON array) does Grafana's editor take for valid?
const { parser } = require("@grafana/lezer-logql");

let text = "";
process.stdin.on("data", (data) => (text += data));
process.stdin.on("end", () => {
  const valid = JSON.parse(text).map((query) => {
    let good = true;
    parser.parse(query).iterate({
      enter(node) {
        if (node.type.isError) good = false;
      },
    });
    return good;
  });
  console.log(JSON.stringify(valid));
});
