//! The site, from inside the binary: every file under its plain name, and the page's own js, wasm and css also under a name that
//! holds a hash of their content.
//!
//! A hashed name never changes its content, so a browser keeps it for ever; a plain name is asked for again each time and mostly answered
//! with 304. The server owns the hashes: js and wasm of one build always come together. Compressed siblings (`.br`, `.gz`) are
//! made by the build and chosen by `Accept-Encoding`.

use std::{
    borrow::Cow,
    collections::HashMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::app::Assets;

/// Where the page's own files are, as in Cargo.toml and Leptos.toml.
pub const PACKAGE: &str = "pkg";
/// What they are called.
pub const OUTPUT: &str = "coinslot";

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// All files of the site. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Source>);

enum Source {
    Embedded {
        files: HashMap<String, File>,
        /// Hashed name → plain name.
        hashed: HashMap<String, String>,
    },
    /// While developing: read again for each request.
    Directory(PathBuf),
}

#[derive(Clone)]
struct File {
    bytes: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    kind: HeaderValue,
    /// The first 16 hexadecimal digits of the content's SHA-256.
    hash: String,
}

impl Site {
    /// Paths relative to the site's root, such as `pkg/coinslot.wasm`; `x.br` and `x.gz` beside an `x` are its compressed forms.
    pub fn new(files: impl IntoIterator<Item = (String, Cow<'static, [u8]>)>) -> Self {
        let mut all: HashMap<String, Bytes> = HashMap::new();
        for (path, bytes) in files {
            let bytes = match bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            };
            all.insert(path, bytes);
        }
        let sibling = |path: &str, ending: &str| all.get(&format!("{path}.{ending}")).cloned();
        let is_sibling = |path: &str| {
            let plain = path.strip_suffix(".br").or_else(|| path.strip_suffix(".gz"));
            plain.is_some_and(|plain| all.contains_key(plain))
        };
        let files: HashMap<String, File> = all
            .iter()
            .filter(|(path, _)| !is_sibling(path))
            .map(|(path, bytes)| (path.clone(), File::new(path, bytes.clone(), sibling(path, "br"), sibling(path, "gz"))))
            .collect();
        let hashed = files.iter().filter_map(|(path, file)| Some((hashed_name(path, &file.hash)?, path.clone()))).collect();
        Self(Arc::new(Source::Embedded { files, hashed }))
    }

    /// For `make dev`: what is there now, uncompressed and without hashes.
    pub fn directory(root: PathBuf) -> Self {
        Self(Arc::new(Source::Directory(root)))
    }

    /// Is the page's program in it? A binary that was built without is no shop.
    pub fn is_complete(&self) -> bool {
        self.find(&format!("{PACKAGE}/{OUTPUT}.wasm")).is_some() && self.find(&format!("{PACKAGE}/{OUTPUT}.js")).is_some()
    }

    /// The addresses that the page's head names.
    pub fn assets(&self, demo: bool) -> Assets {
        let url = |ending: &str| {
            let plain = format!("{PACKAGE}/{OUTPUT}.{ending}");
            let name = match &*self.0 {
                Source::Embedded { files, .. } => files.get(&plain).and_then(|file| hashed_name(&plain, &file.hash)),
                Source::Directory(_) => None,
            };
            format!("/{}", name.unwrap_or(plain))
        };
        Assets { js: url("js"), wasm: url("wasm"), css: url("css"), demo }
    }

    /// The answer to a request for `path` (with its leading slash); `None`: there is no such file.
    pub fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        let path = path.strip_prefix('/')?;
        let plain = match &*self.0 {
            Source::Embedded { hashed, .. } => hashed.get(path).map(String::as_str),
            Source::Directory(_) => None,
        };
        let file = self.find(plain.unwrap_or(path))?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response());
        }
        let lifetime = if plain.is_some() { FOR_EVER } else { ASK_AGAIN };
        Some(file.answer(method, headers, lifetime))
    }

    fn find(&self, path: &str) -> Option<Cow<'_, File>> {
        match &*self.0 {
            Source::Embedded { files, .. } => files.get(path).map(Cow::Borrowed),
            Source::Directory(root) => {
                let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
                let bytes = inside.then(|| std::fs::read(root.join(path)).ok()).flatten()?;
                Some(Cow::Owned(File::new(path, bytes.into(), None, None)))
            }
        }
    }
}

/// `pkg/coinslot.wasm` → `pkg/coinslot.<hash>.wasm`. `None` for what the page does not load by a name that we write.
fn hashed_name(path: &str, hash: &str) -> Option<String> {
    let name = path.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    let (stem, ending) = name.rsplit_once('.')?;
    (stem == OUTPUT && matches!(ending, "js" | "wasm" | "css")).then(|| format!("{PACKAGE}/{stem}.{hash}.{ending}"))
}

