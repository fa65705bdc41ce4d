//! How a report is explained: one short question to the model, within a few seconds, and a look at what comes back.

use std::time::Duration;

use serde::Serialize;

use super::Explanation;
use crate::{
    card::Card,
    model::{
        Ask, Ended, Message, Model,
        data::{Fence, invented, plain, whole_sentences},
    },
    runs::Tools,
};

/// For the model's answer: a payer waits for it, and the computed answer with him.
const PATIENCE: Duration = Duration::from_secs(6);

/// Of the agent's own time limit, kept for storing what it computed.
const RESERVE: Duration = Duration::from_millis(1500);

/// Less is not worth asking for.
const PATIENCE_MIN: Duration = Duration::from_millis(500);

/// Of the report, as the model reads it. What matters most comes first in a report.
const REPORT_BYTES_MAX: usize = 12 * 1024;

const TOKENS_MAX: u32 = 320;
const CHARS_MAX: usize = 1200;

impl Tools {
    /// The report in plain words. `None`: the shop has no model, lets it not explain, or this work is a part of another agent's.
    ///
    /// Never fails and never takes long: what the model does wrong is said in the explanation's place.
    pub async fn explain(&self, card: &Card, report: &impl Serialize) -> Option<Explanation> {
        let model = self.model().filter(|model| model.explains() && self.is_run_of(card))?;
        let written = words(model, card, report, self.time_left().saturating_sub(RESERVE)).await;
        let (text, notice) = match written {
            Ok(text) => {
                self.engine().with(model.name());
                (Some(text), None)
            }
            Err(why) => {
                (None, Some(format!("There is no explanation in plain words this time: {why}. What was computed is complete.")))
            }
        };
        Some(Explanation { model: model.name().to_owned(), text, notice })
    }
}

async fn words(model: &Model, card: &Card, report: &impl Serialize, left: Duration) -> Result<String, String> {
    if model.is_known_to_be_away() {
        return Err("the language model does not answer".to_owned());
    }
    let within = PATIENCE.min(left);
    if within < PATIENCE_MIN {
        return Err("the work took all the time there was".to_owned());
    }
    let report = serde_json::to_string(report).map_err(|_| "the report cannot be written down".to_owned())?;
    let answer = model.ask(&question(card, &report, within)).await.map_err(|fault| fault.to_string())?;
    let text = match answer.ended {
        Ended::Whole => answer.text.as_str(),
        Ended::Cut => whole_sentences(&answer.text).unwrap_or_default(),
    };
    let text = plain(text, CHARS_MAX);
    if text.is_empty() {
        return Err("the language model said nothing".to_owned());
    }
    if invented(&text, &report).is_some() {
        // Not repeated here: it may be what somebody made it say.
        return Err("the language model named an address or a link that is not in the report".to_owned());
    }
    Ok(text)
}

fn question(card: &Card, report: &str, within: Duration) -> Ask {
    let fence = Fence::new();
    let rules = format!(
        "You explain the report of a program to somebody who cannot program. The program is {}: {}\n{}\nRules: Say only what the report says; add \
         no fact, no number, no advice to buy or sell. Begin with what matters most to whoever relies on the thing that was looked at. Plain \
         sentences in English, at most 120 words, no Markdown, no list, no link, no address.",
        card.name,
        card.summary,
        fence.rule(),
    );
    Ask {
        messages: vec![
            Message::System(rules),
            Message::User(format!("{}\nExplain this report.", fence.around(report, REPORT_BYTES_MAX))),
        ],
        tools: Vec::new(),
        form: None,
        tokens_max: TOKENS_MAX,
        within,
        streamed: false,
    }
}
