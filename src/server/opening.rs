//! From settings to a running shop, and its orderly end.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    assets::Site,
    clock,
    demo::DemoRoutes,
    limits::Doorkeeper,
    listen,
    meeting::{Failure, Meeting},
    router::router_at,
    settings::{Settings, WrongSettings, secret},
    tokens,
};
use crate::{
    chain::{Chain, ChainSettings, Unavailable},
    evm::Address,
    ledger::{Books, BooksError, writing::keep_trying},
    model::Model,
    money::BadAmount,
    pages::data::Demo,
    runs::{Agent, Pace, Streams, worker},
    x402::{
        arrivals,
        desk::{Desk, Fittings, now_ms},
        facilitator::BadKey,
        known_failure,
        offers::Seal,
    },
};

/// Between two times that useless rows are swept away.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);

/// Between two looks at a chain's clock that is far from ours.
const CLOCK_AGAIN: Duration = Duration::from_secs(3);

/// For each node to say which chain it is of, at the start.
const MEET_TIME: Duration = Duration::from_secs(5);

/// The start says that the shop is open after so long at the latest, whether the networks have answered or not.
const MET_TIME_MAX: Duration = Duration::from_secs(5);

/// Why there is no shop: a sentence for the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    #[error("{0}")]
    Settings(#[from] WrongSettings),
    #[error("{data} cannot be used as the data directory: {cause}", data = .0.display(), cause = .1)]
    Data(PathBuf, #[source] io::Error),
    #[error("{0} cannot be listened on ({1}): choose another address with --addr or COINSLOT_ADDR")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("the books cannot be opened: {0}{cause}", cause = cause_of(.0))]
    Books(#[from] BooksError),
    #[error("these books were made by `coinslot {0}`, with that chain's money: use another --data or database_url")]
    OtherKind(&'static str),
    #[error("the RPC of {network} says its chain id is {found}: correct its rpc_urls or chain_id")]
    WrongChain { network: String, found: u64 },
    #[error(
        "the chain of {network} is not the one these books know: its first block is another. Its deposits are gone with it; \
         restore the chain, or use another --data or database_url"
    )]
    ChainGone { network: String },
    #[error("the price {price:?} of {agent} cannot be read: {cause}")]
    BadPrice { agent: &'static str, price: &'static str, cause: BadAmount },
    #[error("{agent} has no price in a coin of the networks that are sold on: add one to its card, or a network to `networks`")]
    NoPrice { agent: &'static str },
    #[error("the operator key settles nothing: {0}")]
    OperatorKey(#[from] BadKey),
    #[error("{0}")]
    Demo(#[from] super::demo::CannotDemo),
    #[error("this binary was built without its page: build it with `make build`")]
    NoPage,
}

fn cause_of(error: &BooksError) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// Play money and money never share a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Serve,
    Demo,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Demo => "demo",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Serve => Self::Demo,
            Self::Demo => Self::Serve,
        }
    }
}

/// Everything a shop is made of.
pub struct Opening {
    pub settings: Settings,
    pub kind: Kind,
    pub listener: TcpListener,
    pub networks: Vec<ChainSettings>,
    pub pay_to: Address,
    pub agents: Vec<Agent>,
    pub site: Site,
    pub demo: Option<(Demo, DemoRoutes)>,
}

/// Listens where the settings say.
///
/// # Errors
/// The address is taken or not ours.
pub async fn bind(settings: &Settings) -> Result<TcpListener, CannotOpen> {
    TcpListener::bind(settings.addr).await.map_err(|cause| CannotOpen::Listen(settings.addr, cause))
}

/// Makes the data directory, for its owner's eyes only.
///
/// # Errors
/// It is no directory, or cannot be made.
pub fn make_data_directory(data: &Path) -> Result<(), CannotOpen> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data).map_err(|cause| CannotOpen::Data(data.to_owned(), cause))
}

