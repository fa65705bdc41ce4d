//! What made a run's answer: our own computation alone, or a language model beside it. The run's row and its receipt say it.

use std::sync::{Arc, OnceLock};

/// What is said of an answer that no model had a part in.
pub const COMPUTED: &str = "computed";

/// One attempt's. Cheap to clone: the work notes in it what it used, the worker reads it when the work is done.
#[derive(Clone, Debug, Default)]
pub struct Engine(Arc<OnceLock<String>>);

impl Engine {
    /// Words of this model are in the answer.
    pub fn with(&self, model: &str) {
        // A shop has one model: whoever comes second says the same.
        let _ = self.0.set(model.to_owned());
    }

    /// `computed`, or `computed + ` and the model's name.
    pub fn words(&self) -> String {
        match self.0.get() {
            Some(model) => format!("{COMPUTED} + {model}"),
            None => COMPUTED.to_owned(),
        }
    }
}
