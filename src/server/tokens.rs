//! Which tokens are taken: those that somebody settles, and that are on the chain what the settings say.

use std::{collections::HashMap, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::settings::{Settings, Settler};
use crate::{
    chain::Chain,
    money::Asset,
    x402::{
        desk::Desk,
        facilitator::{BadKey, Facilitator, Operator, Remote, token_is_as_configured},
    },
};

/// Between two looks at what could not be known yet.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at what a facilitator can settle.
const REFRESH_EVERY: Duration = Duration::from_secs(10 * 60);

/// Who settles on which network, by its CAIP-2 id.
///
/// # Errors
/// The operator's key is none.
pub fn facilitators(settings: &Settings, chains: &[Chain]) -> Result<HashMap<String, Facilitator>, BadKey> {
    let mut all = HashMap::new();
    for chain in chains {
        let network = &chain.network().id;
        let facilitator = match settings.settler(network) {
            Some(Settler::Facilitator(url)) => Facilitator::Remote(Remote::new(url.clone(), chain.clone())),
            Some(Settler::Operator(key)) => Facilitator::Operator(match settings.gas_prices_max.get(network) {
                Some(most) => Operator::with_gas_price_max(&key.bytes(), chain.clone(), *most)?,
                None => Operator::new(&key.bytes(), chain.clone())?,
            }),
            None => continue,
        };
        all.insert(network.clone(), facilitator);
    }
    Ok(all)
}

/// Looks once. `false`: something is not known yet, and what it is was logged.
pub async fn look(desk: &Desk, chain: &Chain) -> bool {
    let network = chain.network();
    let Some(facilitator) = desk.facilitator(&network.id) else { return true };
    let mut known = true;
    if let Err(cause) = facilitator.refresh().await {
        if desk.seldom.is_time(&format!("facilitator of {}", network.id)) {
            warn!(network = network.name, %cause, "the facilitator of {} does not say what it settles; tokens are not offered there until it does", network.name);
        }
        known = false;
    }
    for token in &network.tokens {
        match token_is_as_configured(chain, token).await {
            Ok(true) => desk.take_token(Asset { network: network.id.clone(), token: Some(token.address) }),
            Ok(false) if desk.seldom.is_time(&format!("token {} on {}", token.address, network.id)) => error!(
                network = network.name,
                token = token.symbol,
                "{} at {} on {} is not what the settings say (name, version or decimals): it is not offered",
                token.symbol,
                token.address,
                network.name
            ),
            Ok(false) => {}
            // The network's own line tells of its outage.
            Err(cause) => {
                debug!(network = network.name, token = token.symbol, %cause, "{} cannot be looked at; it is not offered until it can", token.symbol);
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
