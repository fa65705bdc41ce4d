//! From bytes to text: unpacked and decoded, within bounds.

use std::io::{self, Write};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Of what is read, unpacked: bytes. Packed it is never more.
pub const BYTES_MAX: usize = 2 * 1024 * 1024;
/// A page says within its first bytes how it is encoded (HTML standard: 1024).
const DECLARED_WITHIN: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the page is larger than {} MB.", BYTES_MAX / 1024 / 1024)]
    TooLarge,
    #[error("the page is packed in a way that we do not read ({0}).")]
    Packing(String),
    #[error("the page is packed, and broken.")]
    Broken,
    #[error("the page stopped coming half-way.")]
    Cut,
}

/// What has arrived so far.
pub struct Body {
    arrived: usize,
    unpacking: Unpacking,
}

enum Unpacking {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    /// What HTTP calls deflate is zlib's format, but some servers send it bare: the first byte tells.
    Deflate,
    Zlib(Box<ZlibDecoder<Bounded>>),
    Bare(Box<DeflateDecoder<Bounded>>),
}

impl Body {
    /// # Errors
    /// [`BodyError::Packing`]: we asked for gzip or nothing.
    pub fn packed_as(encoding: Option<&str>) -> Result<Self, BodyError> {
        let unpacking = match encoding.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Unpacking::Plain(Bounded::default()),
            Some("gzip" | "x-gzip") => Unpacking::Gzip(Box::new(MultiGzDecoder::new(Bounded::default()))),
            Some("deflate") => Unpacking::Deflate,
            Some(other) => return Err(BodyError::Packing(other.chars().take(40).collect())),
        };
        Ok(Self { arrived: 0, unpacking })
    }

    /// # Errors
    /// [`BodyError::TooLarge`] as soon as there is more than is read, packed or unpacked.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        self.arrived = self.arrived.saturating_add(chunk.len());
        if self.arrived > BYTES_MAX {
            return Err(BodyError::TooLarge);
        }
        if let (Unpacking::Deflate, Some(first)) = (&self.unpacking, chunk.first()) {
            let is_zlib = first & 0x0f == 8;
            self.unpacking = match is_zlib {
                true => Unpacking::Zlib(Box::new(ZlibDecoder::new(Bounded::default()))),
                false => Unpacking::Bare(Box::new(DeflateDecoder::new(Bounded::default()))),
            };
        }
        let written = match &mut self.unpacking {
            Unpacking::Plain(to) => to.write_all(chunk),
            Unpacking::Gzip(to) => to.write_all(chunk),
            Unpacking::Zlib(to) => to.write_all(chunk),
            Unpacking::Bare(to) => to.write_all(chunk),
            Unpacking::Deflate => Ok(()),
        };
        written.map_err(failed)
    }

    pub fn whole(self) -> Result<Vec<u8>, BodyError> {
        let bounded = match self.unpacking {
            Unpacking::Plain(to) => Ok(to),
            Unpacking::Gzip(to) => to.finish(),
            Unpacking::Zlib(to) => to.finish(),
            Unpacking::Bare(to) => to.finish(),
            Unpacking::Deflate => Ok(Bounded::default()),
        };
        Ok(bounded.map_err(failed)?.0)
    }
}

fn failed(cause: io::Error) -> BodyError {
    if cause.kind() == io::ErrorKind::FileTooLarge { BodyError::TooLarge } else { BodyError::Broken }
}

#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A byte order mark, else the header, else the page's own word, else UTF-8 where it is that, else the web's oldest habit.
pub fn decoded(bytes: &[u8], charset: Option<&str>, is_html: bool) -> String {
    let told = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    let declared = || if is_html { declared(&bytes[..bytes.len().min(DECLARED_WITHIN)]) } else { None };
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    let encoding = told.or_else(declared).unwrap_or_else(guessed);
    encoding.decode(bytes).0.into_owned()
}

/// `<meta charset="…">`, or the same in an `http-equiv`.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    for (at, _) in head.match_indices("charset") {
        if !head[..at].rfind('<').is_some_and(|tag| head[tag..].starts_with("<meta")) {
            continue;
        }
        let Some(value) = head[at + "charset".len()..].trim_start().strip_prefix('=') else { continue };
        let label = value.trim_start().trim_start_matches(['"', '\'']);
        let label = label.split(['"', '\'', ' ', ';', '>', '/']).next().unwrap_or_default();
        if let Some(encoding) = Encoding::for_label(label.as_bytes()) {
            // A page that says so in ASCII is not in UTF-16 (HTML standard).
            return Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 });
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    #[test]
    fn a_page_is_decoded_as_it_says() {
        for (bytes, charset, text) in [
            (&b"caf\xe9"[..], Some("iso-8859-1"), "café"),
            (b"caf\xe9", None, "café"),
            (b"caf\xc3\xa9", None, "café"),
            (b"caf\xc3\xa9", Some("no-such-thing"), "café"),
            (b"\xef\xbb\xbfcaf\xc3\xa9", Some("iso-8859-1"), "café"),
            (b"<meta charset='windows-1251'>\xcf\xf0", None, "<meta charset='windows-1251'>Пр"),
            (b"<META http-equiv=x content=\"text/html; charset=koi8-r\">\xd0", None, "<META http-equiv=x content=\"text/html; charset=koi8-r\">п"),
            (b"<p>charset=koi8-r</p>\xc3\xa9", None, "<p>charset=koi8-r</p>é"),
            (b"<meta charset=utf-16>\xc3\xa9", None, "<meta charset=utf-16>é"),
            (b"\x82\xb1", Some("Shift_JIS"), "こ"),
        ] {
            assert_eq!(decoded(bytes, charset, true), text);
        }
    }

    #[test]
    fn o11_what_unpacks_to_more_than_is_read_is_refused_before_it_is_there() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0_u8; 1 << 20];
        (0..64).for_each(|_| packer.write_all(&zeros).unwrap());
        let bomb = packer.finish().unwrap();
        assert!(bomb.len() < 100_000, "64 MB in {} bytes", bomb.len());
        let mut body = Body::packed_as(Some("gzip")).unwrap();
        let took = bomb.chunks(1000).take_while(|chunk| body.take(chunk).is_ok()).count();
        assert!(took * 1000 < bomb.len() / 10, "it was refused after {took} KB of {}", bomb.len() / 1000);
    }
}
