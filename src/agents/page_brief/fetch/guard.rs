//! Which addresses a visitor may make us fetch from (O11): the public web, and nothing that only we can reach.
//!
//! Every spelling of an address is one address here: the URL standard's own parser (the one that the client uses too) turns decimal,
//! octal, hexadecimal and shortened IPv4 into four bytes before anything is judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The web's own ports, and those that it is often served on beside them.
pub const PORTS: &[u16] = &[80, 443, 8080, 8443];

/// Why an address is not fetched from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("This is no address of a web page: it begins with https:// or http://, for example https://example.org/page.")]
    NotAnAddress,
    #[error("Only pages at http:// and https:// are read.")]
    Scheme,
    #[error("The address has a user name or password in it. Only public pages are read.")]
    Credentials,
    #[error("Refused: port {0} is not the web's. Pages are read on 80, 443, 8080 and 8443.")]
    Port(u16),
    #[error("Refused: {0} is a private address. Only the public web is read.")]
    Private(IpAddr),
    #[error("Refused: {0} is a name on a private network. Only the public web is read.")]
    PrivateName(String),
}

/// What can be said of an address without looking its name up.
pub fn public_url(text: &str) -> Result<Url, Wrong> {
    let url = web_url(text)?;
    let port = url.port_or_known_default().unwrap_or_default();
    let wrong = match url.host() {
        Some(Host::Domain(name)) => is_private_name(name).then(|| Wrong::PrivateName(name.to_owned())),
        Some(Host::Ipv4(ip)) => refused(ip.into()),
        Some(Host::Ipv6(ip)) => refused(ip.into()),
        None => Some(Wrong::NotAnAddress),
    };
    let wrong = wrong.or_else(|| (!PORTS.contains(&port)).then_some(Wrong::Port(port)));
    wrong.map_or(Ok(url), Err)
}

/// An address of the web's two schemes, and nobody's name in it.
pub fn web_url(text: &str) -> Result<Url, Wrong> {
    let url = Url::parse(text.trim()).map_err(|_| Wrong::NotAnAddress)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::Credentials);
    }
    Ok(url)
}

fn refused(ip: IpAddr) -> Option<Wrong> {
    (!is_public(ip)).then_some(Wrong::Private(ip))
}

/// Names that no public server answers to (RFC 6761, 6762, 7686, 8375, ICANN's `.internal`), and those without a dot, which a resolver
/// completes with its own network's name.
fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_reserved =
        ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "test", "invalid", "onion", "alt"].contains(&last);
    is_reserved || !name.contains('.') || name == "home.arpa" || name.ends_with(".home.arpa")
}

/// Global unicast, and not one that stands for another address (IANA's registries of special-purpose addresses, 2025).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    const BLOCKS: &[([u8; 4], u32)] = &[
        ([0, 0, 0, 0], 8),       // this network
        ([10, 0, 0, 0], 8),      // private
        ([100, 64, 0, 0], 10),   // shared by carriers (CGNAT); 100.100.100.200 is a cloud's metadata
        ([127, 0, 0, 0], 8),     // loopback
        ([169, 254, 0, 0], 16),  // link-local; 169.254.169.254 is the clouds' metadata
        ([172, 16, 0, 0], 12),   // private
        ([192, 0, 0, 0], 24),    // protocol assignments
        ([192, 0, 2, 0], 24),    // documentation
        ([192, 52, 193, 0], 24), // automatic multicast tunnels
        ([192, 88, 99, 0], 24),  // 6to4 relays
        ([192, 168, 0, 0], 16),  // private
        ([198, 18, 0, 0], 15),   // benchmarking
        ([198, 51, 100, 0], 24), // documentation
        ([203, 0, 113, 0], 24),  // documentation
        ([168, 63, 129, 16], 32), // a cloud's own services, on a public address
        ([224, 0, 0, 0], 4),     // multicast
        ([240, 0, 0, 0], 4),     // reserved, and broadcast
    ];
    let bits = u32::from(ip);
    !BLOCKS.iter().any(|(block, length)| (bits ^ u32::from(Ipv4Addr::from(*block))) >> (32 - length) == 0)
}

