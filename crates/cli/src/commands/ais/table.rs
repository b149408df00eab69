//! Tables for people, objects for programs.

use anyhow::Result;
use serde_json::Value;

use crate::printer::Printer;

/// Rows that are printed under their headings.
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    objects: Vec<Value>,
}

impl Table {
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new(), objects: Vec::new() }
    }

    /// Adds a row, and what programs get for it.
    pub(super) fn row(&mut self, cells: Vec<String>, object: Value) {
        self.rows.push(cells);
        self.objects.push(object);
    }

    /// Prints it. Programs get an object a row; people get nothing for no rows.
    pub(super) fn print(self, printer: &Printer) -> Result<()> {
        if printer.is_json() {
            return self.objects.into_iter().try_for_each(|o| printer.data(String::new, || o));
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        printer.data(|| self.text(), || Value::Null)
    }

    fn text(&self) -> String {
        let cells = |column: usize| self.rows.iter().map(move |row| row[column].as_str());
        let columns: Vec<(usize, bool)> = (0..self.headings.len())
            .map(|column| {
                let widest = cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
                (widest.max(self.headings[column].len()), cells(column).all(is_number))
            })
            .collect();
        let line = |row: &mut dyn Iterator<Item = &str>| {
            let cells = row.zip(&columns).map(|(cell, (width, right))| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines = vec![line(&mut self.headings.iter().copied())];
        lines.extend(self.rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        lines.join("\n")
    }
}

fn is_number(cell: &str) -> bool {
    cell.is_empty()
        || cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains(['T', ':', '/'])
}

/// Properties of one thing: a line each for people, one object for programs.
pub(super) fn properties(printer: &Printer, object: &Value) -> Result<()> {
    let text = || {
        let mut lines = Vec::new();
        flatten("", object, &mut lines);
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let lines = lines.into_iter().map(|(name, value)| format!("{name:width$}  {value}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    printer.data(text, || object.clone())
}

/// `lru.enabled  true` for what is nested.
fn flatten(above: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |name: &str| match above {
        "" => name.to_owned(),
        above => format!("{above}.{name}"),
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(name, value)| flatten(&below(name), value, lines));
        }
        Value::Array(items) if items.iter().any(|item| item.is_object()) => {
            let items = items.iter().enumerate();
            items.for_each(|(at, item)| flatten(&below(&at.to_string()), item, lines));
        }
        Value::String(text) => lines.push((above.to_owned(), text.clone())),
        Value::Null => lines.push((above.to_owned(), String::new())),
        other => lines.push((above.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_right_and_texts_left() {
        let mut table = Table::new(&["Name", "Objects"]);
        table.row(vec!["a".to_owned(), "7".to_owned()], json!(1));
        table.row(vec!["longer".to_owned(), "12345678".to_owned()], json!(2));
        assert_eq!(table.text(), "Name     Objects\na              7\nlonger  12345678");
    }

    #[test]
    fn nested_properties_have_dotted_names() {
        let mut lines = Vec::new();
        flatten("", &json!({"a": {"b": true}, "c": "x", "d": [1, 2]}), &mut lines);
        let shown: Vec<_> = lines.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(shown, ["a.b=true", "c=x", "d=[1,2]"]);
    }
}
