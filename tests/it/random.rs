//! Random questions about random entries: one answer, whatever way it takes. From heads or chunks,
//! from one shard or many, whole or in pieces of time.

#[path = "../../src/logql/naive/queries.rs"]
mod queries;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::node::Node;
use crate::ways::{is_close, push};

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// Questions of one run; `RANDOM_QUERIES` and `DRAVE_SEED` say otherwise.
const QUERIES: usize = 40;
/// Seconds from one step of a question to the next.
const STEP: i64 = 60;

/// What a run is told by its environment.
pub(crate) fn from_env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Values of strategies, one after the other.
struct Dice(TestRunner);

impl Dice {
    fn new(seed: u64) -> Dice {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Dice(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn draw<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.0).expect("nothing is rejected").current()
    }
}

/// Two pushes, the second of which repeats some of the first; and the seconds that they span.
fn pushes(dice: &mut Dice) -> ([Value; 2], i64) {
    let mut at = 0;
    let mut entries = Vec::new();
    for _ in 0..12 {
        for (stream, gap, fields, metadata) in dice.draw(&queries::drawn()) {
            at += gap;
            let (labels, kind) = queries::STREAMS[stream];
            let object = |pairs: &[(&str, &str)]| -> Value {
                pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
            };
            let (at, line) = ((T + at * SECOND).to_string(), queries::line_of(kind, &fields));
            entries.push(json!({
                "stream": object(labels),
                "values": [[at, line, object(queries::METADATA[metadata])]],
            }));
        }
    }
    let n = entries.len();
    let push = |entries: &[Value]| json!({"streams": entries});
    ([push(&entries[..n * 3 / 5]), push(&entries[n * 2 / 5..])], at)
}

/// A question with all that an answer depends on.
struct Question {
    query: String,
    start: i64,
    end: i64,
    limit: &'static str,
    direction: &'static str,
}

impl Question {
    fn new(dice: &mut Dice, seconds: i64) -> Question {
        let is_log = dice.draw(&proptest::bool::weighted(0.3));
        let query = loop {
            let text = if is_log {
                let (selector, pipeline) = dice.draw(&(queries::selector(), queries::pipeline()));
                format!("{selector} {pipeline}")
            } else {
                dice.draw(&queries::metric_text())
            };
            // Some of what is put together means nothing.
            if drave::logql::parse(&text).is_ok() {
                break text;
            }
        };
        // On whole steps: pieces then have the steps of the whole.
        let first = T / SECOND / STEP * STEP;
        let start = first + STEP * dice.draw(&(0..seconds / STEP));
        let end = start + STEP * dice.draw(&(1..8_i64));
        let limit = ["5000", "7"][usize::from(dice.draw(&proptest::bool::ANY))];
        let direction = ["forward", "backward"][usize::from(dice.draw(&proptest::bool::ANY))];
        Question { query, start, end, limit, direction }
    }

    fn is_log(&self) -> bool {
        self.query.starts_with('{')
    }

    /// What is found, or the status of an answer that finds nothing out.
    async fn ask(&self, node: &Node, start: i64, end: i64, limit: &str) -> Result<Value, u16> {
        let (start, end, step) = (start.to_string(), end.to_string(), STEP.to_string());
        let params = [
            ("query", self.query.as_str()),
            ("start", &start),
            ("end", &end),
            ("step", &step),
            ("limit", limit),
            ("direction", self.direction),
        ];
        let answer = node.get("/loki/api/v1/query_range", &params).await;
        match answer.status {
            200 => Ok(answer.json()["data"]["result"].clone()),
            // A sample has an error, or series do not find each other: which is met first may vary.
            400 => Err(400),
            other => panic!("{}: {other} {}", self.query, answer.text),
        }
    }

    async fn whole(&self, node: &Node) -> Result<Value, u16> {
        self.ask(node, self.start, self.end, self.limit).await
    }

