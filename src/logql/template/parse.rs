//! The tree of a template.

use std::collections::BTreeMap;

use super::lex::{self, Kind, Piece, Token};

/// Nesting that a template may have.
const DEPTH_MAX: usize = 100;

/// Templates by their names.
pub(super) type Definitions = BTreeMap<String, Body>;

/// A list of nodes.
pub(super) type Body = Vec<Node>;

/// Something that is written or done.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Print(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    /// `{{template "name" .}}`: another template with a dot of its own.
    Template(Invocation),
}

/// Which template, and what its dot is; nothing where nothing was written.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub(super) name: String,
    pub(super) pipe: Option<Pipe>,
    /// Byte position in the template.
    pub(super) at: usize,
}

/// `if`, `with` and `range` look alike.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Body,
    pub(super) otherwise: Body,
}

/// `$x := a | b`
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) variables: Vec<String>,
    /// `=` and not `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A function or value and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) arguments: Vec<Argument>,
}

/// A value or a function's name.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) term: Term,
    /// `.a.b` behind it.
    pub(super) fields: Vec<String>,
    /// As it was written, with single spaces.
    pub(super) text: String,
    /// Byte position in the template.
    pub(super) at: usize,
}

/// What an argument starts with.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Dot,
    Variable(String),
    Function(String),
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Pipe(Pipe),
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) text: String,
}

impl SyntaxError {
    pub(super) fn new(template: &str, at: usize, text: &str) -> SyntaxError {
        let line = 1 + template[..at].matches('\n').count();
        SyntaxError { line, text: text.to_owned() }
    }
}

impl Command {
    /// As it was written, with single spaces.
    pub(super) fn text(&self) -> String {
        let texts: Vec<&str> =
            self.arguments.iter().map(|argument| argument.text.as_str()).collect();
        texts.join(" ")
    }

    /// Byte position in the template.
    pub(super) fn at(&self) -> usize {
        self.arguments[0].at
    }
}

/// Parses a template and those that it defines.
pub(super) fn parse(template: &str) -> Result<(Body, Definitions), SyntaxError> {
    let pieces = lex::pieces(template)?;
    let mut parser = Parser {
        template,
        pieces: pieces.into_iter(),
        variables: vec![String::new()],
        loops: 0,
        depth: 0,
        definitions: Definitions::new(),
    };
    let (body, end) = parser.body()?;
    match end {
        Closing::Eof => Ok((body, parser.definitions)),
        Closing::End => Err(parser.fail(template.len(), "unexpected {{end}}")),
        Closing::Else(_) => Err(parser.fail(template.len(), "unexpected {{else}}")),
    }
}

/// What a body ends with.
enum Closing {
    Eof,
    End,
    /// The tokens behind `else`.
    Else(Vec<Token>),
}

struct Parser<'t> {
    template: &'t str,
    pieces: std::vec::IntoIter<Piece>,
    /// Those in scope; `$` is the first.
    variables: Vec<String>,
    loops: usize,
    depth: usize,
    definitions: Definitions,
}

