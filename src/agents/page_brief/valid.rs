//! What is wrong with an input, told at the field where it can be put right, before anybody is asked for money.

use garde::{Error, Result};

use super::{HTML_BYTES_MAX, URL_MAX, fetch::guard};

/// The rule of the pair is told at the address: it is the field that a form shows first.
pub fn exactly_one(html: &Option<String>) -> impl FnOnce(&Option<String>, &()) -> Result + '_ {
    move |url, ()| match (url, html) {
        (None, None) => Err(Error::new("Enter a page's address, or give its HTML.")),
        (Some(_), Some(_)) => Err(Error::new("Give either an address or HTML, not both.")),
        _ => Ok(()),
    }
}

/// Whatever is known of it without looking anything up.
pub fn url(url: &Option<String>, (): &()) -> Result {
    let Some(url) = url else { return Ok(()) };
    if url.chars().count() > URL_MAX {
        return Err(Error::new(format!("This address is longer than {URL_MAX} characters.")));
    }
    guard::public_url(url).map(drop).map_err(|wrong| Error::new(wrong.to_string()))
}

pub fn html(html: &Option<String>, (): &()) -> Result {
    let Some(html) = html else { return Ok(()) };
    if html.trim().is_empty() {
        return Err(Error::new("There is no HTML in it."));
    }
    if html.len() > HTML_BYTES_MAX {
        return Err(Error::new(format!("This is more than {} KB of HTML.", HTML_BYTES_MAX / 1024)));
    }
    Ok(())
}
