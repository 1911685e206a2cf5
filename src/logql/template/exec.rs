//! Runs a template over the labels of an entry.

use std::borrow::Cow;

use super::functions;
use super::parse::{Argument, Body, Branch, Command, Invocation, Node, Pipe, Term};
use super::time::{Time, day_name, month_name};
use super::value::Value;
use super::{OUTPUT_BYTES_MAX, Template};
use crate::logql::row::Row;

/// What a body of a loop ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Steps of all loops of one run: a range over a large number must end.
const STEPS_MAX: usize = 1_000_000;
/// Bodies inside of each other, in the text and by templates that run others: what the stack of a
/// thread is good for.
const BODIES_MAX: usize = 150;

/// One run.
pub(super) struct Exec<'v, 'o, 'r> {
    template: &'v Template,
    pub(super) row: &'v Row<'r>,
    pub(super) now: i64,
    out: &'o mut String,
    variables: Vec<(&'v str, Value<'v>)>,
    n_steps: usize,
    n_bodies: usize,
    /// The template that is running, for error texts.
    name: &'v str,
}

impl<'v, 'o, 'r> Exec<'v, 'o, 'r> {
    /// Begins a run that appends to `out`.
    pub(super) fn new(
        template: &'v Template,
        row: &'v Row<'r>,
        now: i64,
        out: &'o mut String,
    ) -> Exec<'v, 'o, 'r> {
        let variables = vec![("", Value::Labels)];
        Exec { template, row, now, out, variables, n_steps: 0, n_bodies: 0, name: template.name }
    }

    /// Runs the template.
    pub(super) fn run(mut self) -> Result<(), String> {
        let template = self.template;
        self.body(&template.body, &Value::Labels).map(drop)
    }

    fn body(&mut self, body: &'v Body, dot: &Value<'v>) -> Result<Flow, String> {
        self.n_bodies += 1;
        if self.n_bodies > BODIES_MAX {
            return Err(format!("exceeded maximum template depth ({BODIES_MAX})"));
        }
        let flow = self.nodes(body, dot);
        self.n_bodies -= 1;
        flow
    }

    fn nodes(&mut self, body: &'v Body, dot: &Value<'v>) -> Result<Flow, String> {
        for node in body {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::Next
                }
                Node::Print(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.print(&value);
                    }
                    Flow::Next
                }
                Node::If(branch) => self.branch(branch, dot, false)?,
                Node::With(branch) => self.branch(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
                Node::Template(invocation) => self.invoke(invocation, dot)?,
            };
            if self.out.len() > OUTPUT_BYTES_MAX {
                return Err("template output is too long".into());
            }
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Runs another template: its dot is what it was given, and its variables are its own.
    fn invoke(&mut self, invocation: &'v Invocation, dot: &Value<'v>) -> Result<Flow, String> {
        let Invocation { name, pipe, at } = invocation;
        let template = self.template;
        let Some(body) = template.definitions.get(name) else {
            let text = format!("template {name:?} not defined");
            return Err(self.fail(*at, &format!("{{{{template {name:?}}}}}"), &text));
        };
        self.step()?;
        let dot = match pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Nil,
        };
        let variables = std::mem::replace(&mut self.variables, vec![("", dot.clone())]);
        let caller = std::mem::replace(&mut self.name, name);
        self.body(body, &dot)?;
        (self.variables, self.name) = (variables, caller);
        Ok(Flow::Next)
    }

    /// Counts what could go on for ever.
    fn step(&mut self) -> Result<(), String> {
        self.n_steps += 1;
        if self.n_steps > STEPS_MAX {
            return Err("template takes too many steps".into());
        }
        Ok(())
    }

    fn print(&mut self, value: &Value<'v>) {
        match value {
            Value::Nil => self.out.push_str("<no value>"),
            Value::Labels => {
                let all = self.all_labels();
                all.print(self.out);
            }
            value => value.print(self.out),
        }
    }

    /// The labels as a map.
    pub(super) fn all_labels(&self) -> Value<'v> {
        let row = self.row;
        let labels = row.visible();
        let labels = labels.map(|(name, _, value)| {
            (row.names.text(name).to_owned(), Value::Text(Cow::Borrowed(value)))
        });
        Value::Map(labels.collect())
    }

    /// One label; missing ones are empty.
    pub(super) fn label(&self, name: &str) -> Value<'v> {
        let row = self.row;
        let value = row.names.get(name).and_then(|name| row.get(name));
        Value::Text(Cow::Borrowed(value.unwrap_or("")))
    }

    fn branch(&mut self, branch: &'v Branch, dot: &Value<'v>, with: bool) -> Result<Flow, String> {
        let outer = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = if value.is_true() {
            self.body(&branch.body, if with { &value } else { dot })
        } else {
            self.body(&branch.otherwise, dot)
        };
        self.variables.truncate(outer);
        flow
    }

    fn range(&mut self, branch: &'v Branch, dot: &Value<'v>) -> Result<Flow, String> {
        let outer = self.variables.len();
        let value = self.commands(&branch.pipe, dot)?;
        let items: Box<dyn Iterator<Item = (Value<'v>, Value<'v>)>> = match value {
            Value::Labels | Value::Map(_) => {
                let value = if let Value::Labels = value { self.all_labels() } else { value };
                let Value::Map(map) = value else { unreachable!("both were made maps") };
                Box::new(map.into_iter().map(|(key, value)| (Value::Text(key.into()), value)))
            }
            Value::List(list) => {
                Box::new(list.into_iter().enumerate().map(|(at, value)| (index(at), value)))
            }
            Value::Int(n) => Box::new((0..n).map(|at| (Value::Int(at), Value::Int(at)))),
            Value::Nil => Box::new(std::iter::empty()),
            other => {
                let at = branch.pipe.commands[0].at();
                let text = branch.pipe.commands[0].text();
                return Err(self.fail(
                    at,
                    &text,
                    &format!("range can't iterate over {}", other.printed()),
                ));
            }
        };
        let mut any = false;
        for (key, item) in items {
            any = true;
            self.step()?;
            match branch.pipe.variables.as_slice() {
                [] => {}
                [one] => self.declare(one, item.clone(), branch.pipe.assigns),
                [first, second, ..] => {
                    self.declare(first, key, branch.pipe.assigns);
                    self.declare(second, item.clone(), branch.pipe.assigns);
                }
            }
            let flow = self.body(&branch.body, &item)?;
            self.variables.truncate(outer);
            if flow == Flow::Break {
                break;
            }
        }
        if any {
            return Ok(Flow::Next);
        }
        let flow = self.body(&branch.otherwise, dot);
        self.variables.truncate(outer);
        flow
    }

    fn declare(&mut self, name: &'v str, value: Value<'v>, assigns: bool) {
        if assigns {
            let own = self.variables.iter_mut().rev().find(|(own, _)| *own == name);
            own.expect("the parser has checked it").1 = value;
        } else {
            self.variables.push((name, value));
        }
    }

    /// The value of a pipe, after its variable was set.
    fn pipe(&mut self, pipe: &'v Pipe, dot: &Value<'v>) -> Result<Value<'v>, String> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.variables {
            self.declare(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &'v Pipe, dot: &Value<'v>) -> Result<Value<'v>, String> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        Ok(value.expect("the parser gives at least one command"))
    }

    /// A command; `last` is what the command before it in the pipe gave.
    fn command(
        &mut self,
        command: &'v Command,
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, String> {
        let (first, rest) = command.arguments.split_first().expect("a command is never empty");
        if let (Term::Function(name), true) = (&first.term, first.fields.is_empty()) {
            return self.call(command, name, rest, dot, last);
        }
        // `$t.Format "15:04"`: a method of a time.
        let arguments: Vec<&'v Argument> = rest.iter().collect();
        if (!arguments.is_empty() || last.is_some())
            && let Some((method, fields)) = first.fields.split_last()
        {
            let owner = self.term(first, dot)?;
            let owner = self.fields(first, owner, fields)?;
            if let Value::Time(time) = owner {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.argument(argument, dot)?);
                }
                values.extend(last);
                return method_of(time, method, &values)
                    .map_err(|error| self.fail(command.at(), &command.text(), &error));
            }
        }
        if !rest.is_empty() || last.is_some() {
            let text = format!("can't give argument to non-function {}", first.text);
            return Err(self.fail(first.at, &first.text, &text));
        }
        self.argument(first, dot)
    }

    fn call(
        &mut self,
        command: &'v Command,
        name: &'v str,
        arguments: &'v [Argument],
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, String> {
        let function = functions::find(name).expect("the parser has checked it");
        let n = arguments.len() + usize::from(last.is_some());
        if n < function.least || n > function.most {
            let want = if n < function.least && function.most > function.least {
                format!("at least {}", function.least)
            } else {
                function.most.to_string()
            };
            let text = format!("wrong number of args for {name}: want {want} got {n}");
            return Err(self.fail(command.at(), name, &text));
        }
        if name == "and" || name == "or" {
            return self.short(name == "or", arguments, dot, last);
        }
        let mut values = Vec::with_capacity(n);
        for argument in arguments {
            values.push(self.argument(argument, dot)?);
        }
        values.extend(last);
        let answer = if name == "call" {
            // Neither labels nor JSON hold functions, so there is never one to call.
            Err(match &values[0] {
                Value::Nil => "call of nil".into(),
                value => {
                    let what = arguments.first().map_or("value", |own| own.text.as_str());
                    format!("non-function {what} of type {}", value.type_name())
                }
            })
        } else {
            (function.call)(self, values)
        };
        answer.map_err(|error| {
            let text = format!("error calling {name}: {error}");
            self.fail(command.at(), &command.text(), &text)
        })
    }

    /// `and`, `or`: the first argument that decides, and none behind it is looked at.
    fn short(
        &mut self,
        or: bool,
        arguments: &'v [Argument],
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, String> {
        let mut value = Value::Nil;
        for argument in arguments {
            value = self.argument(argument, dot)?;
            if value.is_true() == or {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// The value of an argument with the fields behind it.
    fn argument(&mut self, argument: &'v Argument, dot: &Value<'v>) -> Result<Value<'v>, String> {
        let value = self.term(argument, dot)?;
        self.fields(argument, value, &argument.fields)
    }

    fn term(&mut self, argument: &'v Argument, dot: &Value<'v>) -> Result<Value<'v>, String> {
        Ok(match &argument.term {
            Term::Dot => dot.clone(),
            Term::Variable(name) => {
                let own = self.variables.iter().rev().find(|(own, _)| own == name);
                own.expect("the parser has checked it").1.clone()
            }
            Term::Nil => Value::Nil,
            Term::Bool(value) => Value::Bool(*value),
            Term::Int(value) => Value::Int(*value),
            Term::Float(value) => Value::Float(*value),
            Term::Text(text) => Value::Text(Cow::Borrowed(text)),
            Term::Pipe(pipe) => self.pipe(pipe, dot)?,
            Term::Function(name) => {
                let function = functions::find(name).expect("the parser has checked it");
                if function.least > 0 {
                    let want = function.least;
                    let text = format!("wrong number of args for {name}: want {want} got 0");
                    return Err(self.fail(argument.at, name, &text));
                }
                (function.call)(self, Vec::new()).map_err(|error| {
                    let text = format!("error calling {name}: {error}");
                    self.fail(argument.at, &argument.text, &text)
                })?
            }
        })
    }

    fn fields(
        &self,
        argument: &Argument,
        value: Value<'v>,
        fields: &[String],
    ) -> Result<Value<'v>, String> {
        let mut value = value;
        for field in fields {
            value = match value {
                Value::Labels => self.label(field),
                Value::Map(mut map) => map.remove(field).unwrap_or(Value::Nil),
                Value::Time(time) => method_of(time, field, &[])
                    .map_err(|error| self.fail(argument.at, &argument.text, &error))?,
                Value::Nil => {
                    let text = format!("nil pointer evaluating interface {{}}.{field}");
                    return Err(self.fail(argument.at, &argument.text, &text));
                }
                other => {
                    let kind = other.type_name();
                    let text = format!("can't evaluate field {field} in type {kind}");
                    return Err(self.fail(argument.at, &argument.text, &text));
                }
            };
        }
        Ok(value)
    }

    /// An error with its place.
    fn fail(&self, at: usize, node: &str, text: &str) -> String {
        let name = self.template.name;
        let before = &self.template.text[..at];
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |n| n + 1);
        let running = self.name;
        format!("template: {name}:{line}:{column}: executing \"{running}\" at <{node}>: {text}")
    }
}

