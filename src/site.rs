//! The site that the build left in `target/site`, inside the binary. Here and not in the library, so that another site
//! compiles this one file and links.

use coinslot::server::assets::Site;

#[derive(rust_embed::RustEmbed)]
#[folder = "target/site"]
#[allow_missing = true] // `cargo check` on a fresh clone; a release without its page does not open
struct Embedded;

/// What the site was when this was compiled: cargo builds this file again when `make build` says that it is another one.
const _: Option<&str> = option_env!("COINSLOT_SITE");

/// The embedded site; under `cargo leptos watch`, what is in its directory now.
pub fn site() -> Site {
    if cfg!(debug_assertions)
        && std::env::var_os("LEPTOS_WATCH").is_some()
        && let Some(root) = std::env::var_os("LEPTOS_SITE_ROOT")
    {
        return Site::directory(root.into());
    }
    Site::new(Embedded::iter().filter_map(|path| Some((path.to_string(), Embedded::get(&path)?.data))))
}
