//! From an input to a report: every figure of one block, in five steps.

use super::{
    Input, account, activity,
    allowances::{Parties, allowances},
    ask::{Asker, StateSource},
    findings::{self, Facts},
    known,
    report::{Block, Kind, Native, Origin, Report, Reserve, Spender},
    tokens::{Wanted, tokens, unmask},
};
use crate::{
    agents::contract_xray::proxy,
    chain::{
        PERMIT2, Unavailable,
        state::{AtBlock, Look, Saw},
    },
    error::{CallError, Code},
    evm::Address,
    money::Amount,
    network::Network,
};

/// How far it is: step, of how many, in words.
pub type Told<'a> = &'a (dyn Fn(u32, u32, &str) + Sync);

const STEPS: u32 = 5;

/// The whole work of a run.
///
/// # Errors
/// [`Code::AgentFailed`], `retry: same_payment`: no node answers, or the block is gone from them.
pub async fn wallet(input: &Input, source: &impl StateSource, told: Told<'_>) -> Result<Report, CallError> {
    let address = parsed(&input.address)?;
    let given = input.tokens.iter().map(|token| parsed(token)).collect::<Result<Vec<_>, _>>()?;
    let spenders = input.spenders.iter().map(|spender| parsed(spender)).collect::<Result<Vec<_>, _>>()?;
    look(address, given, spenders, source, told).await.map_err(no_answer)
}

async fn look(
    address: Address,
    given: Vec<Address>,
    spenders: Vec<Address>,
    source: &impl StateSource,
    told: Told<'_>,
) -> Result<Report, Unavailable> {
    let network = source.network();
    told(1, STEPS, "Reading the account");
    let at = source.final_block().await?;
    let Basics { balance, nonce, code, has_multicall } = basics(address, &at, source).await?;
    let asker = Asker { source, at, has_multicall };
    let account = account::account(address, &code, &asker).await?;

    told(2, STEPS, "Looking for recent transfers");
    let window = activity::window(address, &asker).await;

    told(3, STEPS, "Asking the tokens");
    let known: Vec<Address> = known::tokens(network).into_iter().map(|(token, _)| token).collect();
    let seen = window.tokens(&[known.as_slice(), given.as_slice()].concat());
    let wanted = Wanted::new([(Origin::Known, known), (Origin::Given, given), (Origin::Seen, seen)]);
    let mut tokens = tokens(address, &wanted, &asker).await?;
    unmask(&mut tokens, network);

    told(4, STEPS, "Asking who may take them");
    let spenders = named(spenders, &asker).await?;
    let has_permit2 = spenders.iter().any(|(spender, told)| *spender == PERMIT2 && told.contract);
    let parties = Parties { owner: address, tokens: &tokens, spenders: &spenders, has_permit2 };
    let (allowances, permit2_answers) = allowances(&parties, &asker).await?;

    told(5, STEPS, "Writing the report");
    let facts = Facts { address, network, told: &account, tokens: &tokens, poisoned_by: window.poisoned_by(address) };
    let mut report = Report {
        explanation: None,
        engine: "computed".to_owned(),
        summary: String::new(),
        address: address.to_string(),
        network: network.id.clone(),
        block: Block { number: at.height, hash: alloy::hex::encode_prefixed(at.hash), time_s: at.time_s },
        native: Native {
            symbol: network.symbol.clone(),
            decimals: network.decimals,
            balance: balance.to_string(),
            shown: network.coin(balance).to_string(),
        },
        nonce,
        reserve: reserve(account.account.kind, balance, network),
        activity: window.told(address, &tokens),
        account: account.account.clone(),
        tokens: tokens.iter().map(|(_, token)| token.clone()).collect(),
        spenders: spenders.into_iter().map(|(_, spender)| spender).collect(),
        allowances,
        permit2_answers,
        findings: Vec::new(),
    };
    report.findings = findings::findings(&facts, &report);
    report.summary = findings::sentence(&report, network);
    Ok(report)
}

struct Basics {
    balance: Amount,
    nonce: u64,
    code: Vec<u8>,
    has_multicall: bool,
}

async fn basics(address: Address, at: &AtBlock, source: &impl StateSource) -> Result<Basics, Unavailable> {
    let looks = [Look::Balance(address), Look::Nonce(address), Look::Code(address), Look::Code(known::MULTICALL3)];
    let odd = || Unavailable { network: source.network().name.clone(), cause: "an answer of another kind".to_owned() };
    match <[Saw; 4]>::try_from(source.state(at, &looks).await?) {
        Ok([Saw::Number(balance), Saw::Number(nonce), Saw::Bytes(code), Saw::Bytes(multicall)]) => {
            let nonce = nonce.to_string().parse().map_err(|_| odd())?;
            Ok(Basics { balance, nonce, code, has_multicall: !multicall.is_empty() })
        }
        _ => Err(odd()),
    }
}

/// The known ones and those that were given, each once, with whether there is a contract.
async fn named<S: StateSource>(given: Vec<Address>, asker: &Asker<'_, S>) -> Result<Vec<(Address, Spender)>, Unavailable> {
    let mut all: Vec<Address> = known::SPENDERS.iter().map(|(address, _)| *address).collect();
    for address in given {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let codes = asker.codes(&all).await?;
    let spender = |(address, code): (Address, Vec<u8>)| {
        let name = known::SPENDERS.iter().find(|(known, _)| *known == address).map(|(_, name)| (*name).to_owned());
        // A delegated account is a key's all the same.
        let contract = !code.is_empty() && proxy::delegated_to(&code).is_none();
        (address, Spender { address: address.to_string(), name, contract })
    };
    Ok(all.into_iter().zip(codes).map(spender).collect())
}

/// What the network keeps back of an account's coin; a contract keeps nothing.
fn reserve(kind: Kind, balance: Amount, network: &Network) -> Option<Reserve> {
    let amount = known::reserve(network).filter(|_| kind != Kind::Contract)?;
    let above = balance.minus(amount).unwrap_or_default();
    let (kept, free) = (network.coin(amount), network.coin(above));
    let words = match kind {
        Kind::Delegated if above.is_zero() => {
            format!("A delegated account may not go below {kept}, so that it can spend nothing of its coin now.")
        }
        Kind::Delegated => format!("A delegated account may not go below {kept}: {free} can be spent now."),
        _ => format!(
            "Only an account that sent nothing in the last 3 blocks may go below {kept}. Coin that has just arrived is spendable after 3 blocks."
        ),
    };
    Some(Reserve { amount: amount.to_string(), always: kind == Kind::Delegated, above: above.to_string(), words })
}

/// The input was validated before anybody paid.
fn parsed(address: &str) -> Result<Address, CallError> {
    address.parse().map_err(CallError::agent_failed)
}

fn no_answer(_: Unavailable) -> CallError {
    CallError::saying(Code::AgentFailed, "The network's node did not answer. You were not charged; try again.")
}

#[cfg(test)]
mod tests;
