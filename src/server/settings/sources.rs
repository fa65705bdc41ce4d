//! Where a setting's value comes from, layer over layer, and what was wrong with it.

use std::fmt;

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Actual,
    value::{Dict, Map, Tag, Value},
};

/// `Leptos.toml`: the default of every key, and by that the list of all keys.
pub const DEFAULTS: &str = include_str!("../../../Leptos.toml");

/// The keys of a network's table are those of this one.
pub const MODEL_NETWORK: &str = "monad-testnet";

/// The keys of a token's table are those of this one, in the model network.
pub const MODEL_TOKEN: &str = "usdc";

const TABLE: &str = "coinslot";
const PREFIX: &str = "COINSLOT_";

/// Variables that the Makefile sets for itself.
const NOT_OURS: &[&str] = &["COINSLOT_CACHE", "COINSLOT_SITE"];

/// Values that no message repeats: they may hold keys or passwords.
const SECRET: &[&str] = &["secret", "operator_key", "model_key", "database_url", "rpc_urls", "trace_urls", "facilitator_url"];

/// The command line's part of the settings, and the environment's: given, not looked up, so that tests say what is there.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--addr`
    pub addr: Option<String>,
    /// `--data`
    pub data: Option<String>,
    /// `--config`: the file's name and its content.
    pub config: Option<(String, String)>,
    /// Every environment variable; those that do not begin with `COINSLOT_` are ignored.
    pub env: Vec<(String, String)>,
}

/// One wrong setting: a sentence with its name, its value (secrets aside) and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The merged layers; collects what is wrong, so that one start names all of it.
pub struct Layers {
    figment: Figment,
    pub wrong: Vec<Wrong>,
}

impl Layers {
    pub fn read(sources: &Sources) -> Self {
        let mut wrong = Vec::new();
        let defaults = table("Leptos.toml", DEFAULTS, &mut wrong);
        let mut layers = vec![("Leptos.toml".to_owned(), defaults)];
        if let Some((name, text)) = &sources.config {
            layers.push((name.clone(), table(name, text, &mut wrong)));
        }
        layers.push((ENVIRONMENT.to_owned(), environment(&sources.env)));
        let flags = [("addr", &sources.addr), ("data", &sources.data)];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.clone()?)))).collect();
        layers.push((FLAGS.to_owned(), flags));

        let mut figment = Figment::new();
        for (name, dict) in layers {
            figment = figment.merge(Layer { name, dict });
        }
        let mut layers = Self { figment, wrong };
        layers.refuse_unknown_keys();
        layers
    }

    /// The value of `key`, as `read` understands it. `None`, and a sentence more, where it does not.
    pub fn take<T>(&mut self, key: &str, allowed: &str, read: impl FnOnce(&Raw) -> Option<T>) -> Option<T> {
        let value = self.figment.find_value(key).ok();
        let read = read(&Raw(value.as_ref()));
        if read.is_none() {
            self.refuse(key, allowed);
        }
        read
    }

    /// Says what is wrong with `key`, whose value was read, but cannot be used.
    pub fn refuse(&mut self, key: &str, allowed: &str) {
        let sentence = match self.figment.find_value(key) {
            Ok(value) => {
                let shown = if is_secret(key) { "(not shown)".to_owned() } else { Raw(Some(&value)).to_string() };
                format!("{} is {shown}: expected {allowed}", self.name_of(key, value.tag()))
            }
            Err(_) => format!("{key} is missing: expected {allowed}"),
        };
        self.wrong.push(Wrong(sentence));
    }

    /// The names of the tables under `path`, such as `network`.
    pub fn tables(&self, path: &str) -> Vec<String> {
        match self.figment.find_value(path) {
            Ok(Value::Dict(_, tables)) => tables.into_keys().collect(),
            _ => Vec::new(),
        }
    }

    /// A key as whoever set it knows it.
    fn name_of(&self, key: &str, tag: Tag) -> String {
        match self.figment.get_metadata(tag).map(|layer| layer.name.as_ref()) {
            Some(ENVIRONMENT) => variable(key),
            Some(FLAGS) => format!("--{key}"),
            Some(file) => format!("{key} (in {file})"),
            None => key.to_owned(),
        }
    }

    fn refuse_unknown_keys(&mut self) {
        let defaults = defaults();
        let known = dict(&defaults, "");
        let known_network = dict(&defaults, &format!("network.{MODEL_NETWORK}"));
        let known_token = dict(&defaults, &format!("network.{MODEL_NETWORK}.token.{MODEL_TOKEN}"));
        let given = dict(&self.figment, "");
        self.refuse_unknown_in("", &given, &known);
        for (network, table) in inner(&given, "network") {
            let path = format!("network.{network}");
            let Value::Dict(_, table) = table else {
                self.refuse_no_table(&path, table.tag());
                continue;
            };
            self.refuse_unknown_in(&path, table, &known_network);
            for (token, table) in inner(table, "token") {
                let path = format!("{path}.token.{token}");
                match table {
                    Value::Dict(_, table) => self.refuse_unknown_in(&path, table, &known_token),
                    value => self.refuse_no_table(&path, value.tag()),
                }
            }
        }
    }

    fn refuse_unknown_in(&mut self, path: &str, given: &Dict, known: &Dict) {
        for (key, value) in given {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match (known.get(key), value) {
                (None, _) => self.refuse_unknown(&path, table_tag(value), known, key),
                (Some(Value::Dict(..)), Value::Dict(..)) => {}
                (Some(Value::Dict(..)), _) => self.refuse_no_table(&path, value.tag()),
                (Some(_), _) => {} // whoever reads it says what is wrong with it
            }
        }
    }

    fn refuse_no_table(&mut self, path: &str, tag: Tag) {
        let sentence = format!("{} is no setting: expected a table, [{TABLE}.{path}]", self.name_of(path, tag));
        self.wrong.push(Wrong(sentence));
    }

    fn refuse_unknown(&mut self, path: &str, tag: Tag, known: &Dict, key: &str) {
        let name = self.name_of(path, tag);
        let hint = match known.keys().min_by_key(|known| distance(known, key)).filter(|known| distance(known, key) <= 4) {
            Some(near) if name.starts_with(PREFIX) => format!("did you mean {}?", variable(&path.replace(key, near))),
            Some(near) => format!("did you mean {near}?"),
            None => "`coinslot --help` lists all settings".to_owned(),
        };
        self.wrong.push(Wrong(format!("{name} is no setting: {hint}")));
    }
}

