//! What a node does not do as others do: how many calls it takes at once, and how many blocks' logs.
//!
//! Small public nodes refuse batches, or those of more than a few calls, and logs of more than ten blocks. They are used all the same, with less at
//! once; what was learnt of one is kept for as long as the process lives, and `coinslot check` says it, with the node's own words.

use std::sync::{Mutex, PoisonError};

use super::node::RpcError;

/// Blocks whose logs are asked for at once, the most first: what small public nodes allow, what the smallest do, and one.
pub(super) const LOG_BLOCKS: [u64; 3] = [100, 10, 1];

/// Of one node. Nothing was met yet: it is taken to do everything.
#[derive(Default)]
pub(super) struct Habits(Mutex<Met>);

#[derive(Clone, Default)]
pub(super) struct Met {
    /// The most calls in one request, and why no more.
    pub calls: Option<(usize, String)>,
    /// The most blocks in one request for logs, and why no more.
    pub log_blocks: Option<(u64, String)>,
}

impl Habits {
    pub fn met(&self) -> Met {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn calls_at_once(&self) -> usize {
        self.met().calls.map_or(usize::MAX, |(calls, _)| calls)
    }

    pub fn log_blocks(&self) -> u64 {
        self.met().log_blocks.map_or(LOG_BLOCKS[0], |(blocks, _)| blocks)
    }

    /// More calls than these were refused, and these were answered. `true`: that is news.
    pub fn takes_no_more_calls(&self, calls: usize, why: &str) -> bool {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = met.calls.as_ref().is_none_or(|(known, _)| *known > calls);
        if is_news {
            met.calls = Some((calls, why.to_owned()));
        }
        is_news
    }

    /// The same, of blocks in a request for logs.
    pub fn tells_no_more_logs(&self, blocks: u64, why: &str) -> bool {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = met.log_blocks.as_ref().is_none_or(|(known, _)| *known > blocks);
        if is_news {
            met.log_blocks = Some((blocks, why.to_owned()));
        }
        is_news
    }
}

impl Met {
    /// A sentence for each, without the node's name.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        let calls = self.calls.as_ref().map(|(calls, why)| match calls {
            1 => format!("takes no batches ({why}): it is asked one by one, which takes longer"),
            some => format!("takes batches of {some} calls and no more ({why}): it is asked in parts, which takes longer"),
        });
        let logs = self.log_blocks.as_ref().map(|(blocks, why)| {
            format!("tells the logs of {blocks} blocks at once and no more ({why}): they are asked for in ranges so small")
        });
        calls.into_iter().chain(logs)
    }
}

/// Fewer blocks than these, as far as there are fewer.
pub(super) fn fewer_blocks(than: u64) -> Option<u64> {
    LOG_BLOCKS.into_iter().find(|blocks| *blocks < than)
}

/// Does a node say that it asks for less at once? Nodes have no code for it.
pub(super) fn is_too_wide(error: &RpcError) -> bool {
    let words = error.message.to_lowercase();
    let says = |word: &&str| words.contains(*word);
    !is_too_often(error)
        && ["range", "limit", "exceed", "too many", "too large", "too wide", "more than", "max", "blocks"].iter().any(says)
}

/// One error in place of all answers: is it about there being many calls? What comes too often is about something else, unless it says so.
pub(super) fn is_about_the_batch(error: &RpcError) -> bool {
    error.message.to_lowercase().contains("batch") || !(is_too_often(error) || error.code == LIMIT_EXCEEDED)
}

/// EIP-1474's, of whatever limit.
const LIMIT_EXCEEDED: i64 = -32005;

fn is_too_often(error: &RpcError) -> bool {
    let words = error.message.to_lowercase();
    error.code == 429
        || ["rate", "too many requests", "per second", "capacity", "throttl", "quota"].iter().any(|word| words.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i64, message: &str) -> RpcError {
        RpcError { code, message: message.to_owned(), data: None }
    }

    #[test]
    fn too_wide_is_told_from_too_often() {
        for said in [
            "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range.",
            "query exceeds max block range 10",
            "eth_getLogs is limited to a 100 range",
            "Block range is too large",
            "query returned more than 10000 results",
        ] {
            assert!(is_too_wide(&error(-32000, said)), "{said}");
        }
        for said in
            ["rate limit exceeded", "Too Many Requests", "exceeded its compute units per second capacity", "header not found"]
        {
            assert!(!is_too_wide(&error(-32005, said)), "{said}");
        }
    }

    #[test]
    fn a_batch_that_is_refused_is_told_from_a_node_that_is_tired() {
        for (code, said) in [
            (-32600, "batch requests are disabled"),
            (-32600, "Invalid Request"),
            (31, "Batch of more than 3 requests: rate limited"),
        ] {
            assert!(is_about_the_batch(&error(code, said)), "{said}");
        }
        for (code, said) in [(-32005, "rate limit exceeded"), (429, "slow down"), (-32005, "limit exceeded")] {
            assert!(!is_about_the_batch(&error(code, said)), "{said}");
        }
    }

    #[test]
    fn only_what_is_less_is_learnt() {
        let habits = Habits::default();
        assert_eq!((habits.calls_at_once(), habits.log_blocks()), (usize::MAX, 100));
        assert!(habits.takes_no_more_calls(3, "no") && !habits.takes_no_more_calls(5, "late news"));
        assert!(habits.tells_no_more_logs(10, "no") && !habits.tells_no_more_logs(10, "the same"));
        assert_eq!((habits.calls_at_once(), habits.log_blocks()), (3, 10));
        assert_eq!(habits.met().sentences().count(), 2);
        assert_eq!(LOG_BLOCKS.map(fewer_blocks), [Some(10), Some(1), None]);
    }
}
