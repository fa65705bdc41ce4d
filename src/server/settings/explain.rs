//! The words of `--help`: Leptos.toml itself, so that what is explained is what is read.

use std::fmt::Write;

use super::sources::{DEFAULTS, MODEL_NETWORK, MODEL_TOKEN, variable};

/// Every setting: its variable, its default, and the prose above it in `Leptos.toml`.
pub fn explained() -> String {
    let mut text = String::from(
        "Settings: Leptos.toml (compiled in), then the file given with --config (the same tables), then the environment, then --addr and \
         --data. In a file, a setting is the lower-case name under [coinslot].\n",
    );
    let mut prose = String::new();
    let mut table = None;
    let network = format!(".network.{MODEL_NETWORK}");
    let token = format!("{network}.token.{MODEL_TOKEN}");
    for line in DEFAULTS.lines() {
        if let Some(words) = line.strip_prefix('#') {
            prose.push_str(words);
        } else if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            prose.clear();
            table = match name.strip_prefix("coinslot") {
                Some("") => Some(String::new()),
                Some(table) if table == network || table == token => Some(format!("{}.", &table[1..])),
                _ => None,
            };
        } else if let (Some((key, default)), Some(table)) = (line.split_once(" = "), &table) {
            let default = if default == "\"\"" { "not set" } else { default };
            // A key without prose is explained together with the one above it.
            let _ = writeln!(text, "\n{} (default: {default})", variable(&format!("{table}{key}")));
            if !prose.is_empty() {
                let _ = writeln!(text, "    {}", prose.trim());
            }
            prose.clear();
        } else {
            prose.clear();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_explained() {
        let text = explained();
        for name in [
            "COINSLOT_PAY_TO (default: not set)",
            "COINSLOT_WORKERS (default: 4)",
            "COINSLOT_NETWORK__MONAD_TESTNET__RPC_URLS",
            "COINSLOT_OPERATOR_KEY_FILE (default: not set)",
            "COINSLOT_MODEL_URL (default: not set)",
            "COINSLOT_MODEL_TIMEOUT_S (default: 60)",
            "COINSLOT_NETWORK__MONAD_TESTNET__FACILITATOR_URL (default: not set)",
            "COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__PERMIT2 (default: true)",
        ] {
            assert!(text.contains(name), "{name} in:\n{text}");
        }
        assert!(text.contains("Where to listen"), "the prose is there");
    }
}
