//! A run as its payer sees it: the page's, the programs' (`GET /api/runs/<id>`) and the receipt's view of one row of the ledger.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::CallError,
    evm::{Address, TxHash},
    money::Money,
};

/// `waiting → held → running → done | failed | void`; a failed run may be held again. The transitions are `ledger::runs`'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Shown to us with a proof that is not final yet. Nothing is held.
    Waiting,
    /// Its price is held; a worker will take it.
    Held,
    Running,
    /// Its price was captured, once, and its answer stored.
    Done,
    /// The agent failed; the price was released and is credit.
    Failed,
    /// It never got a price held: the proof was not what it should be. What arrived, if anything, is credit.
    Void,
}

impl RunState {
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Held, Self::Running, Self::Done, Self::Failed, Self::Void];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }

    /// Nothing more happens to it by itself.
    pub fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Void)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for RunState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.word() == text).ok_or(())
    }
}

/// All times are Unix milliseconds, UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// UUIDv7.
    pub id: String,
    /// The card's slug.
    pub agent: String,
    /// The card's name, or the slug where the agent is no longer on sale (E10).
    pub agent_name: String,
    pub version: String,
    pub state: RunState,
    pub payer: Address,
    /// `None` until a price was held.
    pub price: Option<Money>,
    /// CAIP-2.
    pub network: String,
    /// Where its payment went, or is signed to go. `None` for a run paid from credit, and while its payment is not seen.
    #[serde(default)]
    pub pay_to: Option<Address>,
    /// The payment's transaction, or the one in which the shop settled it; `None` for a run paid from credit.
    pub transaction: Option<TxHash>,
    /// Its payment is a signed token authorization: `transaction` is the shop's, and nothing was charged before it is final.
    #[serde(default)]
    pub authorized: bool,
    /// Where the network's explorer shows it.
    pub transaction_url: Option<String>,
    /// The block that the payment is final in.
    pub block: Option<u64>,
    pub created_at_ms: i64,
    pub held_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    /// Counted before the work.
    pub attempts: u32,
    /// `None` where it was deleted.
    pub input: Option<Value>,
    /// Of the exact body bytes, lower-case hex.
    pub input_sha256: String,
    pub output: Option<Value>,
    pub output_sha256: Option<String>,
    /// What made the answer: `computed`, or a model's name.
    pub engine: Option<String>,
    /// Why it failed or was void.
    pub error: Option<CallError>,
    /// How far its work is, or was when it ended. Nothing before it runs.
    #[serde(default, skip_serializing_if = "Progress::is_empty")]
    pub progress: Progress,
}

impl RunView {
    /// Its payment was signed and not used, yet or for good: nothing was charged.
    pub fn is_unused_authorization(&self) -> bool {
        self.authorized && self.block.is_none()
    }
}

/// Steps of a run that are kept. A later one takes the last one's place.
pub const STEPS_MAX: usize = 50;
/// Characters of a step's words that are kept.
pub const WORDS_MAX: usize = 200;

/// How far an attempt of a run is, as its agent says. The worker keeps it, the ledger stores it, the page builds it up from the run's events:
/// all by [`Progress::add`], so that all show the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The work was begun before, did not end, and began again: the steps are the last attempt's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    #[serde(default)]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub step: u32,
    /// How many there are. 0: the agent does not know.
    pub of: u32,
    /// What it does now, in words that whoever waits understands. One line of [`WORDS_MAX`] characters at most.
    pub words: String,
    /// Unix milliseconds.
    pub at_ms: i64,
}

impl Progress {
    pub fn is_empty(&self) -> bool {
        !self.again && self.steps.is_empty()
    }

    /// A step that is told again changes its words; beyond [`STEPS_MAX`] the last one changes, whatever its number. True for what was added
    /// at the end, false for a change of the last.
    pub fn add(&mut self, step: Step) -> bool {
        let is_full = self.steps.len() >= STEPS_MAX;
        match self.steps.last_mut() {
            Some(last) if is_full || last.step == step.step => {
                *last = step;
                false
            }
            _ => {
                self.steps.push(step);
                true
            }
        }
    }

    /// The work began again.
    pub fn begin_again(&mut self) {
        self.again = true;
        self.steps.clear();
    }
}

impl Step {
    /// Control characters become blanks, so that it is one line wherever it is shown.
    pub fn new(step: u32, of: u32, words: &str, at_ms: i64) -> Self {
        let words = words.chars().take(WORDS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { step, of, words, at_ms }
    }

    /// `Step 2 of 5`
    pub fn place(&self) -> String {
        let Self { step, of, .. } = self;
        if *of == 0 { format!("Step {step}") } else { format!("Step {step} of {of}") }
    }

    /// `Step 2 of 5: Reading the code.`
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.place(), self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u32, words: &str) -> Step {
        Step::new(step, 3, words, 0)
    }

    #[test]
    fn a_step_that_is_told_again_changes_its_words() {
        let mut progress = Progress::default();
        assert!(progress.add(step(1, "Looking.")) && progress.add(step(2, "1 of 9 pages.")));
        assert!(!progress.add(step(2, "9 of 9 pages.")));
        assert_eq!(progress.steps, [step(1, "Looking."), step(2, "9 of 9 pages.")]);
        progress.begin_again();
        assert_eq!(progress, Progress { again: true, steps: Vec::new() });
    }

    #[test]
    fn what_a_loop_says_is_bounded_and_its_last_word_wins() {
        let mut progress = Progress::default();
        for n in 1..=100_000 {
            progress.add(step(n, "Round."));
        }
        assert_eq!(progress.steps.len(), STEPS_MAX);
        assert_eq!((progress.steps[48].step, progress.steps[49].step), (49, 100_000));
    }

    #[test]
    fn words_are_one_line_of_bounded_length() {
        let long = Step::new(1, 2, &format!("a\nb\0{}", "é".repeat(1_000)), 0);
        assert_eq!((long.words.chars().count(), &long.words[..4]), (WORDS_MAX, "a b "));
        assert_eq!((step(2, "x").sentence(), Step::new(2, 0, "x", 0).sentence()), ("Step 2 of 3: x".into(), "Step 2: x".into()));
    }
}
