//! Where the model is, what it is called, what opens it.

use std::{
    fmt, fs,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use url::Url;

/// What is allowed as a key.
pub const KEY: &str = "a key of 1 to 4096 visible characters without a blank";

/// Longer than any provider's key.
const KEY_BYTES_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// What is before `chat/completions`; it ends with a slash, and holds no secret.
    pub url: Url,
    /// `None`: the server wants none.
    pub key: Option<ModelKey>,
    /// As the server knows it, and as answers are labelled.
    pub name: String,
    /// The longest that any one answer is waited for.
    pub timeout: Duration,
    /// Agents that compute their answer let it explain that answer, too.
    pub explains: bool,
}

/// Opens the model's server. No output holds it.
#[derive(Clone)]
pub struct ModelKey(String);

impl ModelKey {
    /// `None`: nothing that a header can carry.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// From a file that holds nothing else but white space around it.
    ///
    /// # Errors
    /// It cannot be read, or holds something else.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut text = String::new();
        fs::File::open(file)?.take(2 * KEY_BYTES_MAX as u64).read_to_string(&mut text)?;
        Self::parse(text.trim()).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds something else"))
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelKey(not shown)")
    }
}

/// A base URL as its operator writes it: with the version's path (`https://api.example/v1`), or without any, which means `/v1`. Neither user
/// nor query: secrets are in the key, so that the URL can be shown.
pub fn base_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain {
        return None;
    }
    let path = match url.path().trim_end_matches('/') {
        "" => "/v1/".to_owned(),
        path => format!("{path}/"),
    };
    url.set_path(&path);
    Some(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_leave_its_version_out() {
        for (written, meant) in [
            ("http://127.0.0.1:8089", "http://127.0.0.1:8089/v1/"),
            ("https://api.example/v1", "https://api.example/v1/"),
            ("https://api.example/v1/", "https://api.example/v1/"),
            ("https://gateway.example/team/openai/v2", "https://gateway.example/team/openai/v2/"),
        ] {
            assert_eq!(base_url(written).unwrap().as_str(), meant);
        }
        for wrong in ["", "api.example", "ftp://api.example", "https://me:key@api.example", "https://api.example/?key=1"] {
            assert!(base_url(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let key = ModelKey::parse("sk-very-secret").unwrap();
        assert!(!format!("{key:?}").contains("very"));
        assert!(
            ModelKey::parse("two words").is_none() && ModelKey::parse("").is_none() && ModelKey::parse("line\nfeed").is_none()
        );
    }
}
