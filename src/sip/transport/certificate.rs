//! Our certificate and whom we trust: read from PEM files, made at the first start, exchanged without dropping a
//! connection.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use super::x509::{self, Facts};

/// Where the files are and whom we trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Our certificate, then those that vouch for it, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS 8, PKCS 1 or SEC 1).
    pub key: PathBuf,
    /// Who vouches for peers that connect to us, PEM. `None`: no peer is asked for a certificate. A peer without one is
    /// served all the same, as a phone; it is just no trunk that is recognised by TLS.
    pub client_ca: Option<PathBuf>,
    /// Who vouches for peers that we connect to, PEM. `None`: nobody, so that only loopback can be reached, see below.
    pub trusted_ca: Option<PathBuf>,
    /// Whether peers on loopback addresses need no trusted certificate. For tests and demonstrations.
    pub trusts_loopback: bool,
}

/// Why a certificate cannot be used. Each says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {source}; the exchange's user must be able to read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: {source}; the exchange makes its first certificate there", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No PEM block of the kind that is needed.
    #[error("{}: no {what} in PEM form; it begins with -----BEGIN", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// The certificate's time is over.
    #[error("{}: the certificate expired on {day}; put a new one there and send SIGHUP", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Date of its end, UTC.
        day: String,
    },
    /// The certificate's time has not begun.
    #[error("{}: the certificate is valid only from {day}; is the clock of this host right?", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// Date of its beginning, UTC.
        day: String,
    },
    /// Certificate and key are of different pairs.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// Only one of the two files is there.
    #[error("{} is missing while its counterpart is there; put it back, or remove both for a new pair", path.display())]
    Half {
        /// The file that is missing.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What connections are made with.
#[derive(Debug)]
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    loopback: Arc<ClientConfig>,
    facts: Facts,
}

/// Our certificate. Connections take what counts when they begin; those that are open keep what they have.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: RwLock<Configs>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`] says which file and what to do.
    pub fn load(files: Files) -> Result<Certificate, CertificateError> {
        let current = RwLock::new(Configs::load(&files)?);
        Ok(Certificate { files, current })
    }

    /// Reads the files again, for new connections.
    ///
    /// # Errors
    /// [`CertificateError`]; then the old ones stay in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let new = Configs::load(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// When our certificate ends, seconds since 1970; for alarms.
    pub fn not_after_s(&self) -> i64 {
        self.read(|c| c.facts.not_after_s)
    }

    /// The names of our certificate.
    pub fn names(&self) -> Vec<String> {
        self.read(|c| c.facts.names.clone())
    }

    /// How a server of ours answers a TLS handshake that begins now.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.read(|c| Arc::clone(&c.server))
    }

    pub(super) fn client(&self, remote: IpAddr) -> Arc<ClientConfig> {
        let is_trusted = self.files.trusts_loopback && remote.to_canonical().is_loopback();
        self.read(|c| Arc::clone(if is_trusted { &c.loopback } else { &c.client }))
    }

    fn read<T>(&self, what: impl FnOnce(&Configs) -> T) -> T {
        what(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes a self-signed certificate for `names` (host names or addresses) in a folder, unless there is one already; gives the
/// paths of certificate and key. Only the exchange's user may read them.
///
/// # Errors
/// [`CertificateError`] when the folder cannot be written, or holds only one of the two.
pub fn self_signed(folder: &Path, names: &[String]) -> Result<(PathBuf, PathBuf), CertificateError> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    match (certificate.exists(), key.exists()) {
        (true, true) => return Ok((certificate, key)),
        (true, false) => return Err(CertificateError::Half { path: key }),
        (false, true) => return Err(CertificateError::Half { path: certificate }),
        (false, false) => {}
    }
    let unusable = |e: rcgen::Error| CertificateError::Unusable { path: folder.to_owned(), why: e.to_string() };
    let mut params = rcgen::CertificateParams::new(names.to_vec()).map_err(unusable)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Yihao self-signed");
    let year = i32::try_from(1970 + now_s() / 31_556_952).unwrap_or(2_026);
    params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 10, 1, 1);
    let pair = rcgen::KeyPair::generate().map_err(unusable)?;
    let signed = params.self_signed(&pair).map_err(unusable)?;
    let unwritable = |source| CertificateError::Unwritable { path: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
    write_new(&key, &pair.serialize_pem())?;
    write_new(&certificate, &signed.pem())?;
    Ok((certificate, key))
}

fn write_new(path: &Path, text: &str) -> Result<(), CertificateError> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| CertificateError::Unwritable { path: path.to_owned(), source })
}

impl Configs {
    fn load(files: &Files) -> Result<Configs, CertificateError> {
        let chain = certificates(&files.certificate)?;
        let facts = check_time(&files.certificate, &chain)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| pem_error(&files.key, "private key", e))?;
        let provider = Arc::new(ring::default_provider());
        let server = server_config(files, &provider, chain.clone(), key.clone_key())?;
        let mut roots = RootCertStore::empty();
        if let Some(path) = &files.trusted_ca {
            roots = root_store(path)?;
        }
        let mismatch = |e| key_error(files, e);
        let verified = client_builder(files, &provider)?.with_root_certificates(roots);
        let client = verified.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(mismatch)?;
        let unverified = client_builder(files, &provider)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(Arc::clone(&provider))));
        let loopback = unverified.with_client_auth_cert(chain, key).map_err(mismatch)?;
        Ok(Configs { server: Arc::new(server), client: Arc::new(client), loopback: Arc::new(loopback), facts })
    }
}

