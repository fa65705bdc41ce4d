//! What a deployment can change: read once, checked whole, before anything starts.
//!
//! Layers: `Leptos.toml` (compiled in) → `--config` → `COINSLOT_…` → `--addr`, `--data`. Everything that is wrong is told at once, each with
//! its name, its value (secrets aside) and what is allowed.
//!
//! - `sources`: the layers. `network`: the tables of the networks, `token`: those of their tokens.
//! - `secret`: the key that is made once. `operator`: the key that settles. `model`: the language model. `explain`: the words of `--help`.

pub mod explain;
mod model;
mod network;
mod operator;
pub mod secret;
pub mod sources;
mod token;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use explain::explained;
pub use operator::OperatorKey;
pub use sources::{Sources, Wrong};

use crate::{
    card::Need,
    chain::ChainSettings,
    evm::Address,
    model::ModelSettings,
    money::Amount,
    server::limits::{AddressRange, Asked, Limits, Quota},
};
use network::Networks;
use sources::Layers;
use url::Url;

#[derive(Clone)]
pub struct Settings {
    pub addr: SocketAddr,
    pub data: PathBuf,
    /// Without a trailing slash. `None`: `http://` and the address that is listened on, loopback.
    pub public_url: Option<String>,
    /// `None`: not set; `serve` refuses that.
    pub pay_to: Option<Address>,
    /// `None`: SQLite in `data`. May hold a password.
    pub database_url: Option<String>,
    /// `None`: made once and kept in `data`.
    pub secret: Option<[u8; 32]>,
    /// In the order of preference; never empty. With every token that has a table, settled or not: see [`Settings::sold_on`].
    pub networks: Vec<ChainSettings>,
    /// Who settles, by the network's id: the URL ends with a slash. It may hold a key.
    pub facilitator_urls: BTreeMap<String, Url>,
    /// The highest price of gas, in wei, that a settlement is signed for, by the network's id.
    pub gas_prices_max: BTreeMap<String, Amount>,
    /// Settles on the networks that have no facilitator.
    pub operator_key: Option<OperatorKey>,
    /// Where the operator's key was read from, if from a file.
    pub operator_key_file: Option<PathBuf>,
    /// `None`: this shop has no language model; its agents compute.
    pub model: Option<ModelSettings>,
    /// Where the model's key was read from, if from a file.
    pub model_key_file: Option<PathBuf>,
    pub offer_ttl: Duration,
    /// Runs that are worked on at the same time.
    pub workers: usize,
    pub trusted_proxies: Vec<AddressRange>,
    /// How long a connection is kept open for its next request.
    pub keep_alive: Duration,
    /// Connections of one address at the same time. `None`: as many as there are in all.
    pub connections_per_address: Option<usize>,
    pub limits: Limits,
    /// What nodes are asked before anybody has paid.
    pub asked: Asked,
    pub log_format: LogFormat,
    /// `None`: what the command thinks best.
    pub log_level: Option<String>,
}