    /// Whether an answer may turn on the last digit of a sum: something rounds, and something
    /// compares or ranks.
    fn is_fragile(&self) -> bool {
        let has = |words: &[&str]| words.iter().any(|word| self.query.contains(word));
        let rounds = ["rate", "avg", "std", "quantile", "duration", "/", "^", "sum"];
        let decides = ["topk", "bottomk", ") >", ") <", ") ==", ") !=", "%", "^"];
        !self.is_log() && has(&rounds) && has(&decides)
    }

    fn check(&self, found: &Result<Value, u16>, expected: &Result<Value, u16>, way: &str) {
        let same = match (found, expected) {
            (Ok(found), Ok(expected)) => is_close(found, expected),
            (found, expected) => found == expected,
        };
        let Question { query, start, end, limit, direction } = self;
        assert!(
            same || self.is_fragile(),
            "{way}: {query}\n{start}..{end}, limit {limit}, {direction}\n{found:?}\n{expected:?}"
        );
    }

    /// Two pieces of time make up the whole.
    async fn check_pieces(&self, node: &Node) {
        let Ok(whole) = self.ask(node, self.start, self.end, "5000").await else { return };
        let middle = (self.start + self.end) / 2 / STEP * STEP;
        // The last step of a piece is not the first one of the next; entries have no last one.
        let end = if self.is_log() { middle } else { middle - STEP };
        let mut pieces = Vec::new();
        for (start, end) in [(self.start, end), (middle, self.end)] {
            if start <= end {
                let piece = self.ask(node, start, end, "5000").await;
                pieces.extend(values(&piece.expect("the whole has no error")));
            }
        }
        pieces.sort_by_key(|(labels, value)| (labels.clone(), value.to_string()));
        let whole = values(&whole);
        let mut pairs = pieces.iter().zip(&whole);
        let same = pieces.len() == whole.len()
            && pairs.all(|((own, a), (other, b))| own == other && is_close(a, b));
        let query = &self.query;
        assert!(same || self.is_fragile(), "pieces of {query}\n{pieces:?}\n{whole:?}");
    }
}

/// The values of each series, in an order that does not depend on where they were.
fn values(result: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for series in result.as_array().expect("a result") {
        let labels = series.get("metric").or(series.get("stream")).expect("labels").to_string();
        let values = series["values"].as_array().expect("values");
        all.extend(values.iter().map(|value| (labels.clone(), value.clone())));
    }
    all.sort_by_key(|(labels, value)| (labels.clone(), value.to_string()));
    all
}

#[tokio::test]
async fn random_questions_have_one_answer_whatever_way_it_takes() {
    let seed = from_env("DRAVE_SEED").unwrap_or(1);
    println!("DRAVE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let (pushes, seconds) = pushes(&mut dice);
    let n = from_env("RANDOM_QUERIES").unwrap_or(QUERIES);
    let questions: Vec<Question> = (0..n).map(|_| Question::new(&mut dice, seconds)).collect();
    let config = |shards: usize| {
        format!("shard: {{count: {shards}}}\nlimits_config: {{max_query_series: 100000}}\n")
    };
    let many = Node::with_config(&config(5)).await;
    push(&many, &pushes[0]).await;
    push(&many, &pushes[1]).await;
    let one = Node::with_config(&config(1)).await;
    push(&one, &pushes[0]).await;
    assert_eq!(one.get("/flush", &[]).await.status, 204);
    push(&one, &pushes[1]).await;

    let (mut expected, mut n_found) = (Vec::new(), 0);
    for question in &questions {
        let answer = question.whole(&many).await;
        let found = question.whole(&one).await;
        question.check(&found, &answer, "one shard, half in a chunk and half in the head");
        question.check_pieces(&many).await;
        n_found += usize::from(answer.as_ref().is_ok_and(|result| *result != json!([])));
        expected.push(answer);
    }
    assert_eq!(many.get("/flush", &[]).await.status, 204);
    for (question, expected) in questions.iter().zip(&expected) {
        question.check(&question.whole(&many).await, expected, "from chunks");
        question.check_pieces(&many).await;
    }
    println!("{n} queries, {n_found} of them find something");
    assert!(n_found > n / 4, "too few find anything: {n_found} of {n}");
}
