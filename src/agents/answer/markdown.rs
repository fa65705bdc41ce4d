//! Any JSON as Markdown: objects are lists of facts or sections, lists of flat objects are tables.
//!
//! Every text is escaped, so that what an agent wrote stays text in whatever shows the file: no links, no HTML, no headings of its own.

use serde_json::{Map, Value};

/// Headings deeper than this are none in Markdown.
const DEEPEST: usize = 6;

/// A document: its title, what is known about it, and the value.
pub fn markdown(title: &str, facts: &[(&str, String)], value: &Value) -> String {
    let mut out = format!("# {}\n\n", escaped(title));
    for (name, fact) in facts {
        out.push_str(&format!("- {}: {}\n", escaped(name), escaped(fact)));
    }
    out.push('\n');
    section(&mut out, value, 2);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// `depth` is the level of the headings in it.
fn section(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => object(out, fields, depth),
        Value::Array(items) if !items.is_empty() => list(out, items, depth),
        flat => out.push_str(&format!("{}\n\n", scalar(flat))),
    }
}

fn object(out: &mut String, fields: &Map<String, Value>, depth: usize) {
    let (flat, deep): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, value)| is_flat(value));
    for (name, value) in &flat {
        out.push_str(&format!("- {}: {}\n", escaped(name), scalar(value)));
    }
    if !flat.is_empty() {
        out.push('\n');
    }
    for (name, value) in deep {
        out.push_str(&format!("{} {}\n\n", "#".repeat(depth.min(DEEPEST)), escaped(name)));
        section(out, value, depth + 1);
    }
}

fn list(out: &mut String, items: &[Value], depth: usize) {
    if let Some(columns) = columns(items) {
        table(out, &columns, items);
    } else if items.iter().all(is_flat) {
        items.iter().for_each(|item| out.push_str(&format!("- {}\n", scalar(item))));
        out.push('\n');
    } else {
        for (number, item) in items.iter().enumerate() {
            out.push_str(&format!("{} {}\n\n", "#".repeat(depth.min(DEEPEST)), number + 1));
            section(out, item, depth + 1);
        }
    }
}

/// The columns of a table, in the order in which they first appear. `None`: it is none.
fn columns(items: &[Value]) -> Option<Vec<&String>> {
    let mut columns = Vec::new();
    for item in items {
        for (name, value) in item.as_object()? {
            if !is_flat(value) {
                return None;
            }
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    (!columns.is_empty()).then_some(columns)
}

fn table(out: &mut String, columns: &[&String], items: &[Value]) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(columns.iter().map(|name| escaped(name)).collect()));
    out.push_str(&line(columns.iter().map(|_| "---".to_owned()).collect()));
    for item in items {
        out.push_str(&line(columns.iter().map(|name| item.get(name.as_str()).map(scalar).unwrap_or_default()).collect()));
    }
    out.push('\n');
}

/// Fits one line: a scalar, nothing, or a list of scalars.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
        _ => true,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => escaped(text),
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        Value::Object(_) => "none".into(),
    }
}

/// On one line, with everything that means something to Markdown or HTML taken literally, bare addresses too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '@' => out.extend(['\\', c]),
            ':' if rest.peek() == Some(&'/') => out.push_str("\\:"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_becomes_facts_sections_and_tables() {
        let value = json!({
            "size": 42,
            "proxy": null,
            "functions": [{"name": "owner", "view": true}, {"name": "pay", "payable": true}],
            "standards": ["ERC20", "ERC165"],
            "compiler": {"name": "solc", "nested": {"deep": "1"}},
        });
        let text = markdown("X-ray", &[("Cost", "0.1 MON".into())], &value);
        let expected = "# X-ray

- Cost: 0.1 MON

- proxy: none
- size: 42
- standards: ERC20, ERC165

## compiler

- name: solc

### nested

- deep: 1

## functions

| name | view | payable |
| --- | --- | --- |
| owner | yes |  |
| pay |  | yes |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn d4_nothing_an_agent_wrote_means_anything() {
        let hostile = json!({
            "a": "<script>alert(1)</script>",
            "b": "[click](javascript:alert(1))",
            "c": "one\n# Two\n\n- three | four",
            "d": [{"x": "a | b\n| --- |"}],
            "https://evil.example": "![](https://evil.example/pixel) www.evil.example",
        });
        let text = markdown("<b>", &[], &hostile);
        for active in ["<script", "<b>", "](", "![", "\n# Two", "a | b", "https://", "www."] {
            assert!(!text.contains(active), "{active:?} in\n{text}");
        }
    }

    #[test]
    fn odd_values_are_still_something() {
        for value in [json!(null), json!([]), json!({}), json!("text"), json!([[1], [{"a": [{}]}]]), json!([{}, {}])] {
            let text = markdown("T", &[], &value);
            assert!(text.starts_with("# T\n") && text.ends_with('\n'), "{text:?}");
        }
    }

    #[test]
    fn depth_ends_at_the_sixth_heading() {
        let mut value = json!("x");
        for _ in 0..20 {
            value = json!({ "deeper": { "inner": [value] } });
        }
        assert!(!markdown("T", &[], &value).contains("#######"));
    }
}
