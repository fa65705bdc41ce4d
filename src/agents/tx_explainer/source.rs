//! From an input to a report: what is asked of the chain, in which order, and what the report is put together from.

use std::future::Future;

use alloy::primitives::U256;
use serde_json::{Map, Value as Json};

use super::{
    Input,
    abi::{Budget, Value},
    asked::{self, Asked},
    call::{self, Calls, Told},
    caution,
    failure::{self, Ended},
    fee,
    lexicon::{self, Lexicon, Names},
    logs::{self, Granted, Moved, Written},
    nested::Inner,
    raw,
    report::{Approval, Basis, Charged, Failure, Finality, LeftOut, Report, Standard, Status, Transaction, Transfer},
    tokens::Assets,
    tx::{self, Tx},
    words,
};
use crate::{
    chain::{
        Chain, Unavailable,
        record::{Frame, Included, Ran, Record},
    },
    error::{CallError, Code, Retry},
    evm::{Address, TxHash},
    money::Amount,
    network::Network,
};

/// How many steps the work tells.
pub const STEPS: u32 = 4;
/// Rows that a report holds.
const TRANSFERS_MAX: usize = 100;
const APPROVALS_MAX: usize = 60;
/// Calls of a trace that are looked at.
const FRAMES_MAX: usize = 20_000;
/// Gas of a plain transfer, which calls nothing.
const PLAIN_GAS: u64 = 21_000;

/// Where transactions are on record. The chain, or a test's own.
pub trait TxSource: Sync {
    fn network(&self) -> &Network;
    /// `None`: it is not known.
    fn record(&self, hash: TxHash) -> impl Future<Output = Result<Option<Record>, Unavailable>> + Send;
    /// Runs a call on the state after this block.
    fn run_at(&self, call: Json, block: u64) -> impl Future<Output = Result<Ran, Unavailable>> + Send;
    /// `None`: nobody traces.
    fn trace(&self, hash: TxHash) -> impl Future<Output = Option<Frame>> + Send;
    /// What contracts answer now; `None` for each that fails.
    fn answers(&self, calls: &[(Address, Vec<u8>)]) -> impl Future<Output = Result<Vec<Option<Vec<u8>>>, Unavailable>> + Send;
}

impl TxSource for Chain {
    fn network(&self) -> &Network {
        Chain::network(self)
    }

    async fn record(&self, hash: TxHash) -> Result<Option<Record>, Unavailable> {
        Chain::record(self, hash).await
    }

    async fn run_at(&self, call: Json, block: u64) -> Result<Ran, Unavailable> {
        Chain::run_at(self, call, block).await
    }

    async fn trace(&self, hash: TxHash) -> Option<Frame> {
        Chain::trace(self, hash).await
    }