/// 2000::/3 is all that is assigned for global unicast, so loopback, mapped, compatible, NAT64, unique local, site-local, link-local and
/// multicast are none of it. Within it some blocks are no hosts, or carry an IPv4 address.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let bits = u128::from(ip);
    let is_in = |block: u128, length: u32| (bits ^ block) >> (128 - length) == 0;
    is_in(0x2000 << 112, 3)
        && !is_in(0x2001 << 112, 23) // protocol assignments: Teredo, benchmarking, ORCHID
        && !is_in(0x2001_0db8 << 96, 32) // documentation
        && !is_in(0x2002 << 112, 16) // 6to4
        && !is_in(0x3fff << 112, 20) // documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o11_no_block_that_only_we_can_reach_is_public() {
        for ip in [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
            "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1",
            "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
            "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
            "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
            "100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1",
            "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "3fff:0fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
            "fec0::1", "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap_or_else(|_| panic!("{ip}"))), "{ip}");
        }
    }

    #[test]
    fn what_is_on_the_web_is_public() {
        for ip in [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.215.14", "100.63.255.255", "100.128.0.1", "126.255.255.255",
            "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255",
            "198.20.0.1", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450::1", "2003::1",
            "3ffe::1",
        ] {
            assert!(is_public(ip.parse().unwrap_or_else(|_| panic!("{ip}"))), "{ip}");
        }
    }

    /// Each is one of ours under another name: refused before the price, with nothing looked up.
    #[test]
    fn o11_another_spelling_of_a_private_address_is_that_address() {
        for host in [
            "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0x7f.0x0.0x0.0x1", "127.0.0.1.",
            "１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "0", "0.0.0.0", "169.254.169.254", "2852039166", "0xa9fea9fe",
            "0251.0376.0251.0376", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
            "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[fd00::1]", "[fe80::1]", "[fd00:ec2::254]",
        ] {
            let told = public_url(&format!("http://{host}/"));
            assert!(matches!(told, Err(Wrong::Private(_))), "{host}: {told:?}");
        }
        for host in [
            "localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "a.localhost", "lOcAlHoSt.", "loc%61lhost", "router", "router.", "printer.local", "metadata.google.internal",
            "nas.home.arpa", "db.corp", "x.onion",
        ] {
            let told = public_url(&format!("http://{host}/"));
            assert!(matches!(told, Err(Wrong::PrivateName(_))), "{host}: {told:?}");
        }
    }

    #[test]
    fn o11_nobody_s_name_no_other_scheme_and_no_other_port() {
        for (text, wrong) in [
            ("", Wrong::NotAnAddress),
            ("example.org", Wrong::NotAnAddress),
            ("//example.org/", Wrong::NotAnAddress),
            ("http://", Wrong::NotAnAddress),
            ("http://[fe80::1%25eth0]/", Wrong::NotAnAddress),
            ("http://256.1.1.1/", Wrong::NotAnAddress),
            ("http://exa mple.org/", Wrong::NotAnAddress),
            ("http://example.org:99999/", Wrong::NotAnAddress),
            ("file:///etc/passwd", Wrong::Scheme),
            ("ftp://example.org/", Wrong::Scheme),
            ("gopher://example.org/", Wrong::Scheme),
            ("data:text/html,x", Wrong::Scheme),
            ("javascript:alert(1)", Wrong::Scheme),
            ("http://user@example.org/", Wrong::Credentials),
            ("http://user:pass@example.org/", Wrong::Credentials),
            ("http://example.org@127.0.0.1/", Wrong::Credentials),
            ("http://example.org:80@127.0.0.1/", Wrong::Credentials),
            ("http://:secret@example.org/", Wrong::Credentials),
            ("http://example.org:22/", Wrong::Port(22)),
            ("http://example.org:6379/", Wrong::Port(6379)),
            ("https://example.org:0/", Wrong::Port(0)),
        ] {
            assert_eq!(public_url(text), Err(wrong), "{text}");
        }
        // What looks like a name before the host but is part of the path or the query is neither.
        for text in ["https://example.org/@127.0.0.1", "https://example.org?u=a@b", "http://example.org#@127.0.0.1/"] {
            assert_eq!(public_url(text).map(|url| url.host_str().map(str::to_owned)), Ok(Some("example.org".to_owned())), "{text}");
        }
        // A backslash is a slash to browsers, and to the parser that the client uses too.
        assert_eq!(public_url("http://127.0.0.1\\@example.org/"), Err(Wrong::Private(Ipv4Addr::LOCALHOST.into())));
    }

    #[test]
    fn pages_of_the_public_web_are_let_through() {
        for (text, host) in [
            ("https://example.org/a?b=c#d", "example.org"),
            ("  HTTP://EXAMPLE.ORG:8080/ ", "example.org"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
            ("https://93.184.215.14/", "93.184.215.14"),
            ("https://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]"),
            ("https://example.org./", "example.org."),
        ] {
            assert_eq!(public_url(text).map(|url| url.host_str().map(str::to_owned)), Ok(Some(host.to_owned())), "{text}");
        }
    }
}
