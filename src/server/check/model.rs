//! The language model: is there one, and does it answer?

use std::time::Duration;

use url::Url;

use super::{Line, is_open};
use crate::{
    chain::is_loopback,
    model::{Ask, Message, Model, ModelError, ModelSettings},
    server::settings::Settings,
};

const SUBJECT: &str = "model";

/// For one word. A server may have to load its model first.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn look_at(settings: &Settings) -> Line {
    let Some(model) = &settings.model else {
        return Line::todo(
            SUBJECT,
            "off: agents explain nothing and the Analyst is not on sale; set COINSLOT_MODEL_URL and COINSLOT_MODEL_NAME to have one",
        );
    };
    if let Some(file) = settings.model_key_file.as_ref().filter(|file| is_open(file)) {
        let file = file.display();
        return Line::todo(SUBJECT, format!("{file}, the key of {}, can be read by others: chmod 600 {file}", model.name));
    }
    answers(model).await
}

/// One word, as an agent would ask for it.
async fn answers(settings: &ModelSettings) -> Line {
    let (name, url) = (&settings.name, &settings.url);
    let ask = Ask {
        messages: vec![Message::User("Say the word: ready".to_owned())],
        tools: Vec::new(),
        form: None,
        // Room for models that think before they speak.
        tokens_max: 200,
        within: PATIENCE,
        streamed: false,
    };
    let begun = std::time::Instant::now();
    match Model::new(settings.clone()).ask(&ask).await {
        Ok(_) if settings.key.is_some() && is_readable_on_the_way(url) => {
            Line::todo(SUBJECT, format!("{name} at {url} answers, but its key goes there in the clear: use https"))
        }
        Ok(_) => Line::ok(SUBJECT, format!("{name} at {url} answers, after {} ms", begun.elapsed().as_millis())),
        Err(fault) => Line::bad(SUBJECT, format!("{name} at {url}: {fault}; {}", remedy(&fault))),
    }
}

fn is_readable_on_the_way(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

fn remedy(fault: &ModelError) -> &'static str {
    match fault {
        ModelError::Away => "start it, or correct model_url",
        ModelError::Refused(401 | 403) => "correct model_key",
        ModelError::Refused(_) => "correct model_url or model_name",
        ModelError::Empty => "it may think for longer than it is let: use a model that answers at once",
        _ => "try again, or look at its log",
    }
}