    async fn answers(&self, calls: &[(Address, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        Chain::answers(self, calls).await
    }
}

/// What is to be explained, once everything about it is at hand.
struct Subject {
    status: Status,
    tx: Option<Tx>,
    included: Option<Included>,
    /// The call itself.
    call: Inner,
    /// As the node tells it, to be run again.
    told: Json,
    /// It is of the network that is paid on.
    is_here: bool,
}

/// Read, but without the names of its tokens.
struct Draft {
    subject: Subject,
    given: Option<Lexicon>,
    calls: Calls,
    asked: Asked,
    authorizations: Vec<Granted>,
    written: Written,
    budget: Budget,
}

/// The whole work of a run. `progress`: how many steps of [`STEPS`] are done, in words.
///
/// # Errors
/// [`Code::AgentFailed`]: a hash that nobody knows (so far: `retry: same_payment`), a node or place that is missing right now, or an input
/// that cannot be explained (`retry: no`).
pub async fn explain(input: &Input, source: &impl TxSource, progress: &(dyn Fn(u32, &str) + Sync)) -> Result<Report, CallError> {
    progress(1, "looking it up");
    let subject = subject(input, source).await?;
    let abi = input.abi.clone();
    let draft = apart(move || draft(subject, abi.as_deref())).await??;

    progress(2, "asking how it ran");
    let (trace, ended) = how_it_ran(&draft.subject, source).await;
    let network = source.network().clone();
    let draft = apart(move || Draft { subject: draft.subject, written: with_inner_coin(draft.written, trace), ..draft }).await?;

    progress(3, "asking what its tokens are called");
    let mut assets = match draft.subject.is_here {
        true => Assets::of(&network),
        false => Assets::elsewhere(draft.subject.tx.as_ref().and_then(|tx| tx.chain_id)),
    };
    let is_nameless = draft.subject.is_here && learn(&mut assets, &draft, source).await.is_err();

    progress(4, "writing the report");
    apart(move || report(draft, ended, &assets, &network, is_nameless)).await
}

/// Strangers' bytes are read where they hold up nobody. What a panic there says is in the log.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CallError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Code::Internal.into())
}

async fn subject(input: &Input, source: &impl TxSource) -> Result<Subject, CallError> {
    let network = source.network();
    match (&input.hash, &input.raw, &input.calldata) {
        (Some(hash), None, None) => {
            let hash: TxHash = hash.parse().map_err(CallError::agent_failed)?;
            let record = source.record(hash).await.map_err(no_answer)?;
            let unknown = || {
                CallError::agent_failed(format_args!(
                    "{} knows no transaction {hash}. If it was sent just now, try again: many networks know a transaction only once a block holds it.",
                    network.name
                ))
            };
            recorded(record.ok_or_else(unknown)?)
        }
        (None, Some(raw), None) => {
            let bytes = alloy::hex::decode(raw).map_err(|_| for_good("The raw transaction is not hexadecimal."))?;
            let tx = apart(move || raw::read(&bytes)).await?.map_err(|odd| for_good(&odd.to_string()))?;
            let is_here = tx.chain_id.is_none_or(|chain_id| chain_id == network.chain_id);
            if let (Some(hash), true) = (tx.hash, is_here)
                && let Some(record) = source.record(hash).await.map_err(no_answer)?
            {
                return recorded(record);
            }
            let status = if tx.hash.is_some() && is_here { Status::NotFound } else { Status::Unsent };
            Ok(Subject { status, call: call_of(&tx), tx: Some(tx), included: None, told: Json::Null, is_here })
        }
        (None, None, Some(calldata)) => {
            let data = alloy::hex::decode(calldata).map_err(|_| for_good("The call data is not hexadecimal."))?;
            let to = input.to.as_ref().and_then(|to| to.parse().ok());
            let call = Inner { to, data, ..Inner::default() };
            Ok(Subject { status: Status::CallData, tx: None, included: None, call, told: Json::Null, is_here: true })
        }
        // The input was validated before anybody paid.
        _ => Err(for_good("Give one of hash, raw transaction and call data.")),
    }
}

fn recorded(record: Record) -> Result<Subject, CallError> {
    let tx = tx::from_json(&record.transaction);
    let tx = tx.ok_or_else(|| CallError::agent_failed("The node's answer about this transaction makes no sense."))?;
    let status = match &record.included {
        None => Status::Pending,
        Some(included) if included.succeeded => Status::Success,
        Some(_) => Status::Reverted,
    };
    Ok(Subject { status, call: call_of(&tx), tx: Some(tx), included: record.included, told: record.transaction, is_here: true })
}

fn call_of(tx: &Tx) -> Inner {
    let creates = tx.to.is_none();
    Inner {
        from: tx.from,
        to: tx.to,
        value: tx.value,
        data: if creates { Vec::new() } else { tx.input.clone() },
        note: creates.then(|| format!("It creates a contract: {} bytes of code and of what its constructor is given.", tx.input.len())),
        ..Inner::default()
    }
}

fn draft(subject: Subject, abi: Option<&str>) -> Result<Draft, CallError> {
    let given = abi.map(lexicon::read).transpose().map_err(|why| for_good(&why))?;
    let names = Names(given.as_ref());
    let mut budget = Budget::default();
    let calls = call::read(subject.call.clone(), names, &mut budget);
    let asked = asked::of_calls(&calls.told);
    let authorizations = subject.tx.as_ref().map(asked::of_authorizations).unwrap_or_default();
    let mut written = match &subject.included {
        Some(included) => logs::read(&included.logs, names, &mut budget),
        None => Written::default(),
    };
    // What the transaction itself sends comes before what it sets going.
    let own = asked.moved.iter().take_while(|moved| moved.basis == Basis::Transaction).filter(|_| subject.status == Status::Success);
    written.moved.splice(0..0, own.cloned().collect::<Vec<_>>());
    Ok(Draft { given, calls, asked, authorizations, written, budget, subject })
}

/// The trace, where a node tells it, and how a transaction that failed ended.
async fn how_it_ran(subject: &Subject, source: &impl TxSource) -> (Option<Frame>, Option<Ended>) {
    let (Some(included), Some(hash)) = (&subject.included, subject.tx.as_ref().and_then(|tx| tx.hash)) else { return (None, None) };
    if included.succeeded && included.gas_used == PLAIN_GAS {
        return (None, None);
    }
    let trace = source.trace(hash).await;
    if included.succeeded {
        return (trace, None);
    }
    if let Some(ended) = trace.as_ref().and_then(Ended::traced) {
        return (None, Some(ended));
    }
    let ran = source.run_at(again(&subject.told), included.block.saturating_sub(1)).await.ok();
    (None, ran.and_then(Ended::replayed))
}

/// The same call. Its price is left out: an account that got its coin in the same block could not pay it before.
fn again(told: &Json) -> Json {
    let mut call = Map::new();
    for (ours, theirs) in [
        ("from", "from"),
        ("to", "to"),
        ("gas", "gas"),
        ("value", "value"),
        ("data", "input"),
        ("accessList", "accessList"),
        ("authorizationList", "authorizationList"),
    ] {
        if let Some(value) = told.get(theirs).filter(|value| !value.is_null() && !value.as_array().is_some_and(Vec::is_empty)) {
            call.insert(ours.to_owned(), value.clone());
        }
    }
    Json::Object(call)
}

/// Adds the coin that moved inside, which no event tells. What failed inside moved nothing.
fn with_inner_coin(mut written: Written, trace: Option<Frame>) -> Written {
    let Some(root) = trace else { return written };
    let mut waiting: Vec<Frame> = root.calls.into_iter().rev().collect();
    for _ in 0..FRAMES_MAX {
        let Some(frame) = waiting.pop() else { break };
        if frame.error.is_some() {
            continue;
        }
        let value = frame.value.as_deref().and_then(|value| Amount::from_hex_quantity(value).ok()).unwrap_or_default();
        let moves_coin = matches!(frame.kind.as_str(), "CALL" | "CREATE" | "CREATE2" | "SELFDESTRUCT");
        if let (true, false, Some(to)) = (moves_coin, value.is_zero(), frame.to) {
            let basis = Basis::Trace;
            written.moved.push(Moved { standard: Standard::Native, from: frame.from, to, token: None, id: None, amount: value, basis });
        }
        waiting.extend(frame.calls.into_iter().rev());
    }
    written
}

async fn learn(assets: &mut Assets, draft: &Draft, source: &impl TxSource) -> Result<(), Unavailable> {
    let (moved, granted) = draft.shown();
    let tokens = assets.unknown(moved, &granted);
    if !tokens.is_empty() {
        let answers = source.answers(&Assets::questions(&tokens)).await?;
        assets.learn(&tokens, &answers);
    }
    Ok(())
}

impl Draft {
    /// What happened, or, where nothing has happened yet, what is asked for. What failed is told as what it asked for, too.
    fn shown(&self) -> (&[Moved], Vec<Granted>) {
        let (moved, granted) = match self.subject.status {
            Status::Success => (&self.written.moved, &self.written.granted),
            _ => (&self.asked.moved, &self.asked.granted),
        };
        (moved, self.authorizations.iter().chain(granted).cloned().collect())
    }
}

fn report(draft: Draft, ended: Option<Ended>, assets: &Assets, network: &Network, is_nameless: bool) -> Report {
    let (moved, granted) = draft.shown();
    let moved = moved.to_vec();
    let Draft { subject, given, calls, authorizations, written, mut budget, .. } = draft;
    let names = Names(given.as_ref());
    let Subject { status, tx, included, .. } = subject;
    let chain_id = tx.as_ref().and_then(|tx| tx.chain_id).unwrap_or(network.chain_id);
    let fee = tx.as_ref().map(|tx| fee::fee(tx, included.as_ref(), Some(chain_id), assets));
    let failure: Option<Failure> = (status == Status::Reverted).then(|| {
        // Where the limit is charged, receipts may tell the limit as used.
        let is_exhausted = fee.as_ref().is_some_and(|fee| fee.charged == Charged::GasUsed && fee.gas_used == Some(fee.gas_limit));
        failure::explain(ended, is_exhausted, names, &mut budget)
    });
    let finality = included.as_ref().map(finality);
    let created = included.as_ref().and_then(|included| included.created);
    let case = words::Case {
        status,
        tx: tx.as_ref(),
        created,
        call: calls.told.first(),
        moved: &moved,
        granted: &granted,
        assets,
        fee: fee.as_ref(),
        failure: failure.as_ref(),
        network: &network.name,
    };
    let summary = words::sentence(&case);
    // What a transaction that failed asked for did not happen; what an account signed away did.
    let (happened, stands): (&[Moved], &[Granted]) = match status {
        Status::Reverted => (&[], &authorizations),
        _ => (&moved, &granted),
    };
    let flow = words::flow(&words::Case { moved: happened, ..case });
    let left_out = LeftOut {
        transfers: beyond(happened.len(), TRANSFERS_MAX),
        approvals: beyond(stands.len(), APPROVALS_MAX),
        calls: calls.left_out,
        events: written.left_out,
    };
    let warnings = caution::notes(&caution::Case {
        status,
        tx: tx.as_ref(),
        calls: &calls,
        moved: happened,
        granted: stands,
        assets,
        fee: fee.as_ref(),
        finality,
        powers: &written.powers,
        chain_id: network.chain_id,
        left_out,
        is_nameless,
    });
    let told_calls = (calls.told.iter())
        .map(|told| {
            let value = (!told.value.is_zero()).then(|| assets.coin(told.value));
            call::report(told, value, &mut budget, |place| remark(told, place, assets))
        })
        .collect();
    Report {
        engine: "computed".to_owned(),
        summary,
        status,
        network: assets.network.clone(),
        warnings,
        transaction: tx.map(|tx| transaction(tx, included.as_ref(), finality, assets)),
        fee,
        failure,
        transfers: happened.iter().take(TRANSFERS_MAX).map(|moved| transfer(moved, assets)).collect(),
        flow,
        approvals: stands.iter().take(APPROVALS_MAX).map(|granted| approval(granted, assets)).collect(),
        calls: told_calls,
        events: written.events,
        left_out,
    }
}

fn beyond(count: usize, most: usize) -> u32 {
    u32::try_from(count.saturating_sub(most)).unwrap_or(u32::MAX)
}

fn finality(included: &Included) -> Finality {
    if included.final_height.is_some_and(|height| height >= included.block) {
        Finality::Finalized
    } else if included.safe.is_some_and(|height| height >= included.block) {
        Finality::Safe
    } else {
        Finality::Latest
    }
}

fn transaction(tx: Tx, included: Option<&Included>, finality: Option<Finality>, assets: &Assets) -> Transaction {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Transaction {
        hash: tx.hash.map(|hash| hash.to_string()),
        kind: tx.kind,
        kind_words: tx::kind_words(tx.kind).to_owned(),
        chain_id: tx.chain_id,
        from: tx.from.map(|from| from.to_string()),
        to: tx.to.map(|to| to.to_string()),
        created: included.and_then(|included| included.created).map(|created| created.to_string()),
        nonce: tx.nonce,
        value: assets.coin(tx.value),
        gas_limit: tx.gas_limit,
        gas_price: tx.gas_price.map(|price| price.to_string()),
        max_fee_per_gas: tx.max_fee.map(|price| price.to_string()),
        max_priority_fee_per_gas: tx.max_priority.map(|price| price.to_string()),
        data_bytes: tx.input.len() as u64,
        access_list: count(tx.access_list),
        blobs: count(tx.blobs),
        block: included.map(|included| included.block),
        index: included.map(|included| included.index),
        time_ms: included.map(|included| i64::try_from(included.time_s).unwrap_or(i64::MAX).saturating_mul(1000)),
        finality,
        confirmations: included.map(|included| included.latest.saturating_sub(included.block)),
    }
}

fn transfer(moved: &Moved, assets: &Assets) -> Transfer {
    Transfer {
        standard: moved.standard,
        from: moved.from.map_or_else(|| "sender".to_owned(), |from| from.to_string()),
        to: moved.to.to_string(),
        sum: assets.moved(moved),
        token: moved.token.map(|token| token.to_string()),
        id: moved.id.map(|id| id.to_string()),
        basis: moved.basis,
    }
}

fn approval(granted: &Granted, assets: &Assets) -> Approval {
    let (allows, sum, words) = assets.granted(granted);
    Approval {
        standard: granted.standard,
        owner: granted.owner.map_or_else(|| "sender".to_owned(), |owner| owner.to_string()),
        spender: granted.spender.to_string(),
        token: granted.token.map(|token| token.to_string()),
        allows,
        sum,
        id: match granted.grant {
            logs::Grant::One(id) => Some(id.to_string()),
            _ => None,
        },
        until: granted.until,
        words,
        basis: granted.basis,
    }
}

/// What an argument is to a person.
fn remark(told: &Told, place: usize, assets: &Assets) -> Option<String> {
    let parameter = told.shape.as_ref()?.parameters.get(place)?;
    let name = parameter.name.as_deref().unwrap_or_default();
    match told.values.get(place)? {
        Value::Uint(number) if *number == U256::MAX => Some("the largest number there is: without limit".to_owned()),
        Value::Uint(number) if ["deadline", "expiry", "expiration", "validBefore", "validAfter", "sigDeadline"].contains(&name) => {
            let seconds = i64::try_from(*number).ok().filter(|seconds| (1_000_000_000..100_000_000_000).contains(seconds))?;
            Some(crate::ui::utc_text(seconds * 1000))
        }
        // Amounts of the token that is called; of others the name alone does not tell.
        Value::Uint(number) if ["amount", "value", "addedValue", "subtractedValue"].contains(&name) => {
            let token = told.to.filter(|to| assets.token(*to).is_some_and(|token| token.decimals.is_some()))?;
            Some(assets.tokens(Some(token), tx::amount(*number)).words)
        }
        Value::Address(address) => assets.token(Address(*address)).and_then(|token| token.symbol.clone()),
        _ => None,
    }
}

fn no_answer(_: Unavailable) -> CallError {
    CallError::saying(Code::AgentFailed, "The network's node did not answer. You were not charged; try again.")
}

/// The same input will always fail.
fn for_good(why: &str) -> CallError {
    CallError { retry: Retry::No, ..CallError::agent_failed(why) }
}