impl Parser<'_> {
    fn fail(&self, at: usize, text: &str) -> SyntaxError {
        SyntaxError::new(self.template, at, text)
    }

    fn body(&mut self) -> Result<(Body, Closing), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fail(0, "template is nested too deeply"));
        }
        let mut body = Vec::new();
        let end = loop {
            let tokens = match self.pieces.next() {
                None => break Closing::Eof,
                Some(Piece::Text(text)) => {
                    body.push(Node::Text(text));
                    continue;
                }
                Some(Piece::Action(tokens)) => tokens,
            };
            let keyword = match tokens.first().map(|token| &token.kind) {
                Some(Kind::Word(word)) => word.clone(),
                Some(_) => String::new(),
                None => return Err(self.fail(0, "missing value for command")),
            };
            let at = tokens[0].at;
            let rest = &tokens[1..];
            match keyword.as_str() {
                "end" => break Closing::End,
                "else" => break Closing::Else(rest.to_vec()),
                "if" => body.push(Node::If(self.branch(rest, "if", at)?)),
                "with" => body.push(Node::With(self.branch(rest, "with", at)?)),
                "range" => body.push(Node::Range(self.branch(rest, "range", at)?)),
                "break" | "continue" if self.loops == 0 => {
                    return Err(self.fail(at, &format!("{{{{{keyword}}}}} outside {{{{range}}}}")));
                }
                "break" => body.push(Node::Break),
                "continue" => body.push(Node::Continue),
                // A definition is no part of what is around it, so it stands alone.
                "define" if self.depth == 1 => {
                    let (name, rest) = self.name(rest, "define clause", at)?;
                    if let Some(token) = rest.first() {
                        return Err(self.unexpected(token, "define clause"));
                    }
                    self.define(name, at)?;
                }
                "define" => return Err(self.unexpected(&tokens[0], "command")),
                "template" => {
                    let (name, rest) = self.name(rest, "template clause", at)?;
                    let given = !rest.is_empty();
                    let pipe = given.then(|| self.pipe(rest, "template clause")).transpose()?;
                    body.push(Node::Template(Invocation { name, pipe, at }));
                }
                "block" => {
                    let (name, rest) = self.name(rest, "block clause", at)?;
                    let pipe = Some(self.pipe(rest, "block clause")?);
                    self.define(name.clone(), at)?;
                    body.push(Node::Template(Invocation { name, pipe, at }));
                }
                _ => body.push(Node::Print(self.pipe(&tokens, "command")?)),
            }
        };
        self.depth -= 1;
        Ok((body, end))
    }

    /// The quoted name behind a keyword, and what follows it.
    fn name<'k>(
        &self,
        tokens: &'k [Token],
        what: &str,
        at: usize,
    ) -> Result<(String, &'k [Token]), SyntaxError> {
        match tokens.split_first() {
            Some((Token { kind: Kind::Text(name), .. }, rest)) => Ok((name.clone(), rest)),
            Some((other, _)) => Err(self.unexpected(other, what)),
            None => Err(self.fail(at, &format!("unexpected \"}}}}\" in {what}"))),
        }
    }

    /// What stands up to `{{end}}` is a template of its own: it sees no variable but its `$`.
    fn define(&mut self, name: String, at: usize) -> Result<(), SyntaxError> {
        let variables = std::mem::replace(&mut self.variables, vec![String::new()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, end) = self.body()?;
        (self.variables, self.loops) = (variables, loops);
        match end {
            Closing::End => {}
            Closing::Eof => return Err(self.fail(self.template.len(), "unexpected EOF")),
            Closing::Else(_) => return Err(self.fail(at, "unexpected {{else}} in define clause")),
        }
        // White space alone defines nothing that is there already.
        let is_empty = |body: &Body| {
            let blank = |node: &Node| matches!(node, Node::Text(text) if text.trim().is_empty());
            body.iter().all(blank)
        };
        match self.definitions.get(&name) {
            Some(known) if !is_empty(known) && !is_empty(&body) => {
                Err(self.fail(at, &format!("template: multiple definition of template {name:?}")))
            }
            Some(known) if !is_empty(known) => Ok(()),
            _ => {
                self.definitions.insert(name, body);
                Ok(())
            }
        }
    }

    fn branch(&mut self, tokens: &[Token], what: &str, at: usize) -> Result<Branch, SyntaxError> {
        let outer = self.variables.len();
        if tokens.is_empty() {
            return Err(self.fail(at, &format!("missing value for {what}")));
        }
        let pipe = self.pipe(tokens, what)?;
        self.loops += usize::from(what == "range");
        let (body, mut end) = self.body()?;
        self.loops -= usize::from(what == "range");
        let mut otherwise = Vec::new();
        if let Closing::Else(rest) = end {
            // `else if` is an `if` inside the else, with the same end.
            match rest.first().map(|token| token.kind.clone()) {
                None => (otherwise, end) = self.body()?,
                Some(Kind::Word(word)) if word == what && what != "range" => {
                    let inner = self.branch(&rest[1..], what, at)?;
                    let node = if what == "if" { Node::If(inner) } else { Node::With(inner) };
                    otherwise.push(node);
                    end = Closing::End;
                }
                Some(_) => {
                    return Err(self.fail(at, &format!("unexpected <{}> in else", rest[0].text)));
                }
            }
        }
        self.variables.truncate(outer);
        match end {
            Closing::End => Ok(Branch { pipe, body, otherwise }),
            Closing::Eof => Err(self.fail(self.template.len(), "unexpected EOF")),
            Closing::Else(_) => Err(self.fail(at, "expected end; found {{else}}")),
        }
    }

    fn pipe(&mut self, tokens: &[Token], what: &str) -> Result<Pipe, SyntaxError> {
        let sign = tokens.iter().position(|token| matches!(token.kind, Kind::Sign(":=" | "=")));
        let mut variables = Vec::new();
        let mut assigns = false;
        let mut rest = tokens;
        if let Some(sign) = sign {
            assigns = tokens[sign].kind == Kind::Sign("=");
            for (i, token) in tokens[..sign].iter().enumerate() {
                match (&token.kind, i % 2) {
                    (Kind::Variable(name), 0) => variables.push(name.clone()),
                    (Kind::Sign(","), 1) => {}
                    _ => return Err(self.unexpected(token, what)),
                }
            }
            if variables.is_empty() || variables.len() > if what == "range" { 2 } else { 1 } {
                return Err(self.fail(tokens[0].at, &format!("too many declarations in {what}")));
            }
            rest = &tokens[sign + 1..];
        }
        let commands = self.commands(rest, what)?;
        if assigns {
            for name in &variables {
                self.check_variable(name, tokens[0].at)?;
            }
        } else {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipe { variables, assigns, commands })
    }

    fn commands(&mut self, tokens: &[Token], what: &str) -> Result<Vec<Command>, SyntaxError> {
        let mut commands = Vec::new();
        let mut depth = 0;
        let mut start = 0;
        for (i, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Sign("(") => depth += 1,
                Kind::Sign(")") => depth -= 1,
                Kind::Sign("|") if depth == 0 => {
                    commands.push(self.command(&tokens[start..i], what, token.at)?);
                    start = i + 1;
                }
                _ => {}
            }
        }
        let end = tokens.last().map_or(self.template.len(), |token| token.at);
        commands.push(self.command(&tokens[start..], what, end)?);
        for command in &commands[1..] {
            match command.arguments[0].term {
                Term::Nil
                | Term::Bool(_)
                | Term::Int(_)
                | Term::Float(_)
                | Term::Text(_)
                | Term::Dot => {
                    let text = format!("non executable command in pipeline stage {}", 2);
                    return Err(self.fail(command.at(), &text));
                }
                Term::Variable(_) | Term::Function(_) | Term::Pipe(_) => {}
            }
        }
        Ok(commands)
    }

    fn command(
        &mut self,
        tokens: &[Token],
        what: &str,
        end: usize,
    ) -> Result<Command, SyntaxError> {
        let mut arguments = Vec::new();
        let mut rest = tokens;
        while !rest.is_empty() {
            let (argument, after) = self.argument(rest, what)?;
            if let Some(next) = after.first()
                && !next.spaced
            {
                return Err(self.unexpected(next, "operand"));
            }
            arguments.push(argument);
            rest = after;
        }
        if arguments.is_empty() {
            return Err(self.fail(end, &format!("missing value for {what}")));
        }
        Ok(Command { arguments })
    }

    /// One argument with the fields behind it, and the tokens behind that.
    fn argument<'k>(
        &mut self,
        tokens: &'k [Token],
        what: &str,
    ) -> Result<(Argument, &'k [Token]), SyntaxError> {
        let first = &tokens[0];
        let mut rest = &tokens[1..];
        let mut text = first.text.clone();
        let mut fields = Vec::new();
        let term = match &first.kind {
            Kind::Dot => Term::Dot,
            Kind::Field(name) => {
                fields.push(name.clone());
                Term::Dot
            }
            Kind::Variable(name) => {
                self.check_variable(name, first.at)?;
                Term::Variable(name.clone())
            }
            Kind::Word(word) if word == "nil" => Term::Nil,
            Kind::Word(word) if word == "true" => Term::Bool(true),
            Kind::Word(word) if word == "false" => Term::Bool(false),
            Kind::Word(word) => {
                if super::functions::find(word).is_none() {
                    return Err(self.fail(first.at, &format!("function \"{word}\" not defined")));
                }
                Term::Function(word.clone())
            }
            Kind::Int(value) => Term::Int(*value),
            Kind::Float(value) => Term::Float(*value),
            Kind::Text(value) => Term::Text(value.clone()),
            Kind::Sign("(") => {
                let mut depth = 0;
                let close = tokens.iter().position(|token| {
                    match token.kind {
                        Kind::Sign("(") => depth += 1,
                        Kind::Sign(")") => depth -= 1,
                        _ => {}
                    }
                    depth == 0
                });
                let close = close.expect("the lexer has counted them");
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(self.fail(first.at, "template is nested too deeply"));
                }
                let pipe = self.pipe(&tokens[1..close], "parenthesized pipeline")?;
                self.depth -= 1;
                rest = &tokens[close + 1..];
                let commands: Vec<String> = pipe.commands.iter().map(Command::text).collect();
                text = format!("({})", commands.join(" | "));
                Term::Pipe(pipe)
            }
            Kind::Sign(_) => return Err(self.unexpected(first, what)),
        };
        while let Some(Token { kind: Kind::Field(name), text: dotted, spaced: false, .. }) =
            rest.first()
        {
            let chains =
                matches!(term, Term::Dot | Term::Variable(_) | Term::Pipe(_) | Term::Function(_));
            if !chains || (fields.is_empty() && matches!(term, Term::Dot)) {
                return Err(self.unexpected(&rest[0], "operand"));
            }
            fields.push(name.clone());
            text.push_str(dotted);
            rest = &rest[1..];
        }
        Ok((Argument { term, fields, text, at: first.at }, rest))
    }

    fn check_variable(&self, name: &str, at: usize) -> Result<(), SyntaxError> {
        if self.variables.iter().any(|own| own == name) {
            return Ok(());
        }
        Err(self.fail(at, &format!("undefined variable \"${name}\"")))
    }

    fn unexpected(&self, token: &Token, what: &str) -> SyntaxError {
        self.fail(token.at, &format!("unexpected <{}> in {what}", token.text))
    }
}