/// Opens the shop and serves until `stop`: at once, while the networks are met beside it. Says that it is open in one line on stdout, once those that
/// answer are met.
///
/// # Errors
/// It cannot be opened, or a network that was away turns out to be another chain.
pub async fn run(opening: Opening, stop: CancellationToken) -> Result<(), CannotOpen> {
    let Opening { settings, kind, listener, networks, pay_to, agents, site, demo } = opening;
    if !site.is_complete() && !cfg!(debug_assertions) {
        return Err(CannotOpen::NoPage);
    }
    let bound = listener.local_addr().map_err(|cause| CannotOpen::Listen(settings.addr, cause))?;
    let public_url = settings.public_url_at(bound);
    make_data_directory(&settings.data)?;
    let secret = match settings.secret {
        Some(secret) => secret,
        None => secret::of(&settings.data).map_err(|cause| CannotOpen::Data(settings.data.clone(), cause))?,
    };
    let books = open_books(&settings, kind).await?;
    let chains: Vec<Chain> = networks.into_iter().map(Chain::new).collect();
    check_prices(&chains, &agents)?;

    let facilitators = tokens::facilitators(&settings, &chains)?;
    let desk = Desk::new(Fittings {
        books: books.clone(),
        seal: Seal::new(secret),
        chains,
        pay_to,
        public_url: public_url.clone(),
        agents,
        offer_ttl_ms: i64::try_from(settings.offer_ttl.as_millis()).unwrap_or(i64::MAX),
        facilitators,
        model: settings.model.clone().map(Model::new),
        streams: Streams::new(Pace::default(), stop.clone()),
    });
    let failure = Failure::default();
    let mut met = Vec::new();
    let mut tasks = Vec::new();
    for chain in &desk.chains {
        let (meeting, begun) = Meeting::of(desk.clone(), chain.clone(), failure.clone(), stop.clone());
        met.push(begun);
        tasks.push(tokio::spawn(meeting.go()));
    }
    tasks.push(worker::start(&desk, settings.workers, &stop));
    tasks.push(tokio::spawn(sweep(books.clone(), stop.clone())));
    known_failure::read(&desk).await;
    tasks.push(known_failure::start(&desk, &stop));
    tasks.push(tokio::spawn(keep_trying(books.clone(), now_ms, stop.clone())));

    let rules = listen::Rules::of(&settings);
    let doorkeeper = Doorkeeper::that_asks(settings.limits, settings.asked, settings.trusted_proxies);
    let router = router_at(desk, site, demo, doorkeeper, Some(bound));
    // Whoever asks is answered from now on, whatever the networks do: a network that hangs costs no health check, and no page.
    let serving = tokio::spawn(listen::listen_by(listener, router, rules, stop.clone()));
    // It is said a little later: what comes after that is a payment on every network that answers.
    let _ = timeout(MET_TIME_MAX, stop.run_until_cancelled(join_all(met))).await;
    if !stop.is_cancelled() {
        println!("Coinslot is open at {public_url}");
    }
    if let Err(cause) = serving.await {
        tracing::error!(%cause, "nobody listens any more");
    }

    stop.cancel();
    end(tasks).await;
    books.close().await;
    match failure.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Opens the books and makes sure that they are of this kind.
///
/// # Errors
/// The database is away, or they are of the other kind.
pub async fn open_books(settings: &Settings, kind: Kind) -> Result<Books, CannotOpen> {
    let url = settings.database().map_err(|cause| CannotOpen::Data(settings.data.clone(), cause))?;
    let books = Books::open(&url).await?;
    // Kept where the networks' first blocks are: what the books met first is what they are.
    let mark: String = Sha256::digest(kind.name()).iter().map(|byte| format!("{byte:02x}")).collect();
    if !books.meet_network("coinslot:kind", &mark).await? {
        return Err(CannotOpen::OtherKind(kind.other().name()));
    }
    Ok(books)
}

/// Is the network's chain the one that the settings and the books mean? All of its nodes are asked at once, for a few seconds each; one that is right is
/// enough. The inner error: nobody knows now.
///
/// # Errors
/// It is another chain, as all of its nodes say.
pub async fn meet(books: &Books, chain: &Chain) -> Result<Result<(), Unavailable>, CannotOpen> {
    meet_within(books, chain, chain.settings().timeout.min(MEET_TIME)).await
}

/// The same, for so long.
pub(super) async fn meet_within(books: &Books, chain: &Chain, time: Duration) -> Result<Result<(), Unavailable>, CannotOpen> {
    let network = chain.network();
    let (mut wrong, mut away) = (None, Vec::new());
    for said in chain.introduced(time).await {
        match said {
            Ok((found, _)) if found != network.chain_id => {
                wrong = Some(CannotOpen::WrongChain { network: network.name.clone(), found });
            }
            Ok((_, first)) => {
                let first: String = first.iter().map(|byte| format!("{byte:02x}")).collect();
                if books.meet_network(&network.id, &first).await? {
                    return Ok(Ok(()));
                }
                wrong = Some(CannotOpen::ChainGone { network: network.name.clone() });
            }
            Err(cause) => away.push(cause),
        }
    }
    match wrong {
        // One wrong node among others that do not answer is not the network.
        Some(wrong) if away.is_empty() => Err(wrong),
        wrong => {
            away.extend(wrong.map(|wrong| wrong.to_string()));
            let cause = if away.is_empty() { "no RPC URL is set".to_owned() } else { away.join("; ") };
            Ok(Err(Unavailable { network: network.name.clone(), cause }))
        }
    }
}

/// What there is at `payTo` before the shop says that it is open: what comes after that is a payment.
pub(super) async fn look_first(books: &Books, chain: &Chain, pay_to: Address) {
    let network = &chain.network().name;
    if let Err(cause) = books.note_recipient(pay_to).await {
        tracing::warn!(%cause, "the books do not keep where visitors pay to");
    }
    if let Err(cause) = arrivals::open(books, chain, pay_to).await {
        tracing::warn!("what {pay_to} has on {network} cannot be looked at yet: {cause}");
    }
    let chain = chain.clone();
    // It may take a while, and nobody has to wait for it.
    tokio::spawn(async move {
        if chain.tracing_nodes().await.iter().all(|(_, said)| said.is_err()) {
            tracing::warn!(
                "no node of {} traces: whose coin arrives inside somebody else's transaction cannot be told; set its trace_urls",
                chain.network().name
            );
        }
    });
}

/// A clock that is far from the chain's dates offers wrongly. Looked at twice: a node that was just started has an old block for its newest.
pub(super) async fn warn_of_clock(chain: Chain, stop: CancellationToken) {
    if !matches!(clock::beside(&chain).await, Ok(Err(_))) {
        return;
    }
    tokio::select! {
        () = stop.cancelled() => return,
        () = tokio::time::sleep(CLOCK_AGAIN) => {}
    }
    if let Ok(Err(trouble)) = clock::beside(&chain).await {
        tracing::warn!("{trouble}");
    }
}

/// Rows that time has made useless, every so often.
async fn sweep(books: Books, stop: CancellationToken) {
    loop {
        if let Err(cause) = books.sweep(now_ms()).await {
            tracing::error!(error = ?cause, "useless rows could not be swept away");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Every card has to have a price in a coin that is taken here, one that can be read.
fn check_prices(chains: &[Chain], agents: &[Agent]) -> Result<(), CannotOpen> {
    for card in agents.iter().map(|agent| agent.card) {
        let mut has_price = false;
        for network in chains.iter().map(Chain::network) {
            for &price in card.price {
                match network.price(price) {
                    Ok(money) => has_price |= money.is_some(),
                    Err(cause) => return Err(CannotOpen::BadPrice { agent: card.slug, price, cause }),
                }
            }
        }
        if !has_price {
            return Err(CannotOpen::NoPrice { agent: card.slug });
        }
    }
    Ok(())
}

/// Waits for what was started, within the same time that requests have.
async fn end(mut tasks: Vec<JoinHandle<()>>) {
    let all = async {
        for task in &mut tasks {
            let _ = task.await;
        }
    };
    if tokio::time::timeout(listen::CLOSING_TIME, all).await.is_err() {
        tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Ends at the first SIGINT or SIGTERM.
pub fn stop_on_signals() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let interrupted = tokio::signal::ctrl_c();
        #[cfg(unix)]
        let terminated = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminated = std::future::pending::<()>();
        tokio::select! {
            _ = interrupted => {}
            () = terminated => {}
        }
        told.cancel();
    });
    stop
}
