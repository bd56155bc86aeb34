//! Addresses of a test: a block of 256 in 127.0.0.0/8, all of which Linux answers, so that every test has every port for
//! itself. Ports stay below 32768, where the system gives out ports by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Whoever has bound this port at the last address of a block owns the block.
const GUARD_PORT: u16 = 30_999;

/// A block of addresses, ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Street {
    net: (u8, u8),
    _guard: TcpListener,
}

impl Street {
    /// Takes a block that no other test holds, in this process or another.
    pub(crate) fn take() -> Self {
        let first = std::process::id() as usize;
        let blocks = 63 * 254;
        (0..blocks)
            .map(|n| (first.wrapping_mul(37) + n) % blocks)
            .map(|n| (64 + (n / 254) as u8, 1 + (n % 254) as u8))
            .find_map(|net| {
                let guard = TcpListener::bind((Ipv4Addr::new(127, net.0, net.1, 254), GUARD_PORT)).ok()?;
                Some(Self { net, _guard: guard })
            })
            .expect("an address block is free")
    }

    /// The address with this last number.
    pub(crate) fn at(&self, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.net.0, self.net.1, host))
    }
}

/// Ports at ::1, of which there is only one: a range found by binding, ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Avenue {
    /// First of 100 ports.
    pub(crate) first: u16,
    _guard: TcpListener,
}

impl Avenue {
    /// Takes 100 ports at ::1; nothing where the machine has no IPv6.
    pub(crate) fn take() -> Option<Self> {
        (10_000..30_000).step_by(100).find_map(|first| {
            let guard = TcpListener::bind((Ipv6Addr::LOCALHOST, first + 99)).ok()?;
            Some(Self { first, _guard: guard })
        })
    }

    /// The port with this number in the range.
    pub(crate) fn at(&self, n: u16) -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, self.first + n))
    }
}
