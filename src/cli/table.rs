//! Text in aligned columns, as psql prints it.
//!
//! In: a header and rows of cells. Out: lines. Columns of numbers lean right; control characters
//! cannot move the cursor; widths count characters.

use std::fmt::Write as _;

/// Rows under a header.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

impl Table {
    pub(super) fn new(header: Vec<String>) -> Table {
        Table { header, rows: Vec::new() }
    }

    /// Adds a row. `None` is SQL's NULL.
    pub(super) fn push(&mut self, row: Vec<Option<String>>) {
        self.rows.push(row);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The lines, each ended.
    pub(super) fn render(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| self.printable(row)).collect();
        let header: Vec<String> = self.header.iter().map(|name| visible(name)).collect();
        let columns: Vec<Column> =
            (0..header.len()).map(|index| self.column(index, &header[index], &rows)).collect();
        let mut out = String::new();
        let centered = header.iter().zip(&columns).map(|(name, column)| {
            let spare = column.width - name.chars().count();
            format!(" {}{name}{} ", " ".repeat(spare / 2), " ".repeat(spare - spare / 2))
        });
        push_line(&mut out, centered.collect::<Vec<_>>().join("|"));
        let rule: Vec<String> = columns.iter().map(|column| "-".repeat(column.width + 2)).collect();
        push_line(&mut out, rule.join("+"));
        for row in &rows {
            let cells = row.iter().zip(&columns).map(|(cell, column)| {
                let pad = " ".repeat(column.width - cell.chars().count());
                if column.numeric { format!(" {pad}{cell} ") } else { format!(" {cell}{pad} ") }
            });
            push_line(&mut out, cells.collect::<Vec<_>>().join("|"));
        }
        out
    }

    fn printable(&self, row: &[Option<String>]) -> Vec<String> {
        let cell = |index: usize| match row.get(index).and_then(Option::as_deref) {
            Some(text) => visible(text),
            None => "NULL".to_owned(),
        };
        (0..self.header.len()).map(cell).collect()
    }

    fn column(&self, index: usize, name: &str, rows: &[Vec<String>]) -> Column {
        let cells = rows.iter().map(|row| row[index].chars().count());
        let width = cells.max().unwrap_or(0).max(name.chars().count());
        let mut values = self.rows.iter().filter_map(|row| row.get(index)?.as_deref()).peekable();
        let numeric = values.peek().is_some() && values.all(|text| text.parse::<f64>().is_ok());
        Column { width, numeric }
    }
}

struct Column {
    width: usize,
    numeric: bool,
}

fn push_line(out: &mut String, line: String) {
    let _ = writeln!(out, "{}", line.trim_end());
}

/// A text from a log may hold escape sequences, and a line end would break the table.
pub(super) fn visible(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => out.push_str("    "),
            control if control.is_control() => out.extend(control.escape_default()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &[&str], rows: &[&[Option<&str>]], expected: &str) {
        let mut table = Table::new(header.iter().map(ToString::to_string).collect());
        for row in rows {
            table.push(row.iter().map(|cell| cell.map(str::to_owned)).collect());
        }
        assert_eq!(table.render(), expected);
    }

    #[test]
    fn aligned() {
        check(
            &["level", "n"],
            &[&[Some("error"), Some("5")], &[None, Some("1200")], &[Some("grün"), None]],
            "\u{20}level |  n\n-------+------\n error |    5\n NULL  | 1200\n grün  | NULL\n",
        );
        check(&["a"], &[], " a\n---\n");
    }

    #[test]
    fn control_characters_are_shown() {
        check(
            &["line"],
            &[&[Some("a\u{1b}[2Jb\nc\td")]],
            "        line\n---------------------\n a\\u{1b}[2Jb\\nc    d\n",
        );
    }
}
