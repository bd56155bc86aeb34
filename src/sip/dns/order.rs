//! The rules of order among DNS records. Pure: random numbers are handed in.

use crate::sip::flow::Transport;

/// The transport of a NAPTR record that leads to SRV; `None` for others (RFC 3263 4.1).
pub(super) fn naptr_transport(flags: &[u8], services: &[u8]) -> Option<Transport> {
    if !flags.eq_ignore_ascii_case(b"s") {
        return None;
    }
    [(&b"SIP+D2U"[..], Transport::Udp), (b"SIP+D2T", Transport::Tcp), (b"SIPS+D2T", Transport::Tls)]
        .into_iter()
        .find(|(name, _)| services.eq_ignore_ascii_case(name))
        .map(|(_, transport)| transport)
}

/// Sorts by priority, and at random by weight among those of one priority (RFC 2782).
pub(super) fn by_weight<T>(
    records: Vec<T>,
    rank: impl Fn(&T) -> (u16, u16),
    random: &mut (dyn FnMut() -> u32 + Send),
) -> Vec<T> {
    let mut left = records;
    // Weight 0 stands first, so that it has its small chance.
    left.sort_by_key(|r| rank(r));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|r| rank(r).0) {
        let peers = left.iter().take_while(|r| rank(r).0 == priority).count();
        let total: u32 = left[..peers].iter().map(|r| u32::from(rank(r).1)).sum();
        let ticket = u32::try_from(u64::from(random()) % (u64::from(total) + 1)).expect("at most a sum of weights");
        let mut sum = 0;
        let chosen = left[..peers].iter().position(|r| {
            sum += u32::from(rank(r).1);
            sum >= ticket
        });
        ordered.push(left.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_priority_comes_first_whatever_the_weight() {
        for random in [0, 1, 50, u32::MAX] {
            let ordered = by_weight(vec![(20, 100), (10, 1), (30, 0)], |r| *r, &mut || random);
            assert_eq!(ordered, [(10, 1), (20, 100), (30, 0)]);
        }
    }

    #[test]
    fn weights_are_shares() {
        let mut first = [0; 3];
        for random in 0..101 {
            let ordered = by_weight(vec![(1, 75), (1, 25), (1, 0)], |r| *r, &mut || random);
            assert_eq!(ordered.len(), 3);
            match ordered[0].1 {
                0 => first[0] += 1,
                25 => first[1] += 1,
                _ => first[2] += 1,
            }
        }
        assert_eq!(first, [1, 25, 75]);
    }

    #[test]
    fn only_sip_services_that_lead_to_srv_count() {
        assert_eq!(naptr_transport(b"S", b"sip+d2u"), Some(Transport::Udp));
        assert_eq!(naptr_transport(b"s", b"SIPS+D2T"), Some(Transport::Tls));
        assert_eq!(naptr_transport(b"u", b"E2U+sip"), None);
        assert_eq!(naptr_transport(b"s", b"SIP+D2S"), None);
    }
}
