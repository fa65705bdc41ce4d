//! What the server's side of the protocol works with. One per process, cheap to clone, in the context of every server function.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ops::Deref,
    sync::{Arc, RwLock},
};

use serde_json::Value;
use tokio::sync::{Notify, Semaphore, broadcast};

use super::{
    absent::Absent,
    authorization::{self, Bought},
    bazaar::{BAZAAR, bazaar},
    early,
    facilitator::Facilitator,
    looks::Looks,
    offers::{Ask, Method, Seal},
    signer::Asking,
    template::Templates,
    unmet::Unmet,
    unseen::Unseen,
    verifying::Verifying,
    wire::{Offer, Resource},
};
use crate::{
    card::{Card, Need},
    chain::{Chain, Finality},
    error::{CallError, Code},
    evm::Address,
    ledger::{Books, Run},
    model::Model,
    money::{Amount, Asset, Money},
    network::Token,
    run::{Progress, RunState, RunView},
    runs::{Agent, Streams},
    seldom::Seldom,
};

#[derive(Clone)]
pub struct Desk(Arc<Counter>);

/// What a shop is made of.
pub struct Fittings {
    pub books: Books,
    pub seal: Seal,
    /// In the order of preference; never empty.
    pub chains: Vec<Chain>,
    /// Where visitors pay to.
    pub pay_to: Address,
    /// Scheme, host and port, without a trailing slash: sign-in domain, `resource` and the cookie's `Secure` come from it.
    pub public_url: String,
    /// What is on sale, where the shop has what it needs: the desk leaves the rest out.
    pub agents: Vec<Agent>,
    /// An offer's life, in milliseconds.
    pub offer_ttl_ms: i64,
    /// Who settles tokens, by CAIP-2 network. A network without one has no tokens.
    pub facilitators: HashMap<String, Facilitator>,
    /// The operator's language model, if there is one.
    pub model: Option<Model>,
    /// Who listens to how far a run is.
    pub streams: Streams,
}

impl Fittings {
    fn have(&self, need: Need) -> bool {
        match need {
            Need::Model => self.model.is_some(),
        }
    }
}

pub struct Counter {
    fittings: Fittings,
    /// By slug: the same for every call.
    bazaar: HashMap<&'static str, Value>,
    /// By slug: prices and networks do not change while we run.
    ways: HashMap<&'static str, Vec<Way>>,
    /// Unpaid 402s, made once.
    pub(super) templates: Templates,
    /// Rung when a run was held: a worker looks.
    pub held: Notify,
    /// Rung when somebody began to wait for a payment: the followers look.
    pub waiting: Arc<Notify>,
    /// When what is yet to be settled is looked at again.
    pub looks: Looks,
    /// Ids of runs that changed: requests that wait for them look again.
    changed: broadcast::Sender<String>,
    /// The networks that were halted, as this process knows; the books have the truth.
    halted: RwLock<HashSet<String>>,
    /// Payments that were looked for a moment ago, and are nowhere.
    pub absent: Absent,
    /// The networks that this process has not met yet.
    pub unmet: Unmet,
    /// Log lines whose number would grow with runs and looks.
    pub seldom: Seldom,
    /// The networks whose coin is not offered: `payTo` has code there (`server::recipient`).
    coin_closed: RwLock<HashSet<String>>,
    /// Where visitors paid to before, as far as the books know; the books have the truth.
    former: RwLock<Vec<Address>>,
    /// The tokens that were found to be what the settings say (`server::tokens`). Others are not offered.
    taken: RwLock<HashSet<Asset>>,
    /// Requests that wait until their payment begins to hold.
    pub(super) early: Semaphore,
    /// Contract wallets that the chains are asked about.
    pub(super) asking: Asking,
    /// Payments that nobody has seen, and that no run is written for yet.
    pub(super) unseen: Unseen,
    /// Payments that the chains are asked about.
    pub(super) verifying: Verifying,
}

/// Runs that change at once before a waiting request looks; one that missed some looks anyway.
const CHANGES: usize = 1024;

impl Desk {
    pub fn new(mut fittings: Fittings) -> Self {
        let all = std::mem::take(&mut fittings.agents);
        fittings.agents = all.into_iter().filter(|agent| agent.card.needs.iter().all(|need| fittings.have(*need))).collect();
        Self(Arc::new(Counter {
            unseen: Unseen::on(fittings.chains.iter().map(|chain| chain.network().id.as_str())),
            bazaar: fittings.agents.iter().map(|agent| (agent.card.slug, bazaar(agent))).collect(),
            ways: fittings.agents.iter().map(|agent| (agent.card.slug, ways(&fittings.chains, agent.card))).collect(),
            templates: Templates::default(),
            fittings,
            held: Notify::new(),
            waiting: Arc::default(),
            looks: Looks::default(),
            changed: broadcast::channel(CHANGES).0,
            halted: RwLock::default(),
            absent: Absent::default(),
            unmet: Unmet::default(),
            seldom: Seldom::default(),
            coin_closed: RwLock::default(),
            former: RwLock::default(),
            taken: RwLock::default(),
            early: Semaphore::new(early::WAITING_MAX),
            asking: Asking::default(),
            verifying: Verifying::default(),
        }))
    }
}

