//! Spans to an OpenTelemetry collector, over gRPC (OTLP). Only in builds with the feature `otel`.
//!
//! Spans wait in a bounded buffer for a thread of their own; while the collector is away they are given up.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Runtime;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::logs::LogsError;

/// How long one batch may take, and the last one at the end of the process.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps the exporter; its end sends what waits.
#[derive(Debug)]
pub(super) struct Otlp {
    provider: SdkTracerProvider,
    /// The exporter's connection lives on it.
    _runtime: Runtime,
}

impl Otlp {
    /// Begins to send to a collector, for example `http://127.0.0.1:4317`.
    pub(super) fn begin(collector: &str) -> Result<Self, LogsError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("yihao-otlp")
            .enable_all()
            .build()?;
        let _entered = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).with_timeout(PATIENCE).build();
        let exporter = exporter.map_err(|error| LogsError::Collector(error.to_string()))?;
        let resource = Resource::builder().with_service_name("yihao").build();
        let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        Ok(Self { provider, _runtime: runtime })
    }

    /// What takes the spans of calls from `tracing`.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync>(
        &self,
    ) -> Box<dyn Layer<S> + Send + Sync> {
        let filter = Targets::new().with_target("yihao::calls", Level::INFO);
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("yihao")).with_filter(filter).boxed()
    }
}

impl Drop for Otlp {
    fn drop(&mut self) {
        // Nobody is left who could be told.
        let _lost = self.provider.shutdown_with_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn holds(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn spans_of_calls_reach_the_collector_and_others_do_not() {
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = collector.local_addr().unwrap();
        let otlp = Otlp::begin(&format!("http://{address}")).unwrap();
        let subscriber = tracing_subscriber::registry().with(otlp.layer());
        tracing::subscriber::with_default(subscriber, || {
            drop(tracing::info_span!(target: "yihao::calls", "call", call = "c7"));
            drop(tracing::info_span!(target: "another", "secret"));
        });
        let sent = std::thread::spawn(move || {
            let (mut stream, _) = collector.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            // The exporter hangs up when it is dropped; this collector never answers it.
            while let Ok(read @ 1..) = stream.read(&mut part) {
                bytes.extend_from_slice(&part[..read]);
            }
            bytes
        });
        drop(otlp);
        let bytes = sent.join().unwrap();
        assert!(holds(&bytes, "yihao") && holds(&bytes, "c7"), "{}", String::from_utf8_lossy(&bytes));
        assert!(!holds(&bytes, "secret"));
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let error = Otlp::begin("nowhere at all").unwrap_err();
        assert!(error.to_string().contains("http://ADDRESS:PORT"), "{error}");
    }
}