const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";

/// A key's environment variable: `network.monad-testnet.rpc_urls` → `COINSLOT_NETWORK__MONAD_TESTNET__RPC_URLS`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

/// The compiled-in layer alone.
fn defaults() -> Figment {
    Figment::new().merge(Layer { name: "Leptos.toml".to_owned(), dict: table("Leptos.toml", DEFAULTS, &mut Vec::new()) })
}

/// The table at `path`; empty where there is none.
fn dict(of: &Figment, path: &str) -> Dict {
    match of.find_value(path) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => Dict::new(),
    }
}

/// The entries of the table `name` in `dict`.
fn inner<'d>(dict: &'d Dict, name: &str) -> impl Iterator<Item = (&'d String, &'d Value)> + use<'d> {
    match dict.get(name) {
        Some(Value::Dict(_, inner)) => Some(inner),
        _ => None,
    }
    .into_iter()
    .flatten()
}

/// The `[coinslot]` table of a file.
fn table(name: &str, text: &str, wrong: &mut Vec<Wrong>) -> Dict {
    use figment::providers::{Format, Toml};

    let mut file = match <Toml as Format>::from_str::<Dict>(text) {
        Ok(file) => file,
        Err(cause) => {
            // The message's first line says where; the lines after it repeat the file, which may hold a secret.
            let where_ = cause.to_string().lines().next().unwrap_or_default().to_owned();
            wrong.push(Wrong(format!("{name} is no TOML file: {where_}: {}", cause.message())));
            return Dict::new();
        }
    };
    let ours = file.remove(TABLE);
    file.remove("package"); // a copy of Leptos.toml
    for key in file.keys() {
        wrong.push(Wrong(format!("{key} (in {name}) stands outside the table [{TABLE}]: move it there")));
    }
    match ours {
        Some(Value::Dict(_, ours)) => ours,
        Some(_) => {
            wrong.push(Wrong(format!("{TABLE} (in {name}) is no table: expected [{TABLE}]")));
            Dict::new()
        }
        None => Dict::new(),
    }
}

