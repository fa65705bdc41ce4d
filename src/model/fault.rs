//! Why there is no answer. Each says it in words that a visitor may read: no URL, no key, nothing that the server wrote.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Nobody listens, or no connection came about: nothing was asked.
    #[error("the language model cannot be reached")]
    Away,
    #[error("the language model did not answer within {} s", .0.as_secs_f32().ceil())]
    Slow(Duration),
    /// Too many requests, or not ready: it did not begin. What it says to wait for.
    #[error("the language model is busy")]
    Busy(Option<Duration>),
    /// A wrong key, an unknown model, a question it does not take: asking again is no help. The HTTP status.
    #[error("the language model's server refuses the question (HTTP {0})")]
    Refused(u16),
    /// Its own trouble. The HTTP status, or 0 in the middle of an answer.
    #[error("the language model's server failed")]
    Broken(u16),
    #[error("the language model's answer was cut off")]
    CutOff,
    #[error("the language model's answer was too long")]
    TooLong,
    /// No chat completion, or not in the form that was asked for.
    #[error("the language model's answer cannot be read")]
    Garbled,
    #[error("the language model said nothing")]
    Empty,
}

impl ModelError {
    /// Will others who ask now most likely fail, too?
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Away | Self::Busy(_) | Self::Broken(500..) | Self::Refused(401 | 403 | 404))
    }

    /// Nothing was begun, so that asking again costs nobody twice.
    pub(super) fn is_safe_to_repeat(&self) -> bool {
        matches!(self, Self::Away | Self::Busy(_))
    }
}
