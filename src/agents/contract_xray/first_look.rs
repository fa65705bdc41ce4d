//! Is there code at this address? Asked before anybody pays, so it costs nothing, and the chain little.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{StatusCode, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use moka::future::Cache;

use super::{Precheck, proxy};
use crate::{
    error::{CallError, Code, FieldError},
    evm::Address,
    x402::{
        desk::Desk,
        signer::{Allowance, Asks},
    },
};

/// Long enough for many visitors of one page, short enough for somebody who has just deployed.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Answers kept; each takes a few hundred bytes.
const ANSWERS_MAX: u64 = 10_000;

/// On the network that is offered first. What a node does not answer is not remembered.
pub async fn look(address: &str) -> Result<Precheck, CallError> {
    static KNOWN: LazyLock<Cache<(String, Address), Precheck>> =
        LazyLock::new(|| Cache::builder().max_capacity(ANSWERS_MAX).time_to_live(REMEMBERED).build());

    let address: Address = address.trim().parse().map_err(|bad| {
        CallError::invalid_input(vec![FieldError { field: "address".to_owned(), error: format!("An address is wanted: {bad}.") }])
    })?;
    let desk = use_context::<Desk>().ok_or(Code::Internal)?;
    let Some(chain) = desk.chains.first() else { return Ok(Precheck::Unknown) };
    let network = chain.network();
    let allowance = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Allowance>().cloned());
    let asked = async {
        if let Some(allowance) = allowance {
            allowance.take(Asks::Look)?;
        }
        let code = chain.code(address).await.map_err(|_| CallError::from(Code::VerifierUnavailable))?;
        Ok(told(&code, network.name.clone()))
    };
    let found: Result<Precheck, Arc<CallError>> = KNOWN.try_get_with((network.id.clone(), address), asked).await;
    match found {
        // This visitor asks too often; whatever else is in the way is no answer.
        Err(why) if why.code == Code::RateLimited => {
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(StatusCode::TOO_MANY_REQUESTS);
            }
            Err((*why).clone())
        }
        found => Ok(found.unwrap_or(Precheck::Unknown)),
    }
}

fn told(code: &[u8], network: String) -> Precheck {
    match proxy::delegated_to(code) {
        Some(to) => Precheck::Delegated { to: format!("{to:#x}"), network },
        None if code.is_empty() => Precheck::NoCode { network },
        None => Precheck::Contract { bytes: u32::try_from(code.len()).unwrap_or(u32::MAX), network },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_none_and_delegation_are_told_apart() {
        let network = || "Monad testnet".to_owned();
        assert_eq!(told(&[], network()), Precheck::NoCode { network: network() });
        assert_eq!(told(&[0x60, 0x00], network()), Precheck::Contract { bytes: 2, network: network() });
        let delegated = [[0xef, 0x01, 0x00].as_slice(), &[0x22; 20]].concat();
        assert_eq!(told(&delegated, network()), Precheck::Delegated { to: format!("0x{}", "22".repeat(20)), network: network() });
    }
}