/// The variables, as texts: what they mean is the reader's business, so that a secret of digits alone stays what it is.
fn environment(variables: &[(String, String)]) -> Dict {
    let mut dict = Dict::new();
    for (variable, value) in variables {
        let Some(name) = variable.strip_prefix(PREFIX).filter(|_| !NOT_OURS.contains(&variable.as_str())) else { continue };
        let mut path: Vec<String> = name.to_lowercase().split("__").map(str::to_owned).collect();
        if let [first, network, ..] = path.as_mut_slice()
            && first == "network"
        {
            *network = network.replace('_', "-");
        }
        insert(&mut dict, &path, value);
    }
    dict
}

fn insert(dict: &mut Dict, path: &[String], value: &str) {
    match path {
        [] => {}
        [key] => {
            dict.insert(key.clone(), Value::from(unquoted(value)));
        }
        [key, rest @ ..] => {
            let inner = dict.entry(key.clone()).or_insert_with(|| Value::from(Dict::new()));
            if !matches!(inner, Value::Dict(..)) {
                *inner = Value::from(Dict::new());
            }
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// `--help` prints texts in quotes, and a container's `--env-file` keeps them: they are not part of the value.
fn unquoted(value: &str) -> String {
    serde_json::from_str::<String>(value.trim()).unwrap_or_else(|_| value.to_owned())
}

/// An array as `--help` prints it: TOML's, of which JSON's is a part. `None`: something else.
fn array(text: &str) -> Option<Vec<String>> {
    use figment::providers::{Format, Toml};

    let toml = <Toml as Format>::from_str::<std::collections::BTreeMap<String, Vec<String>>>(&format!("list = {text}"));
    // A text with a line of its own after the array would be another key: then it is no array.
    let list = toml.ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("list"));
    list.or_else(|| serde_json::from_str(text).ok())
}

fn is_secret(key: &str) -> bool {
    SECRET.contains(&key.rsplit('.').next().unwrap_or(key))
}

/// A table has no tag of its own that names its layer; its first value has.
fn table_tag(value: &Value) -> Tag {
    match value {
        Value::Dict(tag, dict) => dict.values().next().map_or(*tag, table_tag),
        value => value.tag(),
    }
}

/// Levenshtein's: how many letters to change.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

struct Layer {
    name: String,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// A value before anybody said what it means: a TOML value, or a text of the environment.
pub struct Raw<'v>(Option<&'v Value>);

impl Raw<'_> {
    /// `Some("")`: not set.
    pub fn text(&self) -> Option<&str> {
        match self.0 {
            Some(Value::String(_, text)) => Some(text.trim()),
            None => Some(""),
            _ => None,
        }
    }

    /// A whole number within the bounds.
    pub fn number(&self, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let number = match self.0? {
            Value::Num(_, number) => number.to_u128_lossy()?.try_into().ok()?,
            Value::String(_, digits) => digits.trim().parse().ok()?,
            _ => return None,
        };
        bounds.contains(&number).then_some(number)
    }

    pub fn flag(&self) -> Option<bool> {
        match self.0? {
            Value::Bool(_, flag) => Some(*flag),
            Value::String(_, text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// An array of texts, or a text: an array as `--help` prints it, else with commas.
    pub fn list(&self) -> Option<Vec<String>> {
        let without_empty =
            |items: Vec<String>| items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
        match self.0 {
            None => Some(Vec::new()),
            Some(Value::Array(_, items)) => items.iter().map(|item| Raw(Some(item)).text().map(str::to_owned)).collect(),
            Some(Value::String(_, text)) if text.trim().starts_with('[') => array(text.trim()).map(without_empty),
            Some(Value::String(_, text)) => Some(without_empty(text.split(',').map(str::to_owned).collect())),
            Some(_) => None,
        }
    }
}

/// As a message shows it, bounded.
impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("missing"),
            Some(Value::String(_, text)) if text.is_empty() => f.write_str("not set"),
            Some(Value::String(_, text)) => write!(f, "{:?}", text.chars().take(100).collect::<String>()),
            Some(Value::Num(_, number)) => match number.to_actual() {
                Actual::Unsigned(number) => write!(f, "{number}"),
                Actual::Signed(number) => write!(f, "{number}"),
                Actual::Float(number) => write!(f, "{number}"),
                other => write!(f, "{other}"),
            },
            Some(Value::Bool(_, flag)) => write!(f, "{flag}"),
            Some(Value::Array(_, items)) => {
                f.write_str("[")?;
                for (n, item) in items.iter().take(10).enumerate() {
                    write!(f, "{}{}", if n == 0 { "" } else { ", " }, Raw(Some(item)))?;
                }
                f.write_str("]")
            }
            Some(_) => f.write_str("a table"),
        }
    }
}
