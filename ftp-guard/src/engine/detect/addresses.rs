//! Where PORT and EPRT want data connections to go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::engine::monitor::observation::Command;

/// The destination that a command names; `None`: it names none, or cannot be read. The unspecified address
/// of EPRT stands for nothing (RFC 2428 section 2).
pub(super) fn named(command: &Command) -> Option<SocketAddr> {
    let argument = command.argument.trim();
    let found = match command.verb.as_str() {
        "PORT" => port(argument),
        "EPRT" => eprt(argument),
        _ => None,
    }?;
    let address = found.ip().to_canonical();
    (!address.is_unspecified()).then(|| (address, found.port()).into())
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 section 4.1.2).
fn port(argument: &str) -> Option<SocketAddr> {
    let numbers: Vec<u8> = argument
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into())
}

/// `|1|192.0.2.1|40000|`, with any character for `|`.
fn eprt(argument: &str) -> Option<SocketAddr> {
    let mark = argument.chars().next()?;
    let mut fields = argument.split(mark).skip(2);
    let address: IpAddr = fields.next()?.parse().ok()?;
    Some((address, fields.next()?.parse().ok()?).into())
}

/// Whether an address is used inside networks only: RFC 1918, RFC 4193, link-local, this host.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_private() || address.is_link_local() || address.is_loopback()
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::monitor::verb::Verb;

    #[test]
    fn destinations_are_read() {
        let of = |verb: &str, argument: &str| {
            let command = Command {
                verb: Verb::of(verb.as_bytes()),
                argument: argument.to_owned(),
                length: argument.len() + 5,
            };
            named(&command).map(|named| named.to_string())
        };
        assert_eq!(
            of("PORT", "192,0,2,7,156,64").as_deref(),
            Some("192.0.2.7:40000")
        );
        assert_eq!(
            of("EPRT", "|1|192.0.2.7|40000|").as_deref(),
            Some("192.0.2.7:40000")
        );
        assert_eq!(
            of("EPRT", "!2!2001:db8::7!40000!").as_deref(),
            Some("[2001:db8::7]:40000")
        );
        assert_eq!(
            of("EPRT", "|2|::ffff:192.0.2.7|40000|").as_deref(),
            Some("192.0.2.7:40000")
        );
        for (verb, argument) in [
            ("PORT", ""),
            ("PORT", "1,2,3,4,5"),
            ("PORT", "1,2,3,4,5,6,7"),
            ("PORT", "1,2,3,4,5,256"),
            ("EPRT", ""),
            ("EPRT", "|1|x|2|"),
            ("EPRT", "|1|192.0.2.7|70000|"),
            ("EPRT", "|1|0.0.0.0|4000|"),
            ("RETR", "192,0,2,7,156,64"),
        ] {
            assert_eq!(of(verb, argument), None, "{verb} {argument}");
        }
    }
}
