//! Which node's newest block is the newest: a node that is stuck, or far behind, still answers, and what it answers is old.
//!
//! Heads are compared among nodes, and a node's own word about time only counts where our clock agrees: a node that claims blocks of our future
//! puts no other one aside.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::wire::Header;

/// How long a network's nodes are waited for before one of them is taken to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A node whose newest block stays the same for so long, and for [`Self::blocks`], while another one's goes on, is stuck.
    pub stuck: Duration,
    /// A node whose newest block is older than another's by so much, and by [`Self::blocks`], is behind.
    pub behind: Duration,
    /// So many times as long as from one block to the next: honest nodes are no further apart, and for no longer than a moment.
    pub blocks: u32,
    /// So long after a lone node said it for the first time, it has to say again that a final block has changed.
    pub doubt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stuck: Duration::from_secs(3), behind: Duration::from_secs(10), blocks: 10, doubt: Duration::from_secs(60) }
    }
}

/// How far our clock and a chain's may be apart, seconds: a block from further ahead is not believed.
const AHEAD_S_MAX: u64 = 120;

/// A newest block that is older than this, seconds, by our clock says nothing of what is on the chain now. As far as two honest clocks may be apart.
const OLD_S: u64 = 120;

/// The newest block that a node has told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub height: u64,
    /// The block's own time, Unix seconds.
    pub time_s: u64,
    /// Since when it is the newest.
    pub since: Instant,
    /// When it was heard last.
    pub at: Instant,
}

impl Heard {
    /// What is known after this header was told.
    pub fn after(known: Option<Self>, header: &Header) -> Self {
        let now = Instant::now();
        match known {
            // Behind one address may be several nodes: the furthest counts.
            Some(known) if known.height >= header.height => Self { at: now, ..known },
            _ => Self { height: header.height, time_s: header.time_s, since: now, at: now },
        }
    }

    /// How old it was, in seconds by our clock, when it was heard last.
    fn age_s(&self, now_s: u64) -> u64 {
        now_s.saturating_sub(self.at.elapsed().as_secs()).saturating_sub(self.time_s)
    }

    /// Is it too old to say what is not on the chain? `several`: that many blocks take so long.
    pub fn is_old(&self, several: Duration, now_s: u64) -> bool {
        self.age_s(now_s) > OLD_S.max(several.as_secs())
    }

    /// Is there reason to compare it with another node's?
    pub fn suspicion(&self, several: Duration, patience: &Patience, now_s: u64) -> Suspicion {
        if self.since.elapsed() >= patience.stuck.max(several) {
            Suspicion::Stuck
        } else if self.at.elapsed() >= patience.stuck || self.age_s(now_s) >= patience.behind.max(several).as_secs() {
            Suspicion::Perhaps
        } else {
            Suspicion::None
        }
    }

    /// Why this node is to be left for one whose newest block is `other`. `None`: it is not.
    pub fn is_behind(&self, other: &Header, several: Duration, patience: &Patience, now_s: u64) -> Option<String> {
        if other.height <= self.height || other.time_s > now_s.saturating_add(AHEAD_S_MAX) {
            return None;
        }
        let Self { height, .. } = self;
        let (unmoved, older_s) = (self.since.elapsed(), other.time_s.saturating_sub(self.time_s));
        if unmoved >= patience.stuck.max(several) {
            return Some(format!("it is stuck at block {height} for {unmoved:.0?}, another node is at {}", other.height));
        }
        let is_older = Duration::from_secs(older_s) >= patience.behind.max(several);
        is_older.then(|| format!("its newest block, {height}, is {older_s} s older than that of another node, {}", other.height))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    None,
    /// It is old by our clock, or nobody has asked for it lately: a chain without new blocks, or a clock that is wrong, looks the same.
    Perhaps,
    /// It has not moved for longer than blocks take.
    Stuck,
}

/// By our clock, Unix seconds.
pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn header(height: u64, time_s: u64) -> Header {
        Header { height, hash: [1; 32], parent: [0; 32], time_s }
    }

    fn heard(height: u64, time_s: u64, unmoved: Duration) -> Heard {
        let now = Instant::now();
        Heard { height, time_s, since: now.checked_sub(unmoved).unwrap(), at: now }
    }

    #[test]
    fn s3_a_node_is_behind_where_another_shows_it_and_the_clock_agrees() {
        let (patience, second) = (Patience::default(), Duration::from_secs(1));
        let is = |heard: Heard, other: Header, several| heard.is_behind(&other, several, &patience, NOW_S).is_some();
        let none = Duration::ZERO;
        let frozen = heard(100, NOW_S - 4, second * 4);
        assert!(is(frozen, header(101, NOW_S), none), "it has not moved, another has");
        assert!(!is(frozen, header(100, NOW_S), none), "no node has moved: so it is the chain");
        assert!(!is(frozen, header(99, NOW_S), none));
        assert!(!is(frozen, header(101, NOW_S), second * 5), "a block takes longer here");
        let fresh = heard(100, NOW_S - 2, second);
        assert!(!is(fresh, header(105, NOW_S), none), "a little behind");
        assert!(is(heard(100, NOW_S - 60, none), header(400, NOW_S), none), "it moves, a minute behind");
        assert!(!is(heard(100, NOW_S - 60, none), header(105, NOW_S), second * 120), "of a chain of slow blocks");
        let future = header(u64::MAX, NOW_S + 3_600);
        assert!(!is(frozen, future, none) && !is(fresh, future, none), "blocks of our future are not believed");
    }

    #[test]
    fn s3_a_head_is_suspected_when_it_stays_or_is_old() {
        let (patience, second) = (Patience::default(), Duration::from_secs(1));
        let of = |heard: Heard, several| heard.suspicion(several, &patience, NOW_S);
        assert_eq!(of(heard(1, NOW_S, second), Duration::ZERO), Suspicion::None);
        assert_eq!(of(heard(1, NOW_S, second * 3), Duration::ZERO), Suspicion::Stuck);
        assert_eq!(of(heard(1, NOW_S, second * 3), second * 120), Suspicion::None);
        assert_eq!(of(heard(1, NOW_S - 10, second), Duration::ZERO), Suspicion::Perhaps);
        let known = heard(7, NOW_S, second * 2);
        let again = Heard::after(Some(known), &header(6, NOW_S));
        assert_eq!((again.height, again.since), (7, known.since), "another node behind the same address lags");
        assert_eq!(Heard::after(Some(known), &header(8, NOW_S)).height, 8);
        assert!(heard(1, NOW_S - 121, second).is_old(Duration::ZERO, NOW_S));
        assert!(!heard(1, NOW_S - 120, second).is_old(Duration::ZERO, NOW_S));
        assert!(!heard(1, NOW_S - 121, second).is_old(second * 600, NOW_S));
    }
}
