//! A type's JSON schema, alone and inside another document.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value};

/// JSON Schema 2020-12 of what is read as `T`: a field with a default may be missing.
pub fn of_input<T: JsonSchema>() -> Value {
    alone::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// JSON Schema 2020-12 of what a `T` is written as.
pub fn of_output<T: JsonSchema>() -> Value {
    alone::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn alone<T: JsonSchema>(settings: SchemaSettings) -> Value {
    settings.with_transform(RecursiveTransform(without_widths)).into_generator().into_root_schema_for::<T>().to_value()
}

/// `uint32` and the like are Rust's words, not formats of JSON Schema: validators warn of each (MCP's official client does, on every start).
fn without_widths(schema: &mut Schema) {
    let is_width =
        |format: &str| format.trim_start_matches('u').strip_prefix("int").is_some_and(|bits| bits.parse::<u8>().is_ok());
    if schema.get("format").and_then(Value::as_str).is_some_and(is_width) {
        schema.remove("format");
    }
}

/// Where the definitions of a schema that stands alone are.
const DEFINITIONS: &str = "#/$defs/";

/// The schema as a part of another document, and its definitions, by name, which the caller puts where he said: a `$ref` is read from the
/// root of its document. `here`: where the schema will be, such as `#/properties/body`; `definitions`: what a definition's name is
/// appended to, such as `#/$defs/`.
pub fn inside(schema: &Value, here: &str, definitions: &str) -> (Value, Map<String, Value>) {
    let mut schema = schema.clone();
    rebase(&mut schema, here, definitions);
    let mut named = Map::new();
    if let Value::Object(schema) = &mut schema {
        // Said once, by the whole document.
        schema.remove("$schema");
        if let Some(Value::Object(definitions)) = schema.remove("$defs") {
            named = definitions;
        }
    }
    (schema, named)
}

fn rebase(value: &mut Value, here: &str, definitions: &str) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get_mut("$ref") {
                if to == "#" {
                    here.clone_into(to);
                } else if let Some(name) = to.strip_prefix(DEFINITIONS) {
                    *to = format!("{definitions}{name}");
                }
            }
            object.values_mut().for_each(|value| rebase(value, here, definitions));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rebase(value, here, definitions)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Leaf {
        name: String,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Tree {
        leaf: Leaf,
        branches: Vec<Tree>,
    }

    #[test]
    fn a_number_has_no_width_wherever_it_stands() {
        #[derive(JsonSchema)]
        #[allow(dead_code)]
        struct Numbers {
            bytes: u32,
            offsets: Vec<Option<u8>>,
        }
        let text = of_output::<Numbers>().to_string();
        assert!(text.contains("integer") && !text.contains("format"), "{text}");
    }

    #[test]
    fn references_follow_their_schema_into_another_document() {
        let (tree, named) = inside(&of_output::<Tree>(), "#/properties/body", "#/$defs/tree.");
        assert_eq!(tree["properties"]["branches"]["items"]["$ref"], json!("#/properties/body"));
        assert_eq!(tree["properties"]["leaf"]["$ref"], json!("#/$defs/tree.Leaf"));
        assert_eq!(named.keys().collect::<Vec<_>>(), ["Leaf"]);
        assert!(tree.get("$defs").is_none() && tree.get("$schema").is_none());
    }
}