impl Deref for Desk {
    type Target = Counter;

    fn deref(&self) -> &Counter {
        &self.0
    }
}

impl Deref for Counter {
    type Target = Fittings;

    fn deref(&self) -> &Fittings {
        &self.fittings
    }
}

impl Counter {
    pub fn chain(&self, network: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.network().id == network)
    }

    pub fn facilitator(&self, network: &str) -> Option<&Facilitator> {
        self.facilitators.get(network)
    }

    pub fn agent(&self, slug: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.card.slug == slug)
    }

    /// Can this agent be bought right now? Asked before a price is named; at most one small request, for all who ask within a few seconds.
    ///
    /// # Errors
    /// [`Code::AgentUnavailable`]: it is not on sale here, or what it needs is away.
    pub async fn sells(&self, card: &Card) -> Result<(), CallError> {
        if self.agent(card.slug).is_none() {
            return Err(CallError::saying(Code::AgentUnavailable, format!("{} Nothing was charged.", card.not_on_sale())));
        }
        self.books.writes(now_ms()).await.map_err(|_| unwritable())?;
        match &self.model {
            Some(model) if card.needs.contains(&Need::Model) => {
                model.look().await.map_err(|cause| away(card, &cause.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// The same, from what is known without asking anybody.
    ///
    /// # Errors
    /// [`Code::AgentUnavailable`]: what it needs is known to be away.
    pub fn is_not_known_to_be_away(&self, card: &Card) -> Result<(), CallError> {
        if self.books.is_known_unwritable() {
            return Err(unwritable());
        }
        let is_away = |need: &Need| match need {
            Need::Model => self.model.as_ref().is_some_and(Model::is_known_to_be_away),
        };
        if card.needs.iter().any(is_away) { Err(away(card, "the language model does not answer")) } else { Ok(()) }
    }

    /// Today's price of an agent in an asset. `None`: it is not sold for that here.
    pub fn price(&self, card: &Card, asset: &Asset) -> Option<Money> {
        self.prices(card).into_iter().find(|price| price.asset == *asset)
    }

    /// Today's prices: the networks in their order, on each the assets in the card's.
    pub fn prices(&self, card: &Card) -> Vec<Money> {
        // A price that does not parse stops the start (`server::open`), so what is left out is a price in another network's asset.
        let on = |chain: &'_ Chain| {
            let network = chain.network().clone();
            card.price.iter().filter_map(move |text| network.price(text).ok().flatten())
        };
        self.chains.iter().flat_map(on).collect()
    }

    /// Fresh offers of all networks that are open for payments: tokens by EIP-3009, tokens by Permit2, coins. Clients that know no better take
    /// the first (facts: "Official clients"). `credit` is subtracted from the coin that is asked for, never from the price.
    pub fn offers(&self, card: &Card, now_ms: i64, credit: Option<&Money>) -> Vec<Offer> {
        let open = self.ways(card);
        let open = open.iter().filter(|way| self.is_open(way));
        open.filter_map(|way| self.offer(card, way, now_ms, credit)).collect()
    }

    /// Which of an agent's ways to pay are open now: a bit for each of [`ways`], in their order. Two answers with the same bits offer the same. `None`:
    /// the agent is not on sale here, or has more ways than there are bits.
    pub(super) fn open_ways(&self, card: &Card) -> Option<u64> {
        let ways = self.ways.get(card.slug).filter(|ways| ways.len() <= 64)?;
        Some(ways.iter().rev().fold(0, |bits, way| (bits << 1) | u64::from(self.is_open(way))))
    }

    fn ways(&self, card: &Card) -> Cow<'_, [Way]> {
        self.ways.get(card.slug).map_or_else(|| ways(&self.chains, card).into(), Cow::from)
    }

    /// Is it offered now? Everything that opens or closes a way to pay while we run is asked here, at each 402.
    fn is_open(&self, way: &Way) -> bool {
        let Some(network) = self.chains.get(way.chain).map(Chain::network) else { return false };
        let asset = &way.price.asset;
        let is_settled = match (way.method, asset.token.and_then(|token| network.token(token))) {
            (None, _) => !self.is_coin_closed(&network.id),
            (Some(method), Some(token)) => self.settles(asset, token, method),
            (Some(_), None) => false,
        };
        is_settled && !self.is_halted(&network.id)
    }

    /// `None`: no such token on this network.
    fn offer(&self, card: &Card, way: &Way, now_ms: i64, credit: Option<&Money>) -> Option<Offer> {
        let (chain, price) = (self.chains.get(way.chain)?, &way.price);
        let token = || price.asset.token.and_then(|token| chain.network().token(token));
        let holds = now_ms..now_ms.saturating_add(self.offer_ttl_ms);
        let ttl_s = u64::try_from(self.offer_ttl_ms / 1000).unwrap_or(1).max(1);
        // It is settled after the work, so it has to hold for that long.
        let signed_s = ttl_s.max(settled_within_s(card));
        let (method, amount, max_timeout_s) = match way.method {
            None => {
                let have = credit.filter(|credit| credit.asset == price.asset).map_or(Amount::ZERO, |credit| credit.amount);
                let rest = price.amount.minus(have).filter(|rest| !rest.is_zero()).unwrap_or(price.amount);
                (Method::TransactionProof { finality: finality(chain) }, rest, ttl_s)
            }
            Some(authorization::Method::Eip3009) => (Method::Eip3009(token()?), price.amount, signed_s),
            Some(authorization::Method::Permit2) => (Method::Permit2(token()?), price.amount, signed_s),
        };
        let (agent, pay_to) = (card.slug, self.pay_to);
        Some(self.seal.offer(&Ask { agent, price, amount, pay_to, method, holds, max_timeout_s }))
    }

    /// What a 402 says of an agent to those who list it (`x402::bazaar`).
    pub fn bazaar(&self, card: &Card) -> Option<&Value> {
        self.bazaar.get(card.slug)
    }

    /// What a payment for an agent buys, as its facilitator is told: whichever way it was called, it can be called like that. `None`: it is not on
    /// sale here.
    pub fn bought(&self, slug: &str) -> Option<Bought> {
        let card = self.agent(slug)?.card;
        let bazaar = self.bazaar(card).map(|bazaar| (BAZAAR.to_owned(), bazaar.clone()));
        Some(Bought { resource: self.resource(card), extensions: bazaar.into_iter().collect() })
    }

    /// How an amount in the books is shown. `None`: an asset of a network that this shop does not know any more.
    pub fn money(&self, asset: &Asset, amount: Amount) -> Option<Money> {
        self.chain(&asset.network)?.network().money(asset, amount)
    }

    /// A row as its payer sees it.
    pub fn view(&self, run: &Run) -> RunView {
        let network = self.chain(&run.network).map(|chain| chain.network());
        let transaction = run.transaction;
        let json = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        RunView {
            id: run.id.clone(),
            agent: run.agent.clone(),
            agent_name: self.agent(&run.agent).map_or_else(|| run.agent.clone(), |agent| agent.card.name.to_owned()),
            version: run.version.clone(),
            state: run.state,
            payer: run.payer,
            price: run.price.as_ref().and_then(|(asset, amount)| self.money(asset, *amount)),
            network: run.network.clone(),
            pay_to: run.pay_to,
            transaction,
            transaction_url: transaction.and_then(|hash| network?.transaction_url(hash)),
            authorized: run.authorization.is_some(),
            block: run.deposit_block,
            created_at_ms: run.created_ms,
            held_at_ms: run.held_ms,
            finished_at_ms: run.finished_ms,
            attempts: run.attempts,
            input: json(&run.input),
            input_sha256: run.input_sha256.clone(),
            output: json(&run.output),
            output_sha256: run.output_sha256.clone(),
            engine: run.engine.clone(),
            error: run.error.clone(),
            progress: Progress::default(),
        }
    }

    /// The same, with how far its work is. What an attempt of before said is not told while the next one waits for a worker.
    pub fn view_with(&self, run: &Run, progress: Progress) -> RunView {
        let begun = run.state == RunState::Running || run.state.ended();
        RunView { progress: if begun { progress } else { Progress::default() }, ..self.view(run) }
    }

    /// What an agent is as an x402 resource.
    pub fn resource(&self, card: &Card) -> Resource {
        Resource {
            url: format!("{}{}", self.public_url, card.endpoint()),
            description: Some(card.summary.to_owned()),
            mime_type: Some("application/json".to_owned()),
        }
    }

    /// Says that a run changed.
    pub fn ring(&self, run: &str) {
        // Nobody waits: that is fine.
        let _ = self.changed.send(run.to_owned());
    }

    pub fn changes(&self) -> broadcast::Receiver<String> {
        self.changed.subscribe()
    }

    pub fn set_halted(&self, network: &str) {
        if let Ok(mut halted) = self.halted.write() {
            halted.insert(network.to_owned());
        }
    }

    /// The halt was taken back.
    pub fn set_open(&self, network: &str) {
        if let Ok(mut halted) = self.halted.write() {
            halted.remove(network);
        }
    }

    /// Does what this chain says count? It was met, and is not halted.
    pub fn is_believed(&self, network: &str) -> bool {
        !self.is_halted(network) && !self.unmet.has(network)
    }

    /// Where visitors pay to, and then where they paid to before: an offer of before a move is still paid.
    pub fn recipients(&self) -> Vec<Address> {
        let former = self.former.read().map(|former| former.clone()).unwrap_or_default();
        std::iter::once(self.pay_to).chain(former).collect()
    }

    /// As the books know them; `pay_to` may be among them.
    pub fn set_recipients(&self, mut known: Vec<Address>) {
        known.retain(|address| *address != self.pay_to);
        if let Ok(mut former) = self.former.write() {
            *former = known;
        }
    }

    /// A token is what the settings say it is: it is offered from now on.
    pub fn take_token(&self, asset: Asset) {
        if let Ok(mut taken) = self.taken.write() {
            taken.insert(asset);
        }
    }

    fn takes(&self, asset: &Asset) -> bool {
        self.taken.read().is_ok_and(|taken| taken.contains(asset))
    }

    /// Can somebody settle this token in this way now?
    fn settles(&self, asset: &Asset, token: &Token, method: authorization::Method) -> bool {
        self.takes(asset) && self.facilitator(&asset.network).is_some_and(|facilitator| facilitator.supports(token, method))
    }

    /// Payments on this network wait for an operator (design.md, "When is a payment final?").
    pub fn is_halted(&self, network: &str) -> bool {
        self.halted.read().is_ok_and(|halted| halted.contains(network))
    }

    /// Offers this network's coin, or does not. `true`: that is a change.
    pub fn set_coin_closed(&self, network: &str, closed: bool) -> bool {
        let Ok(mut all) = self.coin_closed.write() else { return false };
        if closed { all.insert(network.to_owned()) } else { all.remove(network) }
    }

    /// Is this network's coin not offered, whatever else is?
    pub fn is_coin_closed(&self, network: &str) -> bool {
        self.coin_closed.read().is_ok_and(|closed| closed.contains(network))
    }

    /// `host` or `host:port` of the public address: what a sign-in is made for.
    pub fn domain(&self) -> &str {
        self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, host)| host)
    }

    /// Only over TLS does a cookie say `Secure`: a browser would drop it elsewhere.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// A way to pay for an agent, whether or not it is open now.
#[derive(Clone, Debug)]
struct Way {
    /// Its place among the desk's chains.
    chain: usize,
    price: Money,
    /// `None`: the network's coin, already sent.
    method: Option<authorization::Method>,
}

/// In the order in which they are offered.
fn ways(chains: &[Chain], card: &Card) -> Vec<Way> {
    let mut ways = Vec::new();
    for method in [Some(authorization::Method::Eip3009), Some(authorization::Method::Permit2), None] {
        for (chain, network) in chains.iter().map(Chain::network).enumerate() {
            // A price that does not parse stops the start (`server::open`), so what is left out is a price in another network's asset.
            let prices = card.price.iter().filter_map(|text| network.price(text).ok().flatten());
            let prices = prices.filter(|price| price.asset.token.is_some() == method.is_some());
            ways.extend(prices.map(|price| Way { chain, price, method }));
        }
    }
    ways
}

/// Until what is away is looked for again.
const AWAY_MS: u64 = 10_000;

fn away(card: &Card, why: &str) -> CallError {
    let sentence = format!("{} is not available right now: {why}. Nothing was charged.", card.name);
    CallError::saying(Code::AgentUnavailable, sentence).after_ms(AWAY_MS)
}

/// A payment could not be written down: nobody must be asked for one. Why is the operator's affair, and in the log.
fn unwritable() -> CallError {
    let sentence =
        "The shop cannot write to its books right now, so it sells nothing. Nothing was charged; try again in a moment.";
    CallError::saying(Code::AgentUnavailable, sentence).after_ms(AWAY_MS)
}

/// From the moment an authorization is taken to the end of its settlement, in seconds: the work, and a minute for the chain.
pub fn settled_within_s(card: &Card) -> u64 {
    card.time_limit.as_secs() + 60
}

fn finality(chain: &Chain) -> String {
    match &chain.settings().finality {
        Finality::Tag(tag) => tag.clone(),
        Finality::Confirmations(blocks) => format!("{blocks} confirmations"),
    }
}

/// How far apart two honest clocks may be: ours and a chain's, or those of two instances. A machine whose time is set by hand is off by a minute or two;
/// `coinslot check` says so. What it lets through is the payer's own in any case: their payment of two minutes before, their own sign-in.
pub const CLOCK_SLACK_MS: i64 = 2 * 60 * 1000;

/// Unix milliseconds, now. The only clock of the server's side.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
