//! What the server's side of the protocol works with. One per process, cheap to clone, in the context of every server function.

use std::{
    collections::{HashMap, HashSet},
    ops::Deref,
    sync::{Arc, RwLock},
};

use serde_json::Value;
use tokio::sync::{Notify, Semaphore, broadcast};

use super::{
    authorization,
    bazaar::bazaar,
    early,
    facilitator::Facilitator,
    looks::Looks,
    offers::{Ask, Method, Seal},
    signer::Asking,
    wire::{self, Offer, Resource},
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
    /// Where visitors paid to before, as far as the books know; the books have the truth.
    former: RwLock<Vec<Address>>,
    /// The tokens that were found to be what the settings say (`server::tokens`). Others are not offered.
    taken: RwLock<HashSet<Asset>>,
    /// Requests that wait until their payment begins to hold.
    pub(super) early: Semaphore,
    /// Contract wallets that the chains are asked about.
    pub(super) asking: Asking,
}

/// Runs that change at once before a waiting request looks; one that missed some looks anyway.
const CHANGES: usize = 1024;

impl Desk {
    pub fn new(mut fittings: Fittings) -> Self {
        let all = std::mem::take(&mut fittings.agents);
        fittings.agents = all.into_iter().filter(|agent| agent.card.needs.iter().all(|need| fittings.have(*need))).collect();
        Self(Arc::new(Counter {
            bazaar: fittings.agents.iter().map(|agent| (agent.card.slug, bazaar(agent))).collect(),
            fittings,
            held: Notify::new(),
            waiting: Arc::default(),
            looks: Looks::default(),
            changed: broadcast::channel(CHANGES).0,
            halted: RwLock::default(),
            former: RwLock::default(),
            taken: RwLock::default(),
            early: Semaphore::new(early::WAITING_MAX),
            asking: Asking::default(),
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
        let open: Vec<_> = self.chains.iter().filter(|chain| !self.is_halted(&chain.network().id)).collect();
        let mut offers = Vec::new();
        for kind in [wire::EIP3009, wire::PERMIT2, wire::TRANSACTION_PROOF] {
            for chain in &open {
                let network = chain.network();
                for price in card.price.iter().filter_map(|text| network.price(text).ok().flatten()) {
                    let method = match price.asset.token.and_then(|token| network.token(token)) {
                        Some(token)
                            if kind == wire::EIP3009 && self.settles(&price.asset, token, authorization::Method::Eip3009) =>
                        {
                            Method::Eip3009(token)
                        }
                        Some(token)
                            if kind == wire::PERMIT2 && self.settles(&price.asset, token, authorization::Method::Permit2) =>
                        {
                            Method::Permit2(token)
                        }
                        None if kind == wire::TRANSACTION_PROOF => Method::TransactionProof { finality: finality(chain) },
                        _ => continue,
                    };
                    offers.push(self.offer(card, &price, &method, now_ms, credit));
                }
            }
        }
        offers
    }

    fn offer(&self, card: &Card, price: &Money, method: &Method, now_ms: i64, credit: Option<&Money>) -> Offer {
        let holds = now_ms..now_ms.saturating_add(self.offer_ttl_ms);
        let ttl_s = u64::try_from(self.offer_ttl_ms / 1000).unwrap_or(1).max(1);
        let (amount, max_timeout_s) = match method {
            Method::TransactionProof { .. } => {
                let have = credit.filter(|credit| credit.asset == price.asset).map_or(Amount::ZERO, |credit| credit.amount);
                (price.amount.minus(have).filter(|rest| !rest.is_zero()).unwrap_or(price.amount), ttl_s)
            }
            // It is settled after the work, so it has to hold for that long.
            Method::Eip3009(_) | Method::Permit2(_) => (price.amount, ttl_s.max(settled_within_s(card))),
        };
        let (agent, pay_to, method) = (card.slug, self.pay_to, method.clone());
        self.seal.offer(&Ask { agent, price, amount, pay_to, method, holds, max_timeout_s })
    }

    /// What a 402 says of an agent to those who list it (`x402::bazaar`).
    pub fn bazaar(&self, card: &Card) -> Option<&Value> {
        self.bazaar.get(card.slug)
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

    /// `host` or `host:port` of the public address: what a sign-in is made for.
    pub fn domain(&self) -> &str {
        self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, host)| host)
    }

    /// Only over TLS does a cookie say `Secure`: a browser would drop it elsewhere.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// Until what is away is looked for again.
const AWAY_MS: u64 = 10_000;

fn away(card: &Card, why: &str) -> CallError {
    let sentence = format!("{} is not available right now: {why}. Nothing was charged.", card.name);
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