/// Who turns a signed authorization into a transfer on chain.
#[derive(Clone, Debug)]
pub enum Settler<'s> {
    /// Somebody else, by HTTP; pays the gas.
    Facilitator(&'s Url),
    /// This shop, with a key of its own.
    Operator(&'s OperatorKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Everything that is wrong, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSettings(pub Vec<Wrong>);

impl WrongSettings {
    pub fn one(sentence: String) -> Self {
        Self(vec![Wrong(sentence)])
    }
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, wrong) in self.0.iter().enumerate() {
            write!(f, "{}{wrong}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for WrongSettings {}

impl Settings {
    /// # Errors
    /// All that is wrong, not only the first of it.
    pub fn read(sources: &Sources) -> Result<Self, WrongSettings> {
        let mut layers = Layers::read(sources);
        let settings = Self::take(&mut layers);
        match settings {
            Some(settings) if layers.wrong.is_empty() => Ok(settings),
            _ => Err(WrongSettings(layers.wrong)),
        }
    }

    /// What `serve` needs beyond what every command needs.
    ///
    /// # Errors
    /// No `pay_to`.
    pub fn pay_to_or_refuse(&self) -> Result<Address, WrongSettings> {
        self.pay_to.ok_or_else(|| {
            let sentence =
                "COINSLOT_PAY_TO is not set: expected the address that visitors pay to, one that is used for nothing else";
            WrongSettings::one(sentence.to_owned())
        })
    }

    /// Who settles tokens on the network with this id: its facilitator, before the operator's key. `None`: nobody, so none is sold for.
    pub fn settler(&self, network: &str) -> Option<Settler<'_>> {
        match self.facilitator_urls.get(network) {
            Some(url) => Some(Settler::Facilitator(url)),
            None => self.operator_key.as_ref().map(Settler::Operator),
        }
    }

    /// The networks as a shop sells on them: without the tokens that nobody settles.
    pub fn sold_on(&self) -> Vec<ChainSettings> {
        let mut networks = self.networks.clone();
        for chain in &mut networks {
            if self.settler(&chain.network.id).is_none() {
                chain.network.tokens.clear();
            }
        }
        networks
    }

    /// Does a shop with these settings have what a card needs?
    pub fn have(&self, needs: &[Need]) -> bool {
        needs.iter().all(|need| match need {
            Need::Model => self.model.is_some(),
        })
    }

    /// Scheme, host and port, when `bound` is what is listened on.
    pub fn public_url_at(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{bound}"))
    }

    /// Where the books are; the data directory made absolute, so that the working directory does not matter later.
    ///
    /// # Errors
    /// The working directory is gone, or the path is not one that a URL can carry.
    pub fn database(&self) -> std::io::Result<String> {
        match &self.database_url {
            Some(url) => Ok(url.clone()),
            None => sqlite_url(&self.database_file()?),
        }
    }

    /// The SQLite file that is used where no `database_url` is set.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn database_file(&self) -> std::io::Result<PathBuf> {
        std::path::absolute(self.data.join("coinslot.db"))
    }

    fn take(layers: &mut Layers) -> Option<Self> {
        // Each is taken before any `?`, so that all that is wrong is told.
        let addr = layers.take("addr", "IP:PORT, such as 127.0.0.1:4020", |raw| read_addr(raw.text()?));
        let data = layers.take("data", "a directory's path", |raw| raw.text().filter(|path| !path.is_empty()).map(PathBuf::from));
        let public_url = layers.take(
            "public_url",
            "scheme, host and port without a path, such as https://shop.example (http only on loopback)",
            |raw| optional(raw.text()?, read_public_url),
        );
        let pay_to = layers.take("pay_to", ADDRESS, |raw| optional(raw.text()?, read_address));
        let database_url =
            layers.take("database_url", "sqlite:///path/to/coinslot.db or postgres://user:password@host/database", |raw| {
                optional(raw.text()?, read_database_url)
            });
        let secret =
            layers.take("secret", "64 hexadecimal digits (openssl rand -hex 32)", |raw| optional(raw.text()?, secret::parse));
        let networks = network::take(layers);
        let operator_key = layers.take("operator_key", operator::KEY, |raw| optional(raw.text()?, OperatorKey::parse));
        let operator_key_file = layers.take("operator_key_file", "a file's path", |raw| raw.text().map(str::to_owned));
        let model = model::take(layers);
        let offer_ttl_s = layers.take("offer_ttl_s", "whole seconds, 30 to 86400", |raw| raw.number(30..=86_400));
        let workers = layers.take("workers", "a whole number, 1 to 256", |raw| raw.number(1..=256));
        let trusted_proxies = layers.take("trusted_proxies", "addresses or ranges, such as 10.0.0.0/8", |raw| {
            raw.list()?.iter().map(|range| range.parse().ok()).collect::<Option<Vec<_>>>()
        });
        let keep_alive_s = layers.take("keep_alive_s", "whole seconds, 1 to 3600", |raw| raw.number(1..=3600));
        let connections =
            layers.take("connections_per_address", "a whole number, 0 (no limit) to 100000", |raw| raw.number(0..=100_000));
        let limits = take_limits(layers);
        let asked = take_asked(layers, limits.as_ref());
        let log_format = layers.take("log_format", "text or json", |raw| match raw.text()? {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let log_level = layers.take("log_level", "error, warn, info, debug, trace, or tracing directives", |raw| {
            optional(raw.text()?, |text| tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned()))
        });

        if let (Some(addr), Some(None)) = (addr, &public_url)
            && !addr.ip().is_loopback()
        {
            layers.refuse(
                "public_url",
                &format!("how visitors reach the shop, such as https://shop.example, because it listens on {addr}"),
            );
        }
        if let (Some(Some(url)), Some(None)) = (&database_url, &secret)
            && url.starts_with("postgres")
        {
            layers.refuse("secret", "64 hexadecimal digits, the same for every instance, because the database is PostgreSQL");
        }

        let operator_key_file = operator_key_file.filter(|file| !file.is_empty()).map(PathBuf::from);
        let operator_key = match (operator_key, &operator_key_file) {
            (Some(Some(_)), Some(_)) => {
                layers.refuse("operator_key_file", "nothing, because operator_key is set");
                None
            }
            (Some(None), Some(file)) => match OperatorKey::read(file) {
                Ok(key) => Some(Some(key)),
                Err(cause) => {
                    layers.refuse("operator_key_file", &format!("a file that holds {} ({cause})", operator::KEY));
                    None
                }
            },
            (given, _) => given,
        };
        if let (Some(Some(pay_to)), Some(Some(key))) = (pay_to, &operator_key)
            && pay_to == key.address()
        {
            layers.refuse(
                "pay_to",
                "another address than the operator key's: coins that it is sent for gas would be booked as payments",
            );
        }

        let Networks { chains: networks, facilitators: facilitator_urls, gas_prices_max } = networks?;
        let (model, model_key_file) = model?;
        Some(Self {
            addr: addr?,
            data: data?,
            public_url: public_url?,
            pay_to: pay_to?,
            database_url: database_url?,
            secret: secret?,
            networks,
            facilitator_urls,
            gas_prices_max,
            operator_key: operator_key?,
            operator_key_file,
            model,
            model_key_file,
            offer_ttl: Duration::from_secs(offer_ttl_s?),
            workers: usize::try_from(workers?).ok()?,
            trusted_proxies: trusted_proxies?,
            keep_alive: Duration::from_secs(keep_alive_s?),
            connections_per_address: usize::try_from(connections?).ok().filter(|most| *most > 0),
            limits: limits?,
            asked: asked?,
            log_format: log_format?,
            log_level: log_level?,
        })
    }
}

const RATE: &str = "a whole number, 0 (no limit) to 100000";
const BURST: &str = "a whole number, 1 to 100000";

/// Where the requests of one address have no limit, neither has what nodes are asked for it.
fn take_asked(layers: &mut Layers, limits: Option<&Limits>) -> Option<Asked> {
    let mut number =
        |key, allowed, bounds| layers.take(key, allowed, |raw| raw.number(bounds)).and_then(|n| u32::try_from(n).ok());
    let each = (number("limit_verify_per_s", RATE, 0..=100_000), number("limit_verify_burst", BURST, 1..=100_000));
    let all = (number("limit_verify_all_per_s", RATE, 0..=100_000), number("limit_verify_all_burst", BURST, 1..=100_000));
    let (each, all) = (Quota::per_second(each.0?, each.1?), Quota::per_second(all.0?, all.1?));
    let has_none = limits.is_some_and(|limits| limits.api == Quota::NONE);
    Some(Asked { each: if has_none { Quota::NONE } else { each }, all })
}

fn take_limits(layers: &mut Layers) -> Option<Limits> {
    let mut number =
        |key, allowed, bounds| layers.take(key, allowed, |raw| raw.number(bounds)).and_then(|n| u32::try_from(n).ok());
    let pages = (number("limit_pages_per_s", RATE, 0..=100_000), number("limit_pages_burst", BURST, 1..=100_000));
    let api = (number("limit_api_per_s", RATE, 0..=100_000), number("limit_api_burst", BURST, 1..=100_000));
    let sign_in = (number("limit_sign_in_per_min", RATE, 0..=100_000), number("limit_sign_in_burst", BURST, 1..=100_000));
    Some(Limits {
        pages: Quota::per_second(pages.0?, pages.1?),
        api: Quota::per_second(api.0?, api.1?),
        sign_in: Quota::per_minute(sign_in.0?, sign_in.1?),
    })
}

/// An empty text is "not set", which is fine: `Some(None)`.
fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

const ADDRESS: &str =
    "an address, 0x and 40 hexadecimal digits, not the zero address; in mixed case its EIP-55 checksum has to be right";

/// A typing error in it would send payments into the void: so a checksum that is there is checked.
fn read_address(text: &str) -> Option<Address> {
    let address: Address = text.parse().ok()?;
    let digits = &text[2..];
    let mixed = digits.bytes().any(|b| b.is_ascii_lowercase()) && digits.bytes().any(|b| b.is_ascii_uppercase());
    let right = !mixed || alloy::primitives::Address::parse_checksummed(text, None).is_ok();
    (right && address != Address([0; 20])).then_some(address)
}

fn read_addr(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        None => text.parse().ok(),
    }
}

fn read_public_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (bare && url.password().is_none() && safe).then(|| url.origin().ascii_serialization())
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn read_database_url(text: &str) -> Option<String> {
    let kind = text.split_once(':')?.0;
    matches!(kind, "sqlite" | "postgres" | "postgresql").then(|| text.to_owned())
}

/// `sqlite:///…`, with what a path may hold and a URL may not escaped.
fn sqlite_url(file: &std::path::Path) -> std::io::Result<String> {
    let url = url::Url::from_file_path(file)
        .map_err(|()| std::io::Error::other(format!("{} cannot be written as a URL", file.display())))?;
    Ok(format!("sqlite{}", &url.as_str()["file".len()..]))
}
