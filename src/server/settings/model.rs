//! The operator's language model, if there is one: off until its URL is set.

use std::{path::PathBuf, time::Duration};

use super::{optional, sources::Layers};
use crate::model::{
    ModelKey, ModelSettings,
    settings::{KEY, base_url},
};

/// The model, and where its key was read from, if from a file.
pub type Read = (Option<ModelSettings>, Option<PathBuf>);

/// Of what the server calls it: a path in a repository is rarely longer.
const NAME_CHARS_MAX: usize = 200;

/// `None`: something is wrong, and was said.
pub fn take(layers: &mut Layers) -> Option<Read> {
    let url = layers.take(
        "model_url",
        "an http or https URL without user, password or query, such as http://127.0.0.1:8089/v1",
        |raw| optional(raw.text()?, base_url),
    );
    let name = layers.take("model_name", "what the server calls the model, 1 to 200 visible characters", |raw| {
        let is_shown = |name: &str| name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
        optional(raw.text()?, |name| is_shown(name).then(|| name.to_owned()))
    });
    let key = layers.take("model_key", KEY, |raw| optional(raw.text()?, ModelKey::parse));
    let key_file = layers.take("model_key_file", "a file's path", |raw| raw.text().map(str::to_owned));
    let timeout_s = layers.take("model_timeout_s", "whole seconds, 1 to 300", |raw| raw.number(1..=300));
    let explains = layers.take("model_explains", "true or false", |raw| raw.flag());

    let key_file = key_file.filter(|file| !file.is_empty()).map(PathBuf::from);
    let key = match (key, &key_file) {
        (Some(Some(_)), Some(_)) => {
            layers.refuse("model_key_file", "nothing, because model_key is set");
            None
        }
        (Some(None), Some(file)) => match ModelKey::read(file) {
            Ok(key) => Some(Some(key)),
            Err(cause) => {
                layers.refuse("model_key_file", &format!("a file that holds {KEY} ({cause})"));
                None
            }
        },
        (given, _) => given,
    };
    match (&url, &name) {
        (Some(Some(_)), Some(None)) => {
            layers.refuse("model_name", "what the server calls the model, because model_url is set");
            return None;
        }
        (Some(None), Some(Some(_))) => {
            layers.refuse("model_url", "where the model's server is, because model_name is set");
            return None;
        }
        _ => {}
    }
    let (url, name, key, timeout_s, explains) = (url?, name?, key?, timeout_s?, explains?);
    let model =
        url.zip(name).map(|(url, name)| ModelSettings { url, key, name, timeout: Duration::from_secs(timeout_s), explains });
    Some((model, key_file))
}
