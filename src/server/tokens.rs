//! Which tokens are taken: those that somebody settles, and that are on the chain what the settings say.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    chain::Chain,
    money::Asset,
    x402::{desk::Desk, facilitator::token_is_as_configured},
};

/// Between two looks at what could not be known yet.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at what a facilitator can settle.
const REFRESH_EVERY: Duration = Duration::from_secs(10 * 60);

/// Looks once. `false`: something is not known yet, and what it is was logged.
pub async fn look(desk: &Desk, chain: &Chain) -> bool {
    let network = chain.network();
    let Some(facilitator) = desk.facilitator(&network.id) else { return true };
    let mut known = true;
    if let Err(cause) = facilitator.refresh().await {
        warn!(network = network.name, %cause, "the facilitator of {} does not say what it settles; tokens are not offered there until it does", network.name);
        known = false;
    }
    for token in &network.tokens {
        match token_is_as_configured(chain, token).await {
            Ok(true) => desk.take_token(Asset { network: network.id.clone(), token: Some(token.address) }),
            Ok(false) => error!(
                network = network.name,
                token = token.symbol,
                "{} at {} on {} is not what the settings say (name, version or decimals): it is not offered",
                token.symbol,
                token.address,
                network.name
            ),
            Err(cause) => {
                warn!(network = network.name, token = token.symbol, %cause, "{} cannot be looked at; it is not offered until it can", token.symbol);
                known = false;
            }
        }
    }
    known
}

/// Looks until all is known, and then now and then at the facilitator.
pub async fn keep_looking(desk: Desk, chain: Chain, known: bool, stop: CancellationToken) {
    let Some(facilitator) = desk.facilitator(&chain.network().id) else { return };
    let mut known = known;
    loop {
        let pause = if known { REFRESH_EVERY } else { LOOK_EVERY };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        if known {
            // What was known before stands if it does not answer now.
            let _ = facilitator.refresh().await;
        } else {
            known = look(&desk, &chain).await;
            if known {
                info!(network = chain.network().name, "tokens on {} are offered now", chain.network().name);
            }
        }
    }
}
