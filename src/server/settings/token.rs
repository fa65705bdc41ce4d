//! The tables `[coinslot.network.<name>.token.<symbol>]`.

use super::{ADDRESS, network::word, read_address, sources::Layers};
use crate::network::Token;

/// The tokens of a network, in the order of their names. One that is taken by neither method is switched off and left out.
pub fn take(layers: &mut Layers, network: &str, coin: Option<&str>) -> Option<Vec<Token>> {
    let names = layers.tables(&format!("network.{network}.token"));
    let tokens: Vec<Option<Token>> =
        names.iter().map(|name| one(layers, &format!("network.{network}.token.{name}"), name, coin)).collect();
    let tokens = tokens.into_iter().collect::<Option<Vec<_>>>()?;
    for (n, token) in tokens.iter().enumerate() {
        if tokens[..n].iter().any(|other| other.address == token.address) {
            let key = format!("network.{network}.token.{}.address", token.symbol.to_lowercase());
            layers.refuse(&key, "another address than the tokens before it have");
            return None;
        }
    }
    Some(tokens.into_iter().filter(|token| token.eip3009 || token.permit2).collect())
}

fn one(layers: &mut Layers, table: &str, name: &str, coin: Option<&str>) -> Option<Token> {
    let key = |key: &str| format!("{table}.{key}");
    let is_word = (1..=11).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let symbol = name.to_uppercase();
    if !is_word || coin.is_some_and(|coin| coin.to_uppercase() == symbol) {
        layers
            .refuse(table, "the token's symbol as the table's name, 1 to 11 lower-case letters or digits, not that of the coin");
        return None;
    }
    let address = layers.take(&key("address"), ADDRESS, |raw| read_address(raw.text()?));
    let title =
        layers.take(&key("name"), "the name in the token's EIP-712 domain, 1 to 64 characters", |raw| word(raw.text()?, 64));
    let version = layers
        .take(&key("version"), "the version in the token's EIP-712 domain, 1 to 16 characters", |raw| word(raw.text()?, 16));
    let decimals = layers.take(&key("decimals"), "a whole number, 0 to 36", |raw| raw.number(0..=36));
    let eip3009 = layers.take(&key("eip3009"), "true or false", |raw| raw.flag());
    let permit2 = layers.take(&key("permit2"), "true or false", |raw| raw.flag());
    Some(Token {
        address: address?,
        symbol,
        decimals: u8::try_from(decimals?).ok()?,
        name: title?,
        version: version?,
        eip3009: eip3009?,
        permit2: permit2?,
    })
}
