//! Addresses: `ip("10.0.0.0/8")` for lines and for labels.
//!
//! Invariant: an IPv4 address is never inside an IPv6 set, mapped or not, and the other way round.

use std::net::IpAddr;

/// A single address, a CIDR or a range: always first to last, inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IpSet {
    v6: bool,
    first: u128,
    last: u128,
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

impl IpSet {
    /// Reads `1.2.3.4`, `1.2.3.0/24` or `1.2.3.4-1.2.3.9`.
    pub(crate) fn parse(text: &str) -> Result<IpSet, String> {
        IpSet::read(text)
            .ok_or_else(|| format!("ip: invalid pattern: {}", crate::model::labels::Quoted(text)))
    }

    fn read(text: &str) -> Option<IpSet> {
        let parse = |text: &str| text.parse::<IpAddr>().ok();
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (parse(first)?, parse(last)?);
            let set = IpSet { v6: first.is_ipv6(), first: number(first), last: number(last) };
            return (first.is_ipv6() == last.is_ipv6() && set.first <= set.last).then_some(set);
        }
        if let Some((ip, bits)) = text.split_once('/') {
            let ip = parse(ip)?;
            let width: u32 = if ip.is_ipv6() { 128 } else { 32 };
            let bits: u32 = bits.parse().ok().filter(|bits| *bits <= width)?;
            let hosts = match width - bits {
                128 => u128::MAX,
                free => (1 << free) - 1,
            };
            let first = number(ip) & !hosts;
            return Some(IpSet { v6: ip.is_ipv6(), first, last: first | hosts });
        }
        let ip = parse(text)?;
        Some(IpSet { v6: ip.is_ipv6(), first: number(ip), last: number(ip) })
    }

    /// Whether a text is an address of this set.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let Ok(ip) = text.parse::<IpAddr>() else { return false };
        ip.is_ipv6() == self.v6 && (self.first..=self.last).contains(&number(ip))
    }

    /// Whether a line has an address of this set somewhere. What looks like the start of an
    /// address is read as far as its characters go, and the search goes on behind it.
    pub(crate) fn occurs_in(&self, line: &[u8]) -> bool {
        let mut at = 0;
        while at < line.len() {
            let is_member: fn(u8) -> bool = if looks_like_v4(&line[at..]) {
                |c| c.is_ascii_digit() || c == b'.'
            } else if looks_like_v6(&line[at..]) {
                |c| c.is_ascii_hexdigit() || c == b':' || c == b'.'
            } else {
                at += 1;
                continue;
            };
            let end = line[at..].iter().position(|c| !is_member(*c)).map_or(line.len(), |n| at + n);
            let token = std::str::from_utf8(&line[at..end]).expect("only ascii is taken");
            if self.contains(token) {
                return true;
            }
            at = end + 1;
        }
        false
    }
}

/// A digit, and a dot within the next three.
fn looks_like_v4(line: &[u8]) -> bool {
    line.len() > 4 && line[0].is_ascii_digit() && line[1..4].contains(&b'.')
}

/// Up to four hex digits and a colon, or `::` and a hex digit.
fn looks_like_v6(line: &[u8]) -> bool {
    if line.len() <= 5 {
        return false;
    }
    let digits = line[..5].iter().take_while(|c| c.is_ascii_hexdigit()).count();
    match digits {
        0 => line.starts_with(b"::") && line[2].is_ascii_hexdigit(),
        1..5 => line[digits] == b':',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let check = |set: &str, line: &str, expected: bool| {
            let set = IpSet::parse(set).expect("a good set");
            assert_eq!(set.occurs_in(line.as_bytes()), expected, "{line}");
        };
        check("192.168.0.0/16", "from 192.168.4.1 to", true);
        check("192.168.0.0/16", "from 192.169.4.1 to", false);
        check("10.0.0.1", "peer=10.0.0.1:9095", true);
        check("10.0.0.1-10.0.0.9", "x10.0.0.7", true);
        check("10.0.0.1-10.0.0.9", "10.0.0.77", false);
        check("2001:db8::/32", "2001:db8::3 - frank", true);
        check("2001:db8::3", "2001:db8::4", false);
        check("0.0.0.0/0", "300.1.1.1 and 999", false);
        check("::/0", "at fe80::1 now", true);
        assert!(IpSet::parse("10.0.0.0/8").expect("good").contains("10.255.0.1"));
        assert!(!IpSet::parse("10.0.0.0/8").expect("good").contains("not an address"));
    }

    #[test]
    fn bad_sets() {
        for text in ["999.1.1.1", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "", "x"] {
            let error = IpSet::parse(text).expect_err("a bad set");
            assert_eq!(error, format!("ip: invalid pattern: \"{text}\""));
        }
    }
}
