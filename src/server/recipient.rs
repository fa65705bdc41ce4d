//! Is `payTo` an account that plain transfers reach? One that gets code, days after the shop was opened, runs it whenever coin arrives: with the
//! 21,000 gas of a plain transfer that fails, and a contract that nobody holds a key of may keep the coin for ever. So the coin is not offered
//! while there is code. Tokens are: their transfers do not run it. What was offered before is booked all the same.
//!
//! An account that has delegated itself (EIP-7702) still is its owner's, and its code runs all the same: it is named as what it is, and the coin is
//! not offered either.

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{chain::Chain, evm::Address, x402::desk::Desk};

/// What stands for the code of an account that has delegated itself: this, and the address of whose code it runs.
const DELEGATED: [u8; 3] = [0xef, 0x01, 0x00];

/// What was found at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A plain transfer reaches it, and that is all.
    Plain,
    /// It runs this address's code (EIP-7702).
    Delegated(Address),
    Contract,
}

impl Recipient {
    fn of(code: &[u8]) -> Self {
        match code.strip_prefix(&DELEGATED).map(<[u8; 20]>::try_from) {
            Some(Ok(to)) => Self::Delegated(Address(to)),
            _ if code.is_empty() => Self::Plain,
            _ => Self::Contract,
        }
    }

    fn why(self) -> String {
        match self {
            Self::Delegated(to) => format!("it has delegated itself to {to} (EIP-7702), whose code runs when coin arrives"),
            _ => "coin that is sent to a contract may be refused or lost".to_owned(),
        }
    }
}

/// Looks once: one small request. Where nobody answers, what was known stands.
pub async fn look(desk: &Desk, chain: &Chain) {
    let (network, pay_to) = (chain.network(), desk.pay_to);
    let Ok(code) = chain.code(pay_to).await else { return };
    let found = Recipient::of(&code);
    if !desk.set_coin_closed(&network.id, found != Recipient::Plain) {
        return;
    }
    match found {
        Recipient::Plain => info!(
            network = network.name,
            "{pay_to} has no code on {} any more: {} is offered again", network.name, network.symbol
        ),
        other => error!(
            network = network.name,
            "{pay_to} has code on {}: {}. {} is not offered there: set pay_to to an account without code",
            network.name,
            other.why(),
            network.symbol
        ),
    }
}

/// Looks for as long as the shop is open, as often as at the balance there (`idle_look_s`).
pub async fn keep_looking(desk: Desk, chain: Chain, stop: CancellationToken) {
    loop {
        look(&desk, &chain).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(chain.settings().idle_look) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegation_is_told_from_a_contract() {
        let delegation = [&DELEGATED[..], &[7; 20]].concat();
        assert_eq!(Recipient::of(&delegation), Recipient::Delegated(Address([7; 20])));
        assert_eq!(Recipient::of(&[]), Recipient::Plain);
        for code in [&[0xef][..], &[0x60, 0x00], &delegation[..22], &[delegation.as_slice(), &[0]].concat()] {
            assert_eq!(Recipient::of(code), Recipient::Contract, "{code:?}");
        }
    }
}
