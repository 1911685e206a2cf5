//! Statements that are not questions: cursors, prepared statements, COPY, INSERT.
//!
//! In goes a statement as tokens; out comes what to do, with the questions inside still as text.
//! They are read here because the grammar that DataFusion uses has them for other databases, or
//! not at all.

use sqlparser::tokenizer::{Token, Word};

use crate::copy::{CopyFormat, CopyKind};
use crate::error::SqlError;
use crate::split::Piece;

/// A statement that is not a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `DECLARE name CURSOR FOR query`.
    Declare { name: String, binary: bool, hold: bool, query: String },
    /// `FETCH` and `MOVE`: so many rows of a cursor, `usize::MAX` for all that are left.
    Fetch { cursor: String, rows: usize, moves: bool },
    /// `CLOSE name`; `None` for all.
    Close(Option<String>),
    /// `PREPARE name (types) AS query`.
    Prepare { name: String, types: Vec<String>, query: String },
    /// `EXECUTE name (arguments)`.
    Execute { name: String, arguments: String },
    /// `COPY query TO STDOUT`.
    CopyOut { query: String, format: CopyFormat },
    /// `COPY table (columns) FROM STDIN`.
    CopyIn { table: String, columns: Vec<String>, format: CopyFormat },
    /// `INSERT INTO table (columns) query`.
    Insert { table: String, columns: Vec<String>, query: String },
    /// Nothing to do but to say this.
    Nothing(&'static str),
}

/// The command a statement is, if it is one.
pub(crate) fn command(piece: &Piece) -> Result<Option<Command>, SqlError> {
    let mut words = Words { piece, at: 1 };
    let first = match piece.tokens.first() {
        Some(Token::Word(word)) => word.value.to_ascii_uppercase(),
        _ => return Ok(None),
    };
    let command = match first.as_str() {
        "DECLARE" => words.declare()?,
        "FETCH" => words.fetch(false)?,
        "MOVE" => words.fetch(true)?,
        "CLOSE" => match words.word("ALL") {
            true => Command::Close(None),
            false => Command::Close(Some(words.name()?)),
        },
        "PREPARE" => words.prepare()?,
        "EXECUTE" => words.execute()?,
        "COPY" => words.copy()?,
        "INSERT" => words.insert()?,
        "LISTEN" => words.nothing("LISTEN"),
        "UNLISTEN" => words.nothing("UNLISTEN"),
        "NOTIFY" => words.nothing("NOTIFY"),
        _ => return Ok(None),
    };
    match words.is_end() {
        true => Ok(Some(command)),
        false => Err(words.unexpected()),
    }
}

/// A cursor over the tokens of a statement.
struct Words<'a> {
    piece: &'a Piece,
    at: usize,
}

