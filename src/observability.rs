//! What the exchange says of itself: logs on stderr, metrics for Prometheus, spans of calls for OpenTelemetry.
//!
//! Modules write with `tracing` and `metrics` macros and know nothing of this. Knows no module of the crate.

mod logs;
mod names;
#[cfg(feature = "otel")]
mod otlp;

use std::sync::Arc;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

pub use logs::{Format, Logs, LogsError, init_logs};
pub use names::{Kind, METRICS, Metric};

/// Why metrics cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep metrics: {0}")]
pub struct MetricsError(#[from] BuildError);

/// Keeps metrics from now on. Gives what renders them as Prometheus text. Call it once, at the start.
///
/// # Errors
/// [`MetricsError`] when metrics are kept already.
pub fn install_metrics() -> Result<Arc<dyn Fn() -> String + Send + Sync>, MetricsError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    let handle = builder.install_recorder()?;
    describe();
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let render = install_metrics().unwrap();
        metrics::counter!("yihao_store_rows_total").increment(3);
        metrics::gauge!("yihao_store_up").set(1.0);
        metrics::histogram!("yihao_loop_turn_seconds").record(0.000_2);
        let text = render();
        assert!(text.contains("# HELP yihao_store_rows_total "), "{text}");
        assert!(text.contains("yihao_store_rows_total 3"), "{text}");
        assert!(text.contains("yihao_loop_turn_seconds_bucket{le=\"0.00025\"} 1"), "{text}");
        assert!(install_metrics().is_err(), "once a process");
    }
}