impl File {
    fn new(path: &str, bytes: Bytes, brotli: Option<Bytes>, gzip: Option<Bytes>) -> Self {
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let is_text = kind.type_() == "text" || kind.subtype() == "javascript" || kind.subtype() == "json";
        let kind = if is_text { format!("{kind}; charset=utf-8") } else { kind.to_string() };
        let kind = HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let hash = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, brotli, gzip, kind, hash }
    }

    fn answer(&self, method: &Method, headers: &HeaderMap, lifetime: HeaderValue) -> Response {
        let (encoding, bytes) = self.encoded(headers);
        let tag = match encoding {
            Some(encoding) => format!("\"{}-{encoding}\"", self.hash),
            None => format!("\"{}\"", self.hash),
        };
        let unchanged = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| is_known(known, &tag));

        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        answer.insert(header::CACHE_CONTROL, lifetime);
        if let Ok(tag) = HeaderValue::try_from(tag) {
            answer.insert(header::ETAG, tag);
        }
        if self.brotli.is_some() || self.gzip.is_some() {
            answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        answer.insert(header::CONTENT_TYPE, self.kind.clone());
        answer.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        if let Some(encoding) = encoding {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if method != Method::HEAD {
            *response.body_mut() = Body::from(bytes.clone());
        }
        response
    }

    /// The form that the client likes best; of two that it likes the same, the smaller.
    fn encoded(&self, headers: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let accepted = Accepted::read(headers);
        let forms = [("br", &self.brotli), ("gzip", &self.gzip)];
        let best = forms
            .into_iter()
            .filter_map(|(name, bytes)| Some((name, bytes.as_ref()?, accepted.weight(name)?)))
            .filter(|(_, _, weight)| *weight > 0 && accepted.identity().is_none_or(|identity| *weight >= identity))
            .min_by_key(|(_, bytes, weight)| (u16::MAX - weight, bytes.len()));
        best.map_or((None, &self.bytes), |(name, bytes, _)| (Some(name), bytes))
    }
}

/// Does `If-None-Match` name the tag? Weakly compared, as RFC 9110 says.
pub(super) fn is_known(known: &HeaderValue, tag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// `Accept-Encoding` (RFC 9110, 12.5.3): what is liked how well, in thousandths.
struct Accepted(Vec<(String, u16)>);

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        Self(lines.flat_map(|line| line.split(',')).filter_map(weighted).collect())
    }

    /// `None`: not named, not even by `*`.
    fn weight(&self, name: &str) -> Option<u16> {
        let of = |name: &str| self.0.iter().find(|(named, _)| named == name).map(|(_, weight)| *weight);
        of(name).or_else(|| of("*"))
    }

    /// How well the plain form is liked, where the client says it.
    fn identity(&self) -> Option<u16> {
        self.0.iter().find(|(named, _)| named == "identity").map(|(_, weight)| *weight)
    }
}

/// `gzip;q=0.8` → `("gzip", 800)`. `None` for what is no encoding with a weight.
fn weighted(item: &str) -> Option<(String, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        None => 1000,
        Some(weight) => thousandths(weight)?,
    };
    Some((name, weight))
}

/// `0.8` → 800: a digit, and up to three more after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.len() == 1 && fraction.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let weight: u16 = if digits { format!("{whole}{fraction:0<3}").parse().ok()? } else { return None };
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> Option<&'static str> {
        let site = Site::new(
            [("a.js", "plain"), ("a.js.br", "b"), ("a.js.gz", "gz")]
                .map(|(path, text)| (path.to_owned(), text.as_bytes().into())),
        );
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap())]);
        site.find("a.js").unwrap().encoded(&headers).0
    }

    #[test]
    fn q_values_decide_and_the_smaller_form_breaks_a_tie() {
        for (accept, form) in [
            ("gzip, br", Some("br")),
            ("gzip;q=1.0, br;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("br;q=0.001", Some("br")),
            ("*", Some("br")),
            ("*;q=0", None),
            ("br;q=0, *", Some("gzip")),
            ("identity, br;q=0.5", None),
            ("identity;q=0.1, br;q=0.5", Some("br")),
            ("zstd", None),
            ("", None),
            ("BR", Some("br")),
            ("brotli, br;q=2", None),
            ("br;q=abc, gzip;Q=0.3", Some("gzip")),
        ] {
            assert_eq!(chosen(accept), form, "{accept:?}");
        }
    }
}
