//! A network's nodes beside one another: which of them are away, and which are behind.

use super::Line;
use crate::chain::{Chain, Patience};

/// One line for each that is not as far as the furthest, or does not answer. None where there is one node: the other lines tell of it.
pub async fn compared(chain: &Chain) -> Vec<Line> {
    let heads = chain.heads().await;
    if heads.len() < 2 {
        return Vec::new();
    }
    let name = &chain.network().name;
    let newest = heads.iter().filter_map(|(_, said)| said.as_ref().ok()).max().copied();
    let behind_s = Patience::default().behind.as_secs();
    let line = |(place, said): &(String, Result<(u64, u64), String>)| match (said, newest) {
        (Err(cause), _) => Some(format!("{name}: node {place} does not answer: {cause}; the others are asked")),
        (Ok((height, time_s)), Some((furthest, furthest_s))) if furthest_s.saturating_sub(*time_s) >= behind_s => Some(format!(
            "{name}: node {place} is behind or stuck: its newest block is {height}, {} s older than another's, {furthest}; it is not asked \
             while another one answers",
            furthest_s - time_s
        )),
        _ => None,
    };
    heads.iter().filter_map(line).map(|sentence| Line::todo("nodes", sentence)).collect()
}