fn index(at: usize) -> Value<'static> {
    Value::Int(i64::try_from(at).expect("lists fit into memory"))
}

/// A method of a time.
fn method_of<'v>(time: Time, method: &str, arguments: &[Value<'v>]) -> Result<Value<'v>, String> {
    let civil = time.civil();
    let int = |n: i128| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let text = |text: &str| Value::Text(Cow::Owned(text.to_owned()));
    Ok(match (method, arguments) {
        ("Format", [Value::Text(layout)]) => Value::Text(Cow::Owned(time.format(layout))),
        ("Add", [Value::Int(nanos)]) => {
            Value::Time(Time { nanos: time.nanos + i128::from(*nanos), ..time })
        }
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            Value::Time(time.add_date(*years, *months, *days))
        }
        ("Sub", [Value::Time(other)]) => int(time.nanos - other.nanos),
        ("Before", [Value::Time(other)]) => Value::Bool(time.nanos < other.nanos),
        ("After", [Value::Time(other)]) => Value::Bool(time.nanos > other.nanos),
        ("Equal", [Value::Time(other)]) => Value::Bool(time.nanos == other.nanos),
        ("Unix", []) => Value::Int(time.seconds()),
        ("UnixMilli", []) => int(time.nanos.div_euclid(1_000_000)),
        ("UnixMicro", []) => int(time.nanos.div_euclid(1000)),
        ("UnixNano", []) => int(time.nanos),
        ("UTC" | "Local", []) => Value::Time(Time::utc(time.nanos)),
        ("Year", []) => Value::Int(civil.year),
        ("Month", []) => text(month_name(civil.month)),
        ("Weekday", []) => text(day_name(civil.weekday)),
        ("Day", []) => Value::Int(civil.day.into()),
        ("YearDay", []) => Value::Int(civil.year_day.into()),
        ("Hour", []) => Value::Int(civil.hour.into()),
        ("Minute", []) => Value::Int(civil.minute.into()),
        ("Second", []) => Value::Int(civil.second.into()),
        ("Nanosecond", []) => Value::Int(civil.nano.into()),
        ("IsZero", []) => Value::Bool(time.nanos == Time::zero().nanos),
        ("String", []) => text(&Value::Time(time).printed()),
        (method, _) => return Err(format!("can't evaluate field {method} in type time.Time")),
    })
}
