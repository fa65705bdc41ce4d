//! The binary's outside: settings, router, assets, headers, limits, commands, the demo. It knows everything else; nothing knows it.
//!
//! - `settings`: Leptos.toml → `--config` → `COINSLOT_…` → flags; what is wrong stops the start with a sentence.
//! - `opening`: from settings to a running shop, and its end. `meeting`: its networks, one by one, beside it. `listen`: connections, bounded in number and time.
//! - `tokens`: which tokens are taken. `clock`: our clock beside the chains'.
//! - `api`: the plain routes beside the server functions. `events`: how far a run is, as it happens.
//! - `mcp`: the agents as tools of a model.
//! - `router`: what answers which path, and the layers around it. `front`: plain calls without a payment, which need none of them.
//! - `discovery`: what programs read of the shop: cards as JSON, OpenAPI, llms.txt, `/.well-known/x402`.
//! - `assets`: the site, from inside the binary. `cors`, `headers`, `limits`, `same_site`, `health`: one layer or route each.
//! - `one_name`: a page that was opened under another name than the shop's.
//! - `network_state`: what `/readyz` says of a network.
//! - `check`, `books`, `credit`, `resume`, `new_agent`: the commands of the same names. `demo`: a local chain, a wallet and a faucet, for `coinslot demo` alone.

pub mod api;
pub mod assets;
pub mod books;
pub mod check;
pub mod clock;
pub mod cors;
pub mod credit;
pub mod demo;
pub mod discovery;
pub mod events;
pub mod front;
pub mod headers;
pub mod health;
pub mod limits;
pub mod listen;
pub mod logging;
pub mod mcp;
pub mod meeting;
pub mod network_state;
pub mod new_agent;
pub mod one_name;
pub mod opening;
pub mod recipient;
pub mod resume;
pub mod router;
pub mod same_site;
pub mod settings;
pub mod tokens;
