//! Form, price, stages, result: the same for every agent.

use std::future::Future;

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    card::Card,
    error::{CallError, FieldError},
};

/// What an agent's form is given: the input it edits, and what the server found wrong with it.
pub type FormView<I> = fn(input: RwSignal<I>, errors: Signal<Vec<FieldError>>) -> AnyView;

/// `run` is the paid server function itself: in the browser it asks, pays and answers through `x402::fetch`.
pub fn panel<I, R, F>(
    _card: &'static Card,
    _prefill: Option<String>,
    _run: fn(I) -> F,
    _form: FormView<I>,
    _report: fn(R) -> AnyView,
) -> AnyView
where
    I: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<R, CallError>> + Send + 'static,
{
    ().into_any()
}