fn server_config(
    files: &Files,
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificateError> {
    let unusable = |path: &Path, why: String| CertificateError::Unusable { path: path.to_owned(), why };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&files.certificate, e.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(root_store(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
                .allow_unauthenticated()
                .build()
                .map_err(|e| unusable(path, e.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map_err(|e| key_error(files, e))
}

fn client_builder(
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, CertificateError> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| CertificateError::Unusable { path: files.certificate.clone(), why: e.to_string() })
}

fn key_error(files: &Files, error: rustls::Error) -> CertificateError {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        return CertificateError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() };
    }
    CertificateError::Unusable { path: files.certificate.clone(), why: error.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let error = |e| pem_error(path, "certificate", e);
    let chain = CertificateDer::pem_file_iter(path).map_err(error)?.collect::<Result<Vec<_>, _>>().map_err(error)?;
    if chain.is_empty() {
        return Err(CertificateError::NotPem { path: path.to_owned(), what: "certificate" });
    }
    Ok(chain)
}

fn root_store(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|e| CertificateError::Unusable { path: path.to_owned(), why: e.to_string() })?;
    }
    Ok(roots)
}

fn pem_error(path: &Path, what: &'static str, error: rustls::pki_types::pem::Error) -> CertificateError {
    if let rustls::pki_types::pem::Error::Io(source) = error {
        return CertificateError::Unreadable { path: path.to_owned(), source };
    }
    CertificateError::NotPem { path: path.to_owned(), what }
}

fn check_time(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Facts, CertificateError> {
    let facts = chain.first().and_then(|first| x509::read(first));
    let Some(facts) = facts else {
        return Err(CertificateError::Unusable { path: path.to_owned(), why: "not an X.509 certificate".to_owned() });
    };
    let (path, now) = (path.to_owned(), now_s());
    let day =
        |s| jiff::Timestamp::from_second(s).map_or_else(|_| s.to_string(), |t| t.strftime("%Y-%m-%d").to_string());
    if facts.not_after_s < now {
        return Err(CertificateError::Expired { path, day: day(facts.not_after_s) });
    }
    if facts.not_before_s > now {
        return Err(CertificateError::NotYetValid { path, day: day(facts.not_before_s) });
    }
    Ok(facts)
}

#[expect(clippy::disallowed_methods, reason = "a shell; certificates are valid by the wall clock")]
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Takes any certificate whose key signs the handshake. Only for loopback, where the setting allows it.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_a_certificate_that_later_ones_use() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("tls");
        let (certificate, key) = self_signed(&inner, &["yihao.example".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        for path in [&certificate, &key] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let loaded = Certificate::load(files(&certificate, &key)).unwrap();
        assert_eq!(loaded.names(), ["yihao.example", "127.0.0.1"]);
        assert!(loaded.not_after_s() > now_s() + 9 * 365 * 86_400);
        let before = fs::read(&certificate).unwrap();
        self_signed(&inner, &["other.example".to_owned()]).unwrap();
        assert_eq!(fs::read(&certificate).unwrap(), before);
        fs::remove_file(&key).unwrap();
        assert!(matches!(self_signed(&inner, &[]), Err(CertificateError::Half { path }) if path == key));
    }

    #[test]
    fn each_mistake_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let pair = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        fs::write(at("cert"), pair.cert.pem()).unwrap();
        fs::write(at("key"), pair.signing_key.serialize_pem()).unwrap();
        fs::write(at("other"), other.serialize_pem()).unwrap();
        fs::write(at("noise"), "hello").unwrap();
        for (name, year) in [("old", 2001), ("future", 2400)] {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(year, 1, 1);
            params.not_after = rcgen::date_time_ymd(year + 1, 1, 1);
            fs::write(at(name), params.self_signed(&pair.signing_key).unwrap().pem()).unwrap();
        }
        let why = |certificate: &str, key: &str| {
            Certificate::load(files(&at(certificate), &at(key))).map(|_| ()).unwrap_err().to_string()
        };
        assert!(Certificate::load(files(&at("cert"), &at("key"))).is_ok());
        assert!(why("absent", "key").contains("absent: No such file"));
        assert!(why("cert", "absent").contains("absent: No such file"));
        assert!(why("noise", "key").contains("noise: no certificate in PEM form"));
        assert!(why("cert", "noise").contains("noise: no private key in PEM form"));
        assert!(why("cert", "other").contains("other is not the key of"));
        assert!(why("old", "key").contains("old: the certificate expired on 2002-01-01"));
        assert!(why("future", "key").contains("future: the certificate is valid only from 2400-01-01"));
        let bad_ca = Files { client_ca: Some(at("noise")), ..files(&at("cert"), &at("key")) };
        assert!(Certificate::load(bad_ca).unwrap_err().to_string().contains("noise: no certificate"));
    }

    #[test]
    fn a_failed_reload_keeps_the_old_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = self_signed(folder.path(), &["a.example".to_owned()]).unwrap();
        let loaded = Certificate::load(files(&certificate, &key)).unwrap();
        fs::write(&certificate, "broken").unwrap();
        assert!(loaded.reload().is_err());
        assert_eq!(loaded.names(), ["a.example"]);
        fs::remove_file(&certificate).unwrap();
        fs::remove_file(&key).unwrap();
        self_signed(folder.path(), &["b.example".to_owned()]).unwrap();
        loaded.reload().unwrap();
        assert_eq!(loaded.names(), ["b.example"]);
    }

    fn files(certificate: &Path, key: &Path) -> Files {
        Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_ca: None,
            trusted_ca: None,
            trusts_loopback: false,
        }
    }
}
