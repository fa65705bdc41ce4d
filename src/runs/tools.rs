//! What the work may use. Only a paid run has it.

use std::time::Duration;

use leptos::prelude::take_context;
use tokio::time::Instant;

use super::{Engine, progress::Reports};
use crate::{
    card::Card,
    chain::Chain,
    error::{CallError, Code},
    model::Model,
};

/// One agent, one run. Private fields, not `Clone`: only the worker makes it, only [`Tools::of_paid_run`] takes it, once.
pub(super) struct Paid {
    pub(super) agent: &'static str,
    pub(super) run: String,
    pub(super) chain: Chain,
    pub(super) model: Option<Model>,
    pub(super) engine: Engine,
    /// When its time limit ends the work.
    pub(super) until: Instant,
    pub(super) reports: Reports,
}

/// What the work may use.
pub struct Tools {
    agent: &'static str,
    run: String,
    chain: Chain,
    model: Option<Model>,
    engine: Engine,
    until: Instant,
    /// The step of another agent's work that this work is a part of.
    inside: Option<(u32, u32, &'static str)>,
    reports: Reports,
}

impl Tools {
    /// # Errors
    /// [`Code::Unpaid`] for a call while rendering, a second take, or another agent's payment.
    pub fn of_paid_run(card: &Card) -> Result<Self, CallError> {
        match take_context::<Paid>() {
            Some(Paid { agent, run, chain, model, engine, until, reports }) if agent == card.slug => {
                Ok(Self { agent, run, chain, model, engine, until, inside: None, reports })
            }
            _ => Err(Code::Unpaid.into()),
        }
    }

    /// The run's id: the idempotency key of everything that the work does outside.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Tells how far the work is: step 2 of 5 (0: nobody knows of how many), in a line of words that whoever waits understands.
    ///
    /// It writes nothing by itself and never waits, so it may be called in any loop: the worker stores what was said last, twice a second at
    /// most. The same step again changes its words. Kept are [`crate::run::STEPS_MAX`] steps of [`crate::run::WORDS_MAX`] characters.
    pub fn progress(&self, step: u32, of: u32, words: &str) {
        match self.inside {
            Some((step, of, agent)) => self.reports.add(step, of, &format!("{agent}: {words}")),
            None => self.reports.add(step, of, words),
        }
    }

    /// The same tools, for that other agent's work as a part of this one: what it says of its progress is said at this step, after its name.
    pub fn inside(&self, step: u32, of: u32, agent: &'static Card) -> Self {
        Self {
            agent: self.agent,
            run: self.run.clone(),
            chain: self.chain.clone(),
            model: self.model.clone(),
            engine: self.engine.clone(),
            until: self.until,
            inside: Some((step, of, agent.name)),
            reports: self.reports.clone(),
        }
    }

    /// Is this the run of that agent, or is its work done for another one's?
    pub fn is_run_of(&self, card: &Card) -> bool {
        self.agent == card.slug
    }

    /// The operator's language model, if there is one. Whoever uses its words says so to [`Self::engine`].
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// What the run's row will say made the answer.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is left of the card's time limit.
    pub fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The network that the run was paid on.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}