impl Words<'_> {
    fn peek(&self) -> Option<&Token> {
        self.piece.tokens.get(self.at)
    }

    fn is_end(&self) -> bool {
        self.at >= self.piece.tokens.len()
    }

    fn unexpected(&self) -> SqlError {
        match self.peek() {
            Some(token) => SqlError::new("42601", format!("syntax error at or near \"{token}\"")),
            None => SqlError::new("42601", "syntax error at end of input"),
        }
    }

    /// Takes a word, if it is next.
    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(Word { value, quote_style: None, .. }))
            if value.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn words(&mut self, wanted: &[&str]) -> bool {
        let before = self.at;
        let all = wanted.iter().all(|word| self.word(word));
        if !all {
            self.at = before;
        }
        all
    }

    fn expect(&mut self, wanted: &str) -> Result<(), SqlError> {
        if self.word(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn token(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let name = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                };
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A name of which the schema `public` is left out.
    fn table(&mut self) -> Result<String, SqlError> {
        let mut name = self.name()?;
        while self.token(&Token::Period) {
            let next = self.name()?;
            name = if name == "public" { next } else { format!("{name}.{next}") };
        }
        Ok(name)
    }

    fn text(&mut self) -> Result<String, SqlError> {
        let text = match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                text.clone()
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(text)
    }

    /// All tokens that are left, as text.
    fn rest(&mut self) -> Result<String, SqlError> {
        if self.is_end() {
            return Err(self.unexpected());
        }
        let rest = self.piece.rest(self.at).to_owned();
        self.at = self.piece.tokens.len();
        Ok(rest)
    }

    /// What stands between a parenthesis and the one that closes it.
    fn parenthesized(&mut self) -> Result<String, SqlError> {
        let (start, mut depth) = (self.at + 1, 0);
        while let Some(token) = self.peek() {
            depth += match token {
                Token::LParen => 1,
                Token::RParen => -1,
                _ => 0,
            };
            self.at += 1;
            if depth == 0 {
                return Ok(self.piece.between(start, self.at - 1).to_owned());
            }
        }
        Err(self.unexpected())
    }

    fn columns(&mut self) -> Result<Vec<String>, SqlError> {
        let mut columns = Vec::new();
        if !self.token(&Token::LParen) {
            return Ok(columns);
        }
        loop {
            columns.push(self.name()?);
            if self.token(&Token::RParen) {
                break;
            }
            if !self.token(&Token::Comma) {
                return Err(self.unexpected());
            }
        }
        match (1..columns.len()).find(|at| columns[..*at].contains(&columns[*at])) {
            Some(at) => {
                let text = format!("column \"{}\" specified more than once", columns[at]);
                Err(SqlError::new("42701", text))
            }
            None => Ok(columns),
        }
    }

    fn nothing(&mut self, tag: &'static str) -> Command {
        self.at = self.piece.tokens.len();
        Command::Nothing(tag)
    }

    fn declare(&mut self) -> Result<Command, SqlError> {
        let name = self.name()?;
        let mut binary = false;
        loop {
            if self.word("BINARY") {
                binary = true;
            } else if self.word("SCROLL") {
                return Err(SqlError::unsupported("a cursor that scrolls back"));
            } else if !self.word("INSENSITIVE")
                && !self.word("ASENSITIVE")
                && !self.words(&["NO", "SCROLL"])
            {
                break;
            }
        }
        self.expect("CURSOR")?;
        let hold = self.words(&["WITH", "HOLD"]);
        if !hold {
            self.words(&["WITHOUT", "HOLD"]);
        }
        self.expect("FOR")?;
        Ok(Command::Declare { name, binary, hold, query: self.rest()? })
    }

    fn fetch(&mut self, moves: bool) -> Result<Command, SqlError> {
        let back = || SqlError::new("55000", "cursor can only scan forward");
        let backwards = ["PRIOR", "FIRST", "LAST", "ABSOLUTE", "BACKWARD"];
        if backwards.iter().any(|word| self.word(word)) {
            return Err(back().hint("declare it again to read it from its start"));
        }
        let rows = if self.word("NEXT") {
            1
        } else if self.word("ALL") {
            usize::MAX
        } else if self.word("FORWARD") || self.word("RELATIVE") {
            if self.word("ALL") { usize::MAX } else { self.number()?.unwrap_or(1) }
        } else {
            self.number()?.unwrap_or(1)
        };
        if !self.word("FROM") {
            self.word("IN");
        }
        Ok(Command::Fetch { cursor: self.name()?, rows, moves })
    }

    fn number(&mut self) -> Result<Option<usize>, SqlError> {
        match self.peek() {
            Some(Token::Number(digits, _)) => {
                let number = digits.parse().map_err(|_| self.unexpected())?;
                self.at += 1;
                Ok(Some(number))
            }
            Some(Token::Minus) => Err(SqlError::new("55000", "cursor can only scan forward")),
            _ => Ok(None),
        }
    }

    fn prepare(&mut self) -> Result<Command, SqlError> {
        let name = self.name()?;
        let types = match self.peek() {
            Some(Token::LParen) => {
                let types = self.parenthesized()?;
                types.split(',').map(|kind| kind.trim().to_lowercase()).collect()
            }
            _ => Vec::new(),
        };
        self.expect("AS")?;
        Ok(Command::Prepare { name, types, query: self.rest()? })
    }

    fn execute(&mut self) -> Result<Command, SqlError> {
        let name = self.name()?;
        let arguments = match self.peek() {
            Some(Token::LParen) => self.parenthesized()?,
            _ => String::new(),
        };
        Ok(Command::Execute { name, arguments })
    }

    fn insert(&mut self) -> Result<Command, SqlError> {
        self.expect("INTO")?;
        let table = self.table()?;
        let columns = self.columns()?;
        if self.words(&["OVERRIDING"]) || self.words(&["DEFAULT", "VALUES"]) {
            return Err(SqlError::unsupported("INSERT with DEFAULT VALUES or OVERRIDING"));
        }
        let after = self.piece.tokens[self.at..].iter().any(|token| {
            matches!(token, Token::Word(word) if word.quote_style.is_none()
                && ["RETURNING", "CONFLICT"].iter().any(|w| word.value.eq_ignore_ascii_case(w)))
        });
        if after {
            return Err(SqlError::unsupported("INSERT with RETURNING or ON CONFLICT"));
        }
        Ok(Command::Insert { table, columns, query: self.rest()? })
    }

    fn copy(&mut self) -> Result<Command, SqlError> {
        let binary = self.word("BINARY");
        let query = match self.peek() {
            Some(Token::LParen) => Some(self.parenthesized()?),
            _ => None,
        };
        let (table, columns) = match query {
            Some(_) => (String::new(), Vec::new()),
            None => (self.table()?, self.columns()?),
        };
        let out = self.word("TO");
        if !out {
            self.expect("FROM")?;
        }
        let (wanted, file) = if out { ("STDOUT", "to") } else { ("STDIN", "from") };
        if !self.word(wanted) {
            let text = format!("COPY {file} a file or program of the server is not supported");
            let hint = format!("COPY {file} {wanted}, or psql's \\copy, works with files of yours");
            return Err(SqlError::new("0A000", text).hint(hint));
        }
        let mut format = CopyFormat::default();
        if binary {
            format.kind = CopyKind::Binary;
        }
        self.copy_options(&mut format)?;
        format.finish()?;
        if !out {
            if query.is_some() {
                return Err(SqlError::new("42601", "COPY from STDIN needs a table"));
            }
            return Ok(Command::CopyIn { table, columns, format });
        }
        let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
        let query = query.unwrap_or_else(|| {
            let names: Vec<String> = columns.iter().map(quoted).collect();
            let names = if names.is_empty() { "*".to_owned() } else { names.join(", ") };
            format!("select {names} from {table}")
        });
        Ok(Command::CopyOut { query, format })
    }

    fn copy_options(&mut self, format: &mut CopyFormat) -> Result<(), SqlError> {
        self.word("WITH");
        let listed = self.token(&Token::LParen);
        while !(self.is_end() || listed && self.token(&Token::RParen)) {
            let name = self.name()?;
            if !listed {
                self.word("AS");
            }
            match name.as_str() {
                "format" if listed => {
                    let name = match self.peek() {
                        Some(Token::SingleQuotedString(_)) => self.text()?.to_lowercase(),
                        _ => self.name()?,
                    };
                    format.kind = CopyKind::named(&name)?;
                }
                "csv" if !listed => format.kind = CopyKind::Csv,
                "binary" if !listed => format.kind = CopyKind::Binary,
                "header" => format.header = !listed || self.flag()?,
                "delimiter" => format.delimiter = Some(self.one_byte("delimiter")?),
                "null" => format.null = Some(self.text()?),
                "quote" => format.quote = Some(self.one_byte("quote")?),
                "escape" => format.escape = Some(self.one_byte("escape")?),
                "encoding" => {
                    let encoding = self.text()?;
                    if !["utf8", "utf-8"].contains(&encoding.to_lowercase().as_str()) {
                        let what = format_args!("COPY in the encoding {encoding}");
                        return Err(SqlError::unsupported(what));
                    }
                }
                "force_quote" if self.token(&Token::Mul) => format.force_quote = true,
                "force" if self.words(&["QUOTE"]) && self.token(&Token::Mul) => {
                    format.force_quote = true;
                }
                _ => return Err(SqlError::unsupported(format_args!("COPY with {name}"))),
            }
            if listed {
                self.token(&Token::Comma);
            }
        }
        Ok(())
    }

    fn flag(&mut self) -> Result<bool, SqlError> {
        Ok(match self.peek() {
            Some(Token::Comma | Token::RParen) | None => true,
            Some(Token::Number(..)) => {
                let on = self.number()? != Some(0);
                return Ok(on);
            }
            Some(Token::SingleQuotedString(_)) => {
                return Ok(["true", "on", "1"].contains(&self.text()?.to_lowercase().as_str()));
            }
            Some(_) => ["true", "on"].contains(&self.name()?.as_str()),
        })
    }

    fn one_byte(&mut self, what: &str) -> Result<u8, SqlError> {
        match self.text()?.as_bytes() {
            [byte] if *byte != b'\n' && *byte != b'\r' => Ok(*byte),
            _ => {
                let text = format!("COPY {what} must be a single one-byte character");
                Err(SqlError::new("22023", text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::split;

    fn run(text: &str) -> Result<Option<Command>, &'static str> {
        command(&split(text).unwrap()[0]).map_err(|error| error.code)
    }

    fn check(text: &str, expected: Command) {
        assert_eq!(run(text), Ok(Some(expected)), "{text}");
    }

    #[test]
    fn cursors() {
        let declare = |binary, hold| Command::Declare {
            name: "c".into(),
            binary,
            hold,
            query: "select 1, 'for'".into(),
        };
        check("declare c cursor for select 1, 'for'", declare(false, false));
        check(
            "DECLARE C BINARY NO SCROLL CURSOR WITH HOLD FOR select 1, 'for'",
            declare(true, true),
        );
        let fetch = |rows, moves| Command::Fetch { cursor: "c".into(), rows, moves };
        check("fetch c", fetch(1, false));
        check("fetch next from c", fetch(1, false));
        check("FETCH FORWARD 100 FROM \"c\"", fetch(100, false));
        check("fetch all in c", fetch(usize::MAX, false));
        check("fetch forward from c", fetch(1, false));
        check("fetch 0 c", fetch(0, false));
        check("move forward all from c", fetch(usize::MAX, true));
        check("close c", Command::Close(Some("c".into())));
        check("close all", Command::Close(None));
        assert_eq!(run("fetch -1 from c"), Err("55000"));
        assert_eq!(run("fetch last from c"), Err("55000"));
        assert_eq!(run("declare c scroll cursor for select 1"), Err("0A000"));
        assert_eq!(run("declare c cursor for"), Err("42601"));
        assert_eq!(run("fetch all from c d"), Err("42601"));
    }

    #[test]
    fn prepared() {
        let types = vec!["int".to_owned(), "text".to_owned()];
        let query = "select $1".to_owned();
        check(
            "prepare p (int, text) as select $1",
            Command::Prepare { name: "p".into(), types, query },
        );
        check(
            "execute p(1, f(2), 'x)')",
            Command::Execute { name: "p".into(), arguments: "1, f(2), 'x)'".into() },
        );
        check("execute p", Command::Execute { name: "p".into(), arguments: String::new() });
        assert_eq!(run("execute p(1"), Err("42601"));
        assert_eq!(run("select 1"), Ok(None));
    }

    #[test]
    fn copies() {
        let out = |query: &str, format| Command::CopyOut { query: query.into(), format };
        let csv = CopyFormat { kind: CopyKind::Csv, header: true, ..CopyFormat::default() };
        check("copy (select 1) to stdout", out("select 1", CopyFormat::default()));
        check("copy (select 1) to stdout with (format csv, header)", out("select 1", csv.clone()));
        check("copy (select 1) to stdout with csv header", out("select 1", csv));
        check("copy logs to stdout", out("select * from logs", CopyFormat::default()));
        let some = "select \"line\", \"A\" from logs";
        check("copy public.logs (line, \"A\") to stdout", out(some, CopyFormat::default()));
        let tab =
            CopyFormat { delimiter: Some(b'|'), null: Some("-".into()), ..Default::default() };
        check("copy (select 1) to stdout delimiter '|' null as '-'", out("select 1", tab));
        check(
            "copy logs (timestamp, line) from stdin (format 'binary')",
            Command::CopyIn {
                table: "logs".into(),
                columns: vec!["timestamp".into(), "line".into()],
                format: CopyFormat { kind: CopyKind::Binary, ..CopyFormat::default() },
            },
        );
        for (text, code) in [
            ("copy (select 1) to '/tmp/x'", "0A000"),
            ("copy logs from '/etc/passwd'", "0A000"),
            ("copy logs from program 'id'", "0A000"),
            ("copy logs to program 'id'", "0A000"),
            ("copy logs from stdin (freeze)", "0A000"),
            ("copy logs from stdin (delimiter 'ab')", "22023"),
            ("copy logs from stdin (format xml)", "22023"),
            ("copy logs (line, line) from stdin", "42701"),
            ("copy (select 1) from stdin", "42601"),
        ] {
            assert_eq!(run(text), Err(code), "{text}");
        }
    }

    #[test]
    fn inserts() {
        check(
            "insert into logs (line, app) values ('a', 'b')",
            Command::Insert {
                table: "logs".into(),
                columns: vec!["line".into(), "app".into()],
                query: "values ('a', 'b')".into(),
            },
        );
        assert_eq!(run("insert into logs default values"), Err("0A000"));
        assert_eq!(run("insert into logs (line) values ('a') returning line"), Err("0A000"));
    }
}
