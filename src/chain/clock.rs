//! What time it is on the chain, and how far our own clock is from it.
//!
//! Offers, signatures and sessions are dated by our clock, payments by their blocks'. A difference of seconds is met everywhere with slack; one of
//! minutes makes honest payments look old, so it is told at the start and by `coinslot check`.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use super::{
    Chain, Unavailable,
    node::{Fault, Node},
    question::{Question, by_tag, header_at},
    wire::Header,
};

/// The newest block's time is asked for once in so long, however many wait for it.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// The last so many blocks tell how long one takes.
const BLOCKS: u64 = 10;

/// A block may be dated a little ahead by its maker, and time is told in whole seconds.
const AHEAD_MS: i64 = 2_000;
/// A newest block that is this old, and older than the next one should be there, is too old.
const BEHIND_MS: i64 = 5_000;

/// The newest block's time, as it was last asked.
#[derive(Default)]
pub(super) struct Clock(Mutex<Option<(Instant, u64)>>);

impl Chain {
    /// When the newest block was made, Unix seconds: what a contract that is tried out now takes for the time. Up to half a second old.
    ///
    /// # Errors
    /// No node answers.
    pub async fn newest_time_s(&self) -> Result<u64, Unavailable> {
        // Held while one asks: the others wait for that answer.
        let mut known = self.clock().0.lock().await;
        if let Some((asked, time_s)) = *known
            && asked.elapsed() < ASKED_EVERY
        {
            return Ok(time_s);
        }
        let time_s = self.answer(&Newest).await?.time_s;
        *known = Some((Instant::now(), time_s));
        Ok(time_s)
    }

    /// The newest block's time beside ours, which `now_ms` tells when the answer is here.
    ///
    /// # Errors
    /// No node answers.
    pub async fn skew(&self, now_ms: impl Fn() -> i64) -> Result<Skew, Unavailable> {
        let (newest, interval_ms) = self.answer(&Paced).await?;
        Ok(Skew { age_ms: now_ms().saturating_sub(milliseconds(newest.time_s)), interval_ms })
    }
}

/// How old the newest block is by our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Below zero: it was made in our future.
    pub age_ms: i64,
    /// From one block to the next, lately.
    pub interval_ms: i64,
}

/// Which of the two clocks is ahead, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Same,
    /// Ours is behind: a newest block is from our future.
    Behind(i64),
    /// Ours is ahead, or the node has no new blocks: from here they look the same.
    Ahead(i64),
}

impl Skew {
    pub fn reading(self) -> Reading {
        let Self { age_ms, interval_ms } = self;
        if age_ms < -AHEAD_MS {
            return Reading::Behind(-age_ms);
        }
        let expected = interval_ms.saturating_mul(3).saturating_add(AHEAD_MS).max(BEHIND_MS);
        if age_ms > expected { Reading::Ahead(age_ms) } else { Reading::Same }
    }
}

pub(super) struct Newest;

impl Question for Newest {
    type Answer = Header;

    async fn put_to(&self, node: &Node) -> Result<Header, Fault> {
        let newest = node.batch(&[by_tag("latest")]).await?.read()?;
        node.hear(&newest);
        Ok(newest)
    }
}

/// The newest block, and how long one takes, in milliseconds.
pub(super) struct Paced;

impl Question for Paced {
    type Answer = (Header, i64);

    async fn put_to(&self, node: &Node) -> Result<(Header, i64), Fault> {
        let newest = Newest.put_to(node).await?;
        let blocks = newest.height.min(BLOCKS);
        let before: Option<Header> = node.batch(&[header_at(newest.height - blocks)]).await?.read()?;
        let took_ms = before.map_or(0, |before| milliseconds(newest.time_s.saturating_sub(before.time_s)));
        // Once more, so that what is compared with our clock is fresh.
        let newest = Newest.put_to(node).await?;
        Ok((newest, took_ms / i64::try_from(blocks.max(1)).unwrap_or(1)))
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m4_a_clock_is_wrong_where_no_block_time_explains_it() {
        let reading = |age_ms, interval_ms| Skew { age_ms, interval_ms }.reading();
        // Monad: a block every 300 ms, dated in whole seconds.
        assert_eq!(reading(0, 300), Reading::Same);
        assert_eq!(reading(-2_000, 300), Reading::Same);
        assert_eq!(reading(-2_001, 300), Reading::Behind(2_001));
        assert_eq!(reading(5_000, 300), Reading::Same);
        assert_eq!(reading(5_001, 300), Reading::Ahead(5_001));
        // A block every 12 s: the newest is often that old.
        assert_eq!(reading(38_000, 12_000), Reading::Same);
        assert_eq!(reading(38_001, 12_000), Reading::Ahead(38_001));
        assert_eq!(reading(i64::MAX, i64::MAX), Reading::Same, "nothing overflows");
    }
}
