//! This machine's clock beside a chain's, in words for `coinslot check` and the start.
//!
//! Offers and sign-ins are dated here, payments by their blocks: two minutes apart, a payment counts as older than its offer.

use crate::{
    chain::{Chain, Unavailable, clock::Reading},
    x402::desk::{CLOCK_SLACK_MS, now_ms},
};

/// That they agree, or what is wrong and what to do.
///
/// # Errors
/// No node tells the time.
pub async fn beside(chain: &Chain) -> Result<Result<String, String>, Unavailable> {
    let (reading, name) = (chain.skew(now_ms).await?.reading(), &chain.network().name);
    let minutes = CLOCK_SLACK_MS / 60_000;
    let limit = format!("from {minutes} minutes on, payments are taken for older than their offers");
    Ok(match reading {
        Reading::Same => Ok(format!("this machine's clock agrees with the newest block of {name}")),
        Reading::Behind(ms) => Err(format!(
            "this machine's clock is {} behind the newest block of {name}: correct it (NTP); its offers and sign-ins are dated wrongly",
            seconds(ms)
        )),
        Reading::Ahead(ms) => Err(format!(
            "this machine's clock is {} ahead of the newest block of {name}: correct it (NTP), or, if the node is behind, its rpc_urls; {limit}",
            seconds(ms)
        )),
    })
}

fn seconds(ms: i64) -> String {
    format!("{} s", ms.saturating_add(500) / 1000)
}
