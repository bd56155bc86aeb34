//! Values that stand as one text in the plan: addresses, prompts, URIs. Pure readers that say what is wrong.

use std::net::IpAddr;

use crate::dialplan::Cidr;
use crate::types::Level;

/// Reads "10.0.0.0/24", "2001:db8::/48" or one address.
pub(super) fn cidr(text: &str) -> Result<Cidr, String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| format!("{text:?} is no address range"))?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(prefix) => match prefix.parse::<u8>() {
            Ok(prefix) if prefix <= bits => prefix,
            Ok(_) | Err(_) => return Err(format!("the length of the prefix in {text:?} is not 0 to {bits}")),
        },
    };
    if prefix == 0 {
        return Err(format!("{text:?} is every address there is: anybody could place calls as this trunk"));
    }
    let network = masked(address, prefix);
    if network != address {
        return Err(format!("{text:?} has bits behind its prefix; the network is {network}/{prefix}"));
    }
    Ok(Cidr { address, prefix })
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(a) & mask).into())
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

/// Reads a skill with its level: "general" or "12333=7".
pub(super) fn skilled(text: &str) -> Result<(String, Level), String> {
    let Some((name, level)) = text.split_once('=') else { return Ok((text.to_owned(), Level::ORDINARY)) };
    let level = level.trim().parse().ok().and_then(Level::new);
    level.map(|level| (name.trim().to_owned(), level)).ok_or_else(|| format!("{text:?} has no level from 1 to 9"))
}

/// Reads the name of a prompt: folders and a file name, no way out of the folder.
pub(super) fn prompt_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.len() <= 100 && text.split('/').all(|part| !part.is_empty() && part.chars().all(good)) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no name of a prompt"))
}

/// Reads a SIP URI far enough to see that it can be dialled: scheme, perhaps a user, host, perhaps a port, a known transport.
pub(super) fn sip_uri(text: &str) -> Result<String, String> {
    let bad = |why: &str| Err(format!("{text:?} is no SIP URI: {why}"));
    let Some(rest) = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) else {
        return bad("it begins with sip: or sips:");
    };
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\",".contains(c)) {
        return bad("it has a character that must not stand there");
    }
    let (place, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let host_port = place.rsplit_once('@').map_or(place, |(_, host)| host);
    if !host_is_good(host_port) {
        return bad("its host or port is wrong");
    }
    for parameter in parameters.split(';') {
        if let Some(transport) = parameter.strip_prefix("transport=")
            && !["udp", "tcp", "tls"].contains(&transport)
        {
            return bad("transport is udp, tcp or tls");
        }
    }
    Ok(text.to_owned())
}

fn host_is_good(host_port: &str) -> bool {
    if let Some(rest) = host_port.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    let (host, port) = host_port.split_once(':').map_or((host_port, None), |(host, port)| (host, Some(port)));
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !host.is_empty() && host.chars().all(good) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_whole() {
        let range = cidr("10.1.0.0/16").expect("a range");
        assert!(range.contains("10.1.255.1".parse().unwrap()) && !range.contains("10.2.0.0".parse().unwrap()));
        assert_eq!(cidr("::1").map(|c| c.prefix), Ok(128));
    }

    #[test]
    fn ranges_with_mistakes_are_refused() {
        for (text, part) in [
            ("10.0.0.5/24", "the network is 10.0.0.0/24"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("10.0.0.0/33", "not 0 to 32"),
            ("10.0.0.0/+8x", "not 0 to 32"),
            ("carrier.example", "no address range"),
        ] {
            let why = cidr(text).expect_err(text);
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn a_prompt_name_cannot_leave_the_folder() {
        assert!(prompt_name("greeting/12345").is_ok());
        for bad in ["../secrets", "/etc/passwd", "a//b", "", "a/./b", "问候"] {
            assert!(prompt_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn uris_need_scheme_host_and_known_transport() {
        for good in
            ["sip:10.0.0.1", "sip:8001@10.0.0.1:5070;transport=tcp", "sip:[2001:db8::1]:5060", "sips:gw.example;lr"]
        {
            assert_eq!(sip_uri(good), Ok(good.to_owned()));
        }
        for bad in
            ["10.0.0.1", "sip:", "sip:a b", "sip:h:0", "sip:h:99999", "sip:h;transport=sctp", "sip:[::1", "<sip:h>"]
        {
            assert!(sip_uri(bad).is_err(), "{bad}");
        }
    }
}
