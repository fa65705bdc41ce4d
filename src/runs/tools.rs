//! What the work may use. Only a paid run has it.

use leptos::prelude::take_context;

use super::progress::Reports;
use crate::{
    card::Card,
    chain::Chain,
    error::{CallError, Code},
};

/// One agent, one run. Private fields, not `Clone`: only the worker makes it, only [`Tools::of_paid_run`] takes it, once.
pub(super) struct Paid {
    pub(super) agent: &'static str,
    pub(super) run: String,
    pub(super) chain: Chain,
    pub(super) reports: Reports,
}

/// What the work may use.
pub struct Tools {
    run: String,
    chain: Chain,
    reports: Reports,
}

impl Tools {
    /// # Errors
    /// [`Code::Unpaid`] for a call while rendering, a second take, or another agent's payment.
    pub fn of_paid_run(card: &Card) -> Result<Self, CallError> {
        match take_context::<Paid>() {
            Some(paid) if paid.agent == card.slug => Ok(Self { run: paid.run, chain: paid.chain, reports: paid.reports }),
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
        self.reports.add(step, of, words);
    }

    /// The network that the run was paid on.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}
