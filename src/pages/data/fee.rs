//! What the network charged for a payment: read from the chain when somebody looks, since no book of ours needs it (P4).

use std::{sync::LazyLock, time::Duration};

use moka::future::Cache;
use serde_json::Value;

use super::Charged;
use crate::{
    chain::record::Record,
    evm::{Address, TxHash},
    ledger::Run,
    money::Amount,
    network::Network,
    x402::desk::Desk,
};

/// A final block does not change, so an answer is good for as long as anybody looks.
const KEPT: u64 = 4_096;
/// An answer that there is none now: nobody makes us ask a node again and again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

type Key = (String, TxHash);
static KNOWN: LazyLock<Cache<Key, Charged>> = LazyLock::new(|| Cache::new(KEPT));
static UNKNOWN: LazyLock<Cache<Key, ()>> =
    LazyLock::new(|| Cache::builder().max_capacity(KEPT).time_to_live(UNKNOWN_FOR).build());

/// `None`: nothing was charged to the payer's side (a signature, credit), its block is not final, or no node tells.
pub async fn of(desk: &Desk, run: &Run) -> Option<Charged> {
    let hash = run.transaction.filter(|_| run.authorization.is_none() && run.deposit_block.is_some())?;
    let key = (run.network.clone(), hash);
    if let Some(known) = KNOWN.get(&key).await {
        return Some(known);
    }
    if UNKNOWN.contains_key(&key) {
        return None;
    }
    let chain = desk.chain(&run.network)?;
    let record = chain.record(hash).await.ok().flatten();
    let charged = record.and_then(|record| read(&record, chain.network(), run.payer));
    match &charged {
        Some(charged) => KNOWN.insert(key, charged.clone()).await,
        None => UNKNOWN.insert(key, ()).await,
    }
    charged
}

/// Whoever is not the payer and sent the transaction, paid for it: the wallet's sponsor, or a bundler.
fn read(record: &Record, network: &Network, payer: Address) -> Option<Charged> {
    let included = record.included.as_ref()?;
    let field = |name: &str| record.transaction.get(name).and_then(Value::as_str);
    let gas = match network.charges_gas_limit() {
        true => Amount::from_hex_quantity(field("gas")?).ok()?.to_string().parse().ok()?,
        false => included.gas_used,
    };
    let sender: Address = field("from")?.to_lowercase().parse().ok()?;
    Some(Charged { fee: network.fee(gas, included.gas_price)?.rounded(), sponsored: sender != payer })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chain::record::Included;

    fn record(from: Address) -> Record {
        let included = Included {
            block: 7,
            block_hash: [0; 32],
            time_s: 0,
            index: 0,
            succeeded: true,
            gas_used: 21_000,
            gas_price: Amount::from_atomic(102_000_000_000),
            created: None,
            logs: Vec::new(),
            latest: 9,
            safe: None,
            final_height: None,
        };
        Record { transaction: json!({ "from": from, "gas": "0xea60" }), included: Some(included) }
    }

    #[test]
    fn p4_the_fee_is_what_the_chain_charged_and_names_who_paid_it() {
        let (payer, relayer) = (Address([1; 20]), Address([2; 20]));
        let told = |record: &Record, chain| {
            let charged = read(record, &Network::of_monads(chain), payer).unwrap();
            (charged.fee.to_string(), charged.sponsored)
        };
        assert_eq!(told(&record(payer), 31337), ("0.00214 MON".into(), false), "what was used");
        assert_eq!(told(&record(payer), 143), ("0.00612 MON".into(), false), "Monad charges the limit");
        assert_eq!(told(&record(relayer), 31337), ("0.00214 MON".into(), true));
        let pending = Record { included: None, ..record(payer) };
        assert_eq!(read(&pending, &Network::of_monads(143), payer), None);
        let odd = Record { transaction: json!({ "from": 5 }), ..record(payer) };
        assert_eq!(read(&odd, &Network::of_monads(31337), payer), None, "a node's nonsense is not told");
    }
}
