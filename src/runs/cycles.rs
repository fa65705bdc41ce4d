//! JSON schemas whose `$ref`s lead into no cycle: programs that put what a `$ref` names in its place, as registries and makers of clients do, never
//! come to the end of one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// How often a type that holds itself is spelled out, one in the other. What is deeper may be anything.
const LEVELS: usize = 3;
/// The schema itself, in a `$ref`.
const WHOLE: &str = "#";
/// One of its definitions.
const DEFINITIONS: &str = "#/$defs/";

/// The same schema without cycles. A definition that reaches itself becomes [`LEVELS`] of them, `Name`, `Name.2`, …, of which each names the next, and the
/// last says nothing of what it holds. Whatever fits the schema as it was, fits this one.
pub fn without_cycles(mut schema: Value) -> Value {
    let Some(root) = schema.as_object_mut() else { return schema };
    let mut named: BTreeMap<String, Value> = match root.remove("$defs") {
        Some(Value::Object(definitions)) => definitions.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    named.insert(WHOLE.to_owned(), schema);
    let ways: BTreeMap<String, BTreeSet<String>> = named.iter().map(|(name, schema)| (name.clone(), names_in(schema))).collect();
    let leads_to: BTreeMap<&str, BTreeSet<String>> = named.keys().map(|name| (name.as_str(), reached(&ways, name))).collect();
    let leads = |from: &str, to: &str| leads_to.get(from).is_some_and(|reached| reached.contains(to));
    let (mut whole, mut definitions) = (Value::Null, Map::new());
    for (name, schema) in &named {
        let levels = if leads(name, name) { LEVELS } else { 1 };
        for level in 1..=levels {
            let mut copy = schema.clone();
            // Who leads back is on the same cycle, a level deeper.
            point(&mut copy, &|to| match leads(to, name) {
                false => Some(place(to, 1)),
                true => (level < levels).then(|| place(to, level + 1)),
            });
            if name == WHOLE && level == 1 {
                whole = copy;
                continue;
            }
            if let Value::Object(copy) = &mut copy {
                // Of a whole document only.
                copy.remove("$schema");
            }
            definitions.insert(key(name, level), copy);
        }
    }
    if let (Value::Object(whole), false) = (&mut whole, definitions.is_empty()) {
        whole.insert("$defs".to_owned(), definitions.into());
    }
    whole
}

/// What a `$ref` names, if it is something of this schema.
fn target(to: &str) -> Option<&str> {
    if to == WHOLE { Some(WHOLE) } else { to.strip_prefix(DEFINITIONS) }
}

fn key(name: &str, level: usize) -> String {
    match (name, level) {
        (WHOLE, level) => format!("Whole.{level}"),
        (name, 1) => name.to_owned(),
        (name, level) => format!("{name}.{level}"),
    }
}

fn place(name: &str, level: usize) -> String {
    if (name, level) == (WHOLE, 1) { WHOLE.to_owned() } else { format!("{DEFINITIONS}{}", key(name, level)) }
}

fn names_in(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut next = vec![schema];
    while let Some(schema) = next.pop() {
        match schema {
            Value::Object(object) => {
                names.extend(object.get("$ref").and_then(Value::as_str).and_then(target).map(str::to_owned));
                next.extend(object.values());
            }
            Value::Array(all) => next.extend(all),
            _ => {}
        }
    }
    names
}

/// Itself only if a way leads back.
fn reached(ways: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = next.pop() {
        for to in ways.get(&name).into_iter().flatten() {
            if reached.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    reached
}

/// Lets each `$ref` name what `place` says. `None`: nothing, and whatever stands there fits.
fn point(schema: &mut Value, place: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(target).map(str::to_owned) {
                match place(&name) {
                    Some(place) => {
                        object.insert("$ref".to_owned(), place.into());
                    }
                    None => object.retain(|member, _| member == "description"),
                }
            }
            object.values_mut().for_each(|part| point(part, place));
        }
        Value::Array(all) => all.iter_mut().for_each(|part| point(part, place)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// As programs do that know nothing of cycles. Panics where it would never end.
    fn put_in_place(document: &Value, schema: &Value, depth: usize) -> usize {
        assert!(depth < 100, "it never ends");
        match schema {
            Value::Object(object) => {
                let named = object.get("$ref").and_then(Value::as_str);
                let named = named.map(|to| document.pointer(&to[1..]).unwrap_or_else(|| panic!("{to} leads nowhere")));
                let inside = named.into_iter().chain(object.iter().filter(|(name, _)| *name != "$defs").map(|(_, part)| part));
                1 + inside.map(|part| put_in_place(document, part, depth + 1)).sum::<usize>()
            }
            Value::Array(all) => all.iter().map(|part| put_in_place(document, part, depth + 1)).sum(),
            _ => 1,
        }
    }

    fn fits(schema: &Value, instance: &Value) -> bool {
        jsonschema::validator_for(schema).unwrap().is_valid(instance)
    }

    /// So many, one in the other.
    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!({ "of": [], "kind": "leaf" }), |inner, _| json!({ "of": [inner], "kind": "all" }))
    }

    #[test]
    fn f1_a_type_that_holds_itself_is_spelled_out_and_comes_to_an_end() {
        let guard = json!({
            "type": "object",
            "properties": { "of": { "type": "array", "items": { "$ref": "#/$defs/Guard" } }, "kind": { "type": "string" } },
            "required": ["kind"],
            "additionalProperties": false,
        });
        let schema = json!({
            "type": "object",
            "properties": { "guard": { "$ref": "#/$defs/Guard", "description": "Who may." }, "other": { "$ref": "#/$defs/Other" } },
            "$defs": { "Guard": guard, "Other": { "type": "integer" } },
        });
        let flat = without_cycles(schema.clone());
        assert!(jsonschema::meta::is_valid(&flat), "{flat:#}");
        assert!(put_in_place(&flat, &flat, 0) < 200);
        assert_eq!(flat["$defs"].as_object().unwrap().keys().collect::<Vec<_>>(), ["Guard", "Guard.2", "Guard.3", "Other"]);
        for depth in [0, 1, 2, 3, 10] {
            assert!(fits(&flat, &json!({ "guard": nested(depth), "other": 1 })), "{depth}");
        }
        for (wrong, at) in
            [(json!({ "guard": { "kind": 1 } }), 1), (json!({ "guard": { "kind": "all", "of": [{ "kind": 1 }] } }), 2)]
        {
            assert!(!fits(&flat, &wrong) && !fits(&schema, &wrong), "it still tells what is wrong on level {at}");
        }
    }

    #[test]
    fn f1_so_are_two_that_hold_each_other_and_a_whole_that_holds_itself() {
        let two = json!({
            "$ref": "#/$defs/A",
            "$defs": {
                "A": { "type": "object", "properties": { "b": { "$ref": "#/$defs/B" }, "c": { "$ref": "#/$defs/C" } } },
                "B": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/A" }] },
                "C": { "type": "object", "properties": { "a": { "type": "integer" } } },
            },
        });
        let whole = json!({
            "type": "object",
            "properties": { "name": { "type": "string" }, "branches": { "type": "array", "items": { "$ref": "#" } } },
            "additionalProperties": false,
        });
        for (schema, instance) in [
            (two, json!({ "b": { "b": { "b": { "b": { "b": null } } } }, "c": { "a": 1 } })),
            (whole, json!({ "name": "a", "branches": [{ "branches": [{ "branches": [{ "branches": [{ "name": "e" }] }] }] }] })),
        ] {
            let flat = without_cycles(schema.clone());
            assert!(jsonschema::meta::is_valid(&flat), "{flat:#}");
            assert!(put_in_place(&flat, &flat, 0) < 500, "{flat:#}");
            assert!(fits(&schema, &instance) && fits(&flat, &instance), "{flat:#}");
        }
    }

    #[test]
    fn f1_what_has_no_cycle_stays_as_it_is() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "a": { "$ref": "#/$defs/A" }, "again": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "type": "object", "properties": { "b": { "$ref": "#/$defs/B" } } }, "B": true },
        });
        assert_eq!(without_cycles(schema.clone()), schema);
        assert_eq!(without_cycles(json!(true)), json!(true));
        assert_eq!(without_cycles(json!({ "type": "string" })), json!({ "type": "string" }));
    }
}
