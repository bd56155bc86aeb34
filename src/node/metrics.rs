//! Figures of the core for the API and for Prometheus.

use std::collections::BTreeMap;

use crate::api::core::{Counters, Refused};
use crate::exchange::Exchange;
use crate::types::{Now, TrunkId};

/// INVITEs received, admitted and refused, as the API shows them.
pub(super) fn counters(exchange: &Exchange, trunk_names: &BTreeMap<TrunkId, String>, admitted: u64) -> Counters {
    let refused: Vec<Refused> = exchange
        .endpoint()
        .refused()
        .iter()
        .map(|((trunk, why), count)| Refused {
            trunk: trunk.and_then(|t| trunk_names.get(&t).cloned()),
            reason: why.as_str().to_owned(),
            count: *count,
        })
        .collect();
    let received = admitted + refused.iter().map(|r| r.count).sum::<u64>();
    Counters { received, admitted, refused }
}

/// Brings the gauges up to date; called once a second.
pub(super) fn record(exchange: &Exchange, trunk_names: &BTreeMap<TrunkId, String>, admitted: u64, now: Now) {
    let ports = exchange.endpoint().ports(now);
    metrics::gauge!("yihao_calls").set(exchange.center().calls() as f64);
    metrics::gauge!("yihao_legs").set(exchange.endpoint().legs() as f64);
    metrics::gauge!("yihao_media_ports_free").set(ports.free as f64);
    metrics::gauge!("yihao_media_ports_in_use").set(ports.in_use as f64);
    metrics::counter!("yihao_media_ports_pressed_total").absolute(ports.pressed);
    metrics::counter!("yihao_media_ports_exhausted_total").absolute(ports.exhausted);
    metrics::counter!("yihao_healed_total").absolute(exchange.center().healed());
    for (why, count) in exchange.endpoint().refused_registers() {
        metrics::counter!("yihao_registers_refused_total", "reason" => why.as_str()).absolute(*count);
    }
    let counters = counters(exchange, trunk_names, admitted);
    metrics::counter!("yihao_invites_received_total").absolute(counters.received);
    metrics::counter!("yihao_invites_admitted_total").absolute(counters.admitted);
    for refused in counters.refused {
        let trunk = refused.trunk.unwrap_or_else(|| "unknown".to_owned());
        metrics::counter!("yihao_invites_refused_total", "trunk" => trunk, "reason" => refused.reason)
            .absolute(refused.count);
    }
}

/// Counts what has ended.
pub(super) fn ended(rows: &[crate::types::Row]) {
    for row in rows {
        if let crate::types::CallEvent::Ended { fate } = row.event {
            metrics::counter!("yihao_calls_ended_total", "fate" => fate.as_str()).increment(1);
        }
    }
}
